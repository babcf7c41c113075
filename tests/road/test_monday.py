"""A committee's Monday in a real browser: from the spreadsheet to the appeal and the hand-over."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import openpyxl
import pyotp
import pytest
from playwright.sync_api import Browser, Page

from tests.road.conftest import Instance, phone
from tests.road.test_browser import read, sign_in, texts

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PASSWORD = "三匹白马过大桥 on Monday"
SAID = {
    "ask": "有一盏路灯坏了，晚上看不见路。",
    "refer": "镇上集市的公厕没有人打扫。",
    "merge": "水利局门口的台阶太滑，下雨天老人摔过两回。",
    "into": "水利局门口台阶太滑，下雨天老人已经摔过两回了！",
    "decline": "要求把河改道。",
    "answer": "办证窗口中午没有人，能不能轮流值班？",
}


def sheet(path: Path, kind: str = "branch") -> Path:
    book = openpyxl.Workbook()
    units = book.active
    assert units is not None
    units.title = "units"
    for row in (
        ["slug", "name", "parent", "kind", "group", "second_eyes"],
        ["shuiliju", "县水利局", "county", "unit", "jiandu-1", ""],
        ["shuiliju-jiguan", "水利局机关支部", "shuiliju", kind, "", "是"],
    ):
        units.append(row)
    staff = book.create_sheet("staff")
    staff.append(["用户名", "角色", "单位"])
    for name in ("zhao", "qian"):
        staff.append([name, "保管人", "shuiliju-jiguan"])
    out = io.BytesIO()
    book.save(out)
    path.write_bytes(out.getvalue())
    return path


def enrol(page: Page, link: str) -> str:
    """Password, second factor; returns the secret of the authenticator."""
    page.goto(link)
    secret = re.sub(r"\s", "", page.locator("[data-totp-secret]").inner_text())
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.fill("#totp", pyotp.TOTP(secret).now())
    page.click("button.main")
    assert page.locator("h1").inner_text() == "办好了，请收好恢复码"
    return secret


def enter(page: Page, instance: Instance, username: str, totp_secret: str) -> None:
    """Sign in just after enrolling: that code is spent, the next step's is good already."""
    page.goto(f"{instance.base}/desk/sign-in")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("button.main")
    page.fill("#totp", pyotp.TOTP(totp_secret).at(time.time(), counter_offset=1))
    page.click("button.main")
    page.wait_for_url("**/desk/queue")


def bring_in(office: Page, instance: Instance, file: Path) -> None:
    office.goto(f"{instance.base}/desk/units/import")
    office.set_input_files("#file", file)
    office.click("form[enctype] button.main")
    office.wait_for_load_state()  # the page comes piece by piece


def drop(page: Page, instance: Instance, text: str) -> str:
    page.goto(f"{instance.base}/box/shuiliju-jiguan")
    page.fill("#opinion", text)
    page.click("button.main")
    if page.locator("[data-self-identification]").count():
        page.click("[name=decision][value=as-is]")
    return page.inner_text("[data-receipt-code]")


def case(page: Page, instance: Instance, text: str) -> None:
    page.goto(f"{instance.base}/desk/queue")
    page.locator("[data-case]", has_text=text[:12]).locator("a").first.click()


def state(page: Page) -> str | None:
    return page.locator("[data-state]").first.get_attribute("data-state")


def press(page: Page, move: str, **fields: str) -> None:
    form = page.locator(f"form[action*='/{move}']")
    opener = form.locator("xpath=ancestor::details[not(@open)]/summary")
    if opener.count():
        opener.click()
    for name, value in fields.items():
        field = form.locator(f"[name={name}]")
        if field.first.get_attribute("type") == "radio":
            form.locator(f"[name={name}][value='{value}']").check()
        else:
            field.fill(value)
    form.locator("button:not([formaction]):not([name])").first.click()


def test_a_committees_monday(instance: Instance, browser: Browser, tmp_path: Path) -> None:
    # The office brings the branch and its two keepers in from a spreadsheet: at the second try.
    office = phone(browser)
    sign_in(office, instance, instance.account("office", "county"))
    bring_in(office, instance, sheet(tmp_path / "county.xlsx", kind="club"))
    cells = office.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[:3] == ["units", "3", "D"]
    assert office.goto(f"{instance.base}/units/shuiliju").status == 404
    bring_in(office, instance, sheet(tmp_path / "county.xlsx"))
    links = [code.inner_text() for code in office.locator("td code").all()]
    assert len(links) == 2

    # Both enrol; the first gets the box's key at once and hands it over to the second. Before that
    # the box is closed.
    speaker = phone(browser)
    speaker.goto(f"{instance.base}/box/shuiliju-jiguan")
    assert speaker.locator("main a[href^='tel:']").count() == 1
    assert speaker.locator("#opinion").count() == 0
    zhao, qian = phone(browser), phone(browser)
    for name, page, link in zip(("zhao", "qian"), (zhao, qian), links, strict=True):
        enter(page, instance, name, enrol(page, link))
    zhao.goto(f"{instance.base}/desk/staff")
    zhao.locator("[data-person=qian] button", has_text="交给钥匙").click()

    # Six people speak; the boxes are opened.
    codes = {name: drop(speaker, instance, text) for name, text in SAID.items()}
    instance.command("open-boxes", "--now")

    # Zhao works through the queue.
    case(zhao, instance, SAID["ask"])
    press(zhao, "ask", message="是哪一条路上的？")
    assert state(zhao) == "asked"
    case(zhao, instance, SAID["refer"])
    press(zhao, "refer", unit="何家坪镇机关支部", message="集市归镇里管，已经转过去了。")
    case(zhao, instance, SAID["merge"])
    suggested = zhao.locator("form[action*='/merge'] [name=into]")
    press(zhao, "merge", into=suggested.first.get_attribute("value") or "")
    assert state(zhao) == "merged"
    case(zhao, instance, SAID["decline"])
    press(zhao, "decline", reason="no_facts", message="改道要有论证，请写明是哪一段。")
    assert state(zhao) == "declined"
    case(zhao, instance, SAID["answer"])
    press(zhao, "accept")
    press(zhao, "draft", answer="从今天起中午有人值班。", summary="有人反映窗口中午没人。")
    press(zhao, "approve")
    assert "两个人把关" in zhao.content()  # a second pair of eyes
    case(qian, instance, SAID["answer"])
    press(qian, "approve")
    assert state(qian) == "answered"
    case(qian, instance, SAID["into"])
    press(qian, "accept")
    press(qian, "draft", answer="台阶这周铺防滑条。", summary="台阶太滑。")
    case(zhao, instance, SAID["into"])
    press(zhao, "approve")

    # Where it was referred it waits, with its words.
    town = phone(browser)
    sign_in(town, instance, instance.account("keeper", "hejiaping-jiguan"))
    case(town, instance, SAID["refer"])
    assert town.inner_text("[data-opinion]") == SAID["refer"]
    assert state(town) == "waiting"

    # The speakers come back.
    read(speaker, instance, codes["merge"])
    assert texts(speaker, "desk") == ["台阶这周铺防滑条。"]
    read(speaker, instance, codes["refer"])
    assert "何家坪镇机关支部" in speaker.content()
    read(speaker, instance, codes["ask"])
    press(speaker, "reply", message="水利局后面那条小路")
    read(speaker, instance, codes["decline"])
    press(speaker, "appeal", reason="说的就是城东那一段，写清楚了。")
    instance.command("open-boxes", "--now")
    case(zhao, instance, SAID["ask"])
    assert state(zhao) == "waiting"
    assert "水利局后面那条小路" in zhao.content()

    # The supervision group overturns the refusal, and the branch has it back.
    group = phone(browser)
    sign_in(group, instance, instance.account("supervisor", "jiandu-1"))
    case(group, instance, SAID["decline"])
    assert "城东那一段" in group.content()
    group.locator("form[action*='/uphold'] [name=message]").fill("写得清楚，请支部重新办。")
    group.locator("button[formaction*='/overturn']").click()
    case(qian, instance, SAID["decline"])
    assert state(qian) == "reopened"

    # Zhao leaves: nothing opens for them any more; Qian goes on under a new key, and hands all of
    # them over to Sun, whom the office has invited.
    office.goto(f"{instance.base}/desk/staff?unit=shuiliju-jiguan")
    office.locator("[data-person=zhao] summary").click()
    office.locator("[data-person=zhao] button", has_text="撤下这项职责").click()
    zhao.goto(f"{instance.base}/desk/queue")
    assert SAID["answer"][:12] not in zhao.content()
    case(qian, instance, SAID["decline"])
    assert SAID["decline"] in qian.content()
    office.goto(f"{instance.base}/desk/staff?unit=shuiliju-jiguan")
    office.fill("#username", "sun")
    office.select_option("#role", "keeper")
    office.click("form.card button.main")
    sun = phone(browser)
    enter(sun, instance, "sun", enrol(sun, office.inner_text("[data-link]")))
    assert SAID["decline"][:12] not in sun.content()
    qian.goto(f"{instance.base}/desk/staff")
    qian.locator("[data-person=sun] button", has_text="交给钥匙").click()
    case(sun, instance, SAID["decline"])
    assert sun.inner_text("[data-opinion]") == SAID["decline"]


def test_a_keeper_works_by_keyboard_alone(instance: Instance, browser: Browser) -> None:
    visitor = phone(browser)
    for text in ("第一件：院墙裂了一道缝。", "第二件：食堂的门关不上。"):
        visitor.goto(f"{instance.base}/box/demo")
        visitor.fill("#opinion", text)
        visitor.click("button.main")
    instance.command("open-boxes", "--now")
    page = browser.new_context().new_page()
    sign_in(page, instance, instance.account("keeper", "demo"))
    mine = page.locator("[data-case] a.row", has_text="件：")
    focus = "document.activeElement.textContent"
    for _ in range(mine.count() + 1):  # j goes down to the last row, and stays there
        page.keyboard.press("j")
    last = page.evaluate(focus)
    page.keyboard.press("k")
    assert page.evaluate(focus) != last
    page.keyboard.press("x")
    assert page.locator("input[name=case]:checked").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/cases/*")
    page.keyboard.press("?")
    assert "不予采纳" in page.inner_text("#keys")
    page.keyboard.press("Escape")
    page.keyboard.press("d")  # opens the form and goes to its first field; nothing is sent
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.press("Space")
    page.focus("#decline-message")
    page.keyboard.type("a j ? d")  # in a field a key is a letter
    assert page.input_value("#decline-message") == "a j ? d"
    assert not page.locator("#keys").is_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-state=declined]")
