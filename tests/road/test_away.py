"""The proxy's page, reloaded, sends the same form again, and one opinion lies there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.road.conftest import ROOT, Instance, phone
from tests.road.test_browser import sign_in

AWAY = (ROOT / "deploy" / "pages" / "away.html").read_text("utf-8")
TEXT = "村东的井盖松了，车过去就响。"

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def _answerless(page: Page) -> list[str]:
    """The next form is taken, and then the proxy says that nobody answered; the pages not seen."""
    unseen: list[str] = []

    def away(route: Route) -> None:
        if route.request.method != "POST" or unseen:
            return route.continue_()
        unseen.append(route.fetch().text())
        return route.fulfill(status=503, content_type="text/html; charset=utf-8", body=AWAY)

    page.route("**/box/demo", away)
    return unseen


def test_who_reloads_the_page_that_could_not_answer_gets_the_receipt_of_what_was_taken(
    instance: Instance, browser: Browser
) -> None:
    page = phone(browser)
    unseen = _answerless(page)
    page.goto(f"{instance.base}/box/demo")
    page.fill("#opinion", TEXT)
    page.click("button.main")
    expect(page.locator("h1")).to_have_text("这会儿用不了")
    page.reload()
    code = page.locator("[data-receipt-code]")
    expect(code).to_be_visible()
    assert len(unseen) == 1
    assert code.inner_text() in unseen[0]
    instance.command("open-boxes", "--now")
    desk = browser.new_page()
    sign_in(desk, instance, instance.account("keeper", "demo"))
    expect(desk.locator("[data-case]", has_text=TEXT[:8])).to_have_count(1)
    desk.context.close()
    page.context.close()
