"""From a drawn slip to the published result: on a phone without script, and at three desks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from tests.road.conftest import Instance, phone
from tests.road.test_browser import fits, sign_in
from tests.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def slips_of(instance: Instance) -> list[str]:
    """The demo round's slips, as they were drawn."""
    text = (instance.data_dir / "demo-slips.txt").read_text("utf-8")
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def vote(instance: Instance, slip: str, grade: str) -> None:
    """Somebody with the plainest browser votes."""
    visitor = Visitor(instance.base)
    page = visitor.send(visitor.get("/slip").form("/slip"), slip=slip)
    names = re.findall(r'name="(grade-[0-9a-f]{32})"', page.html)
    counted = visitor.send(page.form("/slip"), **dict.fromkeys(names, grade))
    assert counted.marked("data-counted"), counted.alert()


def test_a_slip_becomes_part_of_a_published_result(instance: Instance, browser: Browser) -> None:
    slips = slips_of(instance)
    page = phone(browser)
    page.goto(f"{instance.base}/slip?view=large")
    fits(page)
    page.fill("#slip", slips[0][:-1])
    page.click("button.main")
    assert page.locator("[data-error=mistyped]").count()
    page.fill("#slip", slips[0])
    page.click("button.main")
    fits(page)
    assert page.context.cookies() == []
    assert "view=large" in page.url
    questions = page.locator("[data-subject]")
    assert questions.count() >= 3
    for place in range(questions.count()):
        questions.nth(place).locator("input[value=satisfied]").check()
    box = questions.first.locator("label", has=page.locator("input")).first.bounding_box()
    assert box["height"] >= 60
    page.click("button.main")
    assert page.locator("[data-counted]").count()
    page.goto(f"{instance.base}/slip")
    page.fill("#slip", slips[0])
    page.click("button.main")
    assert page.locator("[data-error=unknown]").count()

    for slip in slips[1:14]:
        vote(instance, slip, "satisfied")
    address = walk_the_desks(instance, browser)

    page.goto(instance.base + address)
    fits(page)
    assert page.inner_text("[data-figure=turnout]") == f"14 ÷ {len(slips)}"
    assert page.locator("svg.chart").count() == 1
    assert page.locator("[data-subject-result]").count() == 2
    assert "80–100%" in page.inner_text("main")
    page.goto(f"{instance.base}/slip")
    page.fill("#slip", slips[-1])
    page.click("button.main")
    assert page.locator("[data-error=late]").count()


def walk_the_desks(instance: Instance, browser: Browser) -> str:
    """One closes, another counts, the first checks and publishes; the public address."""
    first = phone(browser)
    sign_in(first, instance, instance.account("keeper", "demo", 0))
    second = phone(browser)
    sign_in(second, instance, instance.account("keeper", "demo", 1))
    for desk in (first, second):
        desk.goto(f"{instance.base}/desk/rounds")
        desk.click("main .list a.row")
        fits(desk)
    first.click("form[action*='/close'] button")
    second.reload()
    second.click("form[action*='/count'] button")
    assert second.locator("main [data-state]").first.get_attribute("data-state") == "counted"
    first.reload()
    first.click("form[action*='/confirm'] button")
    first.click("form[action*='/publish'] button.main")
    assert first.locator("main [data-state]").first.get_attribute("data-state") == "published"
    address = first.locator("a[href^='/results/']").first.get_attribute("href")
    return str(address)
