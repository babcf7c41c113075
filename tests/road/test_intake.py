"""A caller and a meeting in a real browser: from the words to the answer read with the receipt."""

from __future__ import annotations

import io
import re
from urllib.parse import urlencode, urljoin

import pypdf
import pytest
from playwright.sync_api import Browser, Page

from tests.road.conftest import CODE, Instance, phone
from tests.road.test_browser import answer, fits, read, sign_in, texts

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

CALLED = "三楼的水压太低，白天上不去水。"
SAID = ("村口的桥栏杆掉了一截。", "卫生室下午没有人。")


@pytest.fixture(scope="module")
def desk(browser: Browser, instance: Instance) -> Page:
    """A keeper who has signed in once: a one-time code is good for one."""
    page: Page = phone(browser)
    sign_in(page, instance, instance.account("keeper", "demo"))
    return page


def pdf_text(page: Page, selector: str) -> str:
    """The text of the document that a form leads to; the browser would show it in its viewer."""
    form = page.locator(selector)
    fields = form.evaluate("form => [...new FormData(form)]")
    answer = page.context.request.post(
        urljoin(page.url, form.get_attribute("action")),
        data=urlencode([(name, value) for name, value in fields]),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.headers["content-type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(answer.body())).pages
    return "\n".join(found.extract_text().replace("\0", "") for found in pages)


def opened(browser: Browser, instance: Instance, code: str) -> Page:
    """Somebody who came back with a receipt, the thread before them."""
    page: Page = phone(browser)
    read(page, instance, code)
    page.locator("[data-message]").first.wait_for()
    return page


def test_a_caller_writes_down_fours_and_reads_the_answer_with_them(
    browser: Browser, instance: Instance, desk: Page
) -> None:
    desk.goto(f"{instance.base}/desk/intake")
    fits(desk)
    desk.click("[data-intake=demo] a[href*='/phone']")
    desk.fill("textarea[name=opinion]", CALLED)
    desk.click("button.main")
    fits(desk)
    fours = desk.locator("[data-receipt-code] li").all_inner_texts()
    code = "".join(re.sub(r"\D", "", four) for four in fours)
    assert len(code) == 22
    desk.fill("[name=read_back]", code[:4] + "0000" + code[8:])
    desk.click("button.main")
    assert "第 2 组" in desk.inner_text("[role=alert]")
    desk.fill("[name=read_back]", " ".join(fours))
    desk.click("button.main")
    assert desk.inner_text("h1") == "对上了"
    fits(desk)
    assert code not in re.sub(r"\D", "", desk.content())
    instance.command("open-boxes", "--now")
    answer(desk, instance, CALLED, "泵换好了。")
    caller = opened(browser, instance, code)
    assert texts(caller, "speaker") == [CALLED]
    assert texts(caller, "desk") == ["泵换好了。"]
    assert caller.locator("[data-seen-by-staff]").count() == 1


def test_a_meeting_takes_its_receipts_home_on_one_sheet(
    browser: Browser, instance: Instance, desk: Page
) -> None:
    desk.goto(f"{instance.base}/desk/intake/demo/meeting")
    for area, text in zip(desk.locator("textarea[name=opinion]").all(), SAID, strict=False):
        area.fill(text)
    desk.click("button.main")
    fits(desk)
    sheet = pdf_text(desk, "form[action*='/meeting/receipts']")
    codes = CODE.findall(sheet)
    assert len(codes) == 2
    instance.command("open-boxes", "--now")
    for code, words in zip(codes, SAID, strict=True):
        speaker = opened(browser, instance, code)
        assert texts(speaker, "speaker") == [words]
        assert speaker.locator("[data-seen-by-staff]").count() == 1


def test_a_printed_form_comes_back_through_the_paper_desk(
    browser: Browser, instance: Instance, desk: Page
) -> None:
    desk.goto(f"{instance.base}/desk/intake")
    desk.click("[data-intake=demo] summary")
    desk.fill("[name=number]", "1")
    form = pdf_text(desk, "form[action*='/forms']")
    code, again = CODE.findall(form)
    assert code == again
    desk.goto(f"{instance.base}/desk/intake/demo/paper")
    desk.locator("textarea[name=opinion]").first.fill("路灯坏了。")
    desk.locator("[name=code]").first.fill(code)
    desk.click("button.main")
    fits(desk)
    writer = opened(browser, instance, code)
    assert texts(writer, "speaker") == ["路灯坏了。"]
