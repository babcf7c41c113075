"""The road in a real browser, 360 px wide, JavaScript off."""

from __future__ import annotations

import contextlib
from urllib.request import Request, urlopen

import pyotp
import pytest
from playwright.sync_api import Browser, Error, Page

from tests.road.conftest import Instance, phone
from tests.road.test_messages import rows

TELLING = "路灯坏了三个月。\n我叫李四，电话13800138000，请回话。"
MASKED = "路灯坏了三个月。\n我叫＊＊，电话＊＊，请回话。"

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def fits(page: Page) -> None:
    """Nothing is wider than the phone."""
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def sign_in(page: Page, instance: Instance, account: dict[str, str]) -> None:
    page.goto(f"{instance.base}/desk/sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.click("button.main")
    page.fill("#totp", pyotp.TOTP(account["totp_secret"]).now())
    page.click("button.main")
    page.wait_for_url("**/desk/queue")


def drop(page: Page, instance: Instance, text: str) -> str:
    """From the poster's code to the receipt: two screens."""
    page.goto(f"{instance.base}/box/demo")
    fits(page)
    page.fill("#opinion", text)
    page.click("button.main")
    fits(page)
    if page.locator("[data-self-identification]").count():
        page.click("button[value=as-is]")
        fits(page)
    return page.inner_text("[data-receipt-code]")


def answer(page: Page, instance: Instance, text: str, reply: str) -> None:
    page.goto(f"{instance.base}/desk/queue")
    words = " ".join(text.split())[:20]
    page.locator("[data-case]", has_text=words).locator("a").first.click()
    assert page.locator("[data-opinion]").evaluate("e => e.textContent") == text
    page.click("form[action*='/accept'] button")
    page.fill("#answer", reply)
    page.fill("#summary", "群众反映的一件事")
    page.click("form[action*='/draft'] button")
    page.click("form[action*='/approve'] button")
    assert page.locator("[data-state]").first.get_attribute("data-state") == "answered"
    fits(page)


def read(page: Page, instance: Instance, code: str) -> None:
    page.goto(f"{instance.base}/receipt")
    page.fill("#code", code)
    page.click("main button")


def texts(page: Page, author: str) -> list[str]:
    found: list[str] = page.locator(f"[data-message={author}]").evaluate_all(
        "all => all.map(e => e.textContent)"
    )
    return found


def test_three_messages_walk_the_road_on_a_phone_without_script(
    instance: Instance, browser: Browser
) -> None:
    by_length = sorted(rows(), key=lambda row: len(row["message"]))
    three = [by_length[0], by_length[len(by_length) // 2], by_length[-1]]
    page = phone(browser)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    codes = [drop(page, instance, row["message"]) for row in three]
    assert page.context.cookies() == []
    instance.command("open-boxes", "--now")
    desk = phone(browser)
    sign_in(desk, instance, instance.account("keeper", "demo"))
    for row in three:
        answer(desk, instance, row["message"], row["answer"])
    for row, code in zip(three, codes, strict=True):
        read(page, instance, code)
        fits(page)
        assert texts(page, "speaker") == [row["message"]]
        assert texts(page, "desk") == [row["answer"]]
    page.check("input[value=satisfied]")
    page.click("form[action*='/rate'] button")
    assert page.locator("[role=status]").is_visible()
    page.fill("#message", "谢谢你们")
    page.click("form[action*='/reply'] button")
    assert texts(page, "speaker")[-1] == "谢谢你们"
    assert page.context.cookies() == []
    assert all(address.startswith(instance.base) for address in asked)
    digits = [code.replace("-", "") for code in codes]
    assert not any(code in address.replace("-", "") for code in digits for address in asked)
    page.click("text=立即离开")
    assert "言路" not in page.content()


def test_after_leaving_nothing_is_stored_and_back_shows_nothing(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser)
    code = drop(page, instance, "看完就走")
    read(page, instance, code)
    page.click("text=立即离开")
    with contextlib.suppress(Error):  # no-store: the browser has nothing to go back to
        page.go_back()
    page.wait_for_timeout(300)  # the browser puts up its own page instead
    assert "看完就走" not in page.content()


def test_the_warning_works_without_script_on_a_phone(instance: Instance, browser: Browser) -> None:
    page = phone(browser)
    page.goto(f"{instance.base}/box/demo")
    page.fill("#opinion", TELLING)
    page.click("button.main")
    fits(page)
    assert page.locator("mark").count() == 2
    assert page.locator("textarea").is_hidden()
    page.click("button[value=edit]")
    assert page.input_value("#opinion") == TELLING
    assert page.locator("[data-self-identification]").count() == 0
    page.click("button.main")
    page.click("button.main")
    code = page.inner_text("[data-receipt-code]")
    read(page, instance, code)
    assert texts(page, "speaker") == [MASKED]


def test_the_form_page_is_light(instance: Instance) -> None:
    """HTML, stylesheet and icon, as they go over the wire: at most 14,336 bytes."""
    total = 0
    for address in ("/box/demo", "/static/style.css", "/static/icon.svg"):
        request = Request(f"{instance.base}{address}", headers={"Accept-Encoding": "gzip"})
        with urlopen(request, timeout=30) as answer:
            sent = answer.read()
        total += len(sent)
    print(f"\nform page, cold: {total} bytes")
    assert total <= 14_336
