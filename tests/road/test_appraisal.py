"""A member's appraisal in a real browser: from the link to the acknowledged feedback, no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.road.conftest import Instance, phone
from tests.road.test_browser import fits, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def member(desk: Page, instance: Instance) -> None:
    """The page of the last member on the roll, whom nobody has asked yet."""
    desk.goto(f"{instance.base}/desk/appraisals")
    desk.locator("[data-appraisal] a").last.click()
    fits(desk)


def link(desk: Page, step: str) -> str:
    """A link that the committee gives, as it stands on the page that shows it once."""
    desk.click(f"form[action*='/{step}'] button")
    fits(desk)
    return desk.inner_text("[data-link]")


def test_a_members_appraisal_from_the_link_to_the_acknowledged_feedback(
    instance: Instance, browser: Browser
) -> None:
    desk, own = phone(browser), phone(browser)
    asked: list[str] = []
    own.on("request", lambda request: asked.append(request.url))
    sign_in(desk, instance, instance.account("keeper", "demo"))
    member(desk, instance)
    name = desk.inner_text("h1")
    own.goto(link(desk, "link"))
    fits(own)
    assert name not in own.content()
    own.click("button.main")
    fits(own)
    assert name in own.inner_text("h1")
    own.fill("#answer-1", "入党时的话\n还记得。")
    own.click("button[value=save]")
    own.fill("#answer-9", "明年改")
    own.click("button.main")
    assert own.locator("[data-answer='1']").evaluate("e => e.textContent") == "入党时的话\n还记得。"
    assert own.locator("textarea").count() == 0

    member(desk, instance)
    assert "还记得" in desk.content()
    for part, words in (
        ("achievements", "修路有功。"), ("problems", "会上话急。"), ("direction", "多听。"),
    ):  # fmt: skip
        desk.fill(f"#{part}", words)
    desk.click("form[action*='/draft'] button:not([formaction])")
    desk.locator("summary", has_text="加一条整改").click()
    desk.fill("#words", "每月下组一次")
    desk.click("form[action*='/plan'] button")
    desk.click("form[action*='/finish'] button")
    own.goto(link(desk, "deliver"))
    own.click("button.main")
    fits(own)
    for words in ("修路有功。", "会上话急。", "每月下组一次"):
        assert words in own.content()
    own.click("button[value=acknowledge]")
    own.fill("#reply", "多数同意，有一处日期不对。")
    own.click("button[value=reply]")
    fits(own)
    assert own.inner_text("[data-reply]") == "多数同意，有一处日期不对。"

    member(desk, instance)
    assert desk.locator("[data-standing=acknowledged]").count() == 1
    assert desk.inner_text("[data-reply]") == "多数同意，有一处日期不对。"
    # A stranger's browser asks for nothing but our pages, and keeps nothing.
    assert own.context.cookies() == []
    assert all(address.startswith(instance.base) for address in asked)
