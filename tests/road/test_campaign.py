"""A campaign in a real browser over the whole demo county of 91 units: set up, recorded on a phone,
watched on the board, looked back on, made up for, and published."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from app.supervision.models import Question
from tests.road.conftest import Instance, phone, start, stop
from tests.road.test_browser import sign_in
from tests.visitor import Visitor

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.xdist_group("browser")]

UNITS = 91


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The whole demo county, running."""
    process, running = start(tmp_path_factory.mktemp("county"), small=False)
    yield running
    stop(process)


def fits(page: Page) -> None:
    """Nothing lies outside a phone's width but what scrolls by itself."""
    main = page.locator("main").bounding_box()
    assert main is not None
    assert main["x"] + main["width"] <= 360
    for place in page.locator(".board tr, .tile, .card, h1").all()[:60]:
        box = place.bounding_box()
        assert box is None or box["x"] + box["width"] <= 361


def judge(page: Page, verdict: str, **fields: str) -> None:
    for question in Question:
        answer = "no" if verdict == "make_up" and question == "talks" else "yes"
        page.check(f"[name=judgement-{question}][value={answer}]")
    page.check(f"[name=verdict][value={verdict}]")
    for name, value in fields.items():
        page.locator(f"[name={name}]").first.fill(value)
    page.click("[name=decision][value=decide]")


def look_back_on_every_unit(desk: Visitor, campaign: str, branches: list[str]) -> None:
    """The groups' work, by the forms alone: one branch of each of the other units."""
    for slug in branches:
        address = f"/desk/look-back/{campaign}/branches/{slug}"
        form = desk.get(address).form(f"/branches/{slug}")
        judged = {f"judgement-{question}": "yes" for question in Question}
        page = desk.send(form, **judged, verdict="fair", decision="decide")
        assert (page.status, page.value_of("data-verdict")) == (200, "fair")


def test_a_campaign_from_its_start_to_the_published_look_back(
    county: Instance, browser: Browser
) -> None:
    # The office sets it up from what most campaigns ask, and starts it for every branch.
    office = phone(browser)
    sign_in(office, county, county.account("office", "county"))
    office.goto(f"{county.base}/desk/campaigns/new")
    fits(office)
    office.fill("#name", "作风建设专项活动")
    office.click("button.main")
    office.locator("form[action*='/start'] button").click()
    campaign = re.findall(r"/desk/campaigns/([0-9a-f]{32})", office.url)[0]
    assert office.locator("[data-action]").count() == 12

    # A branch records a talk in one tap, says how many leaders it has, and puts a slip right.
    keeper = phone(browser)
    sign_in(keeper, county, county.account("keeper", "demo"))
    keeper.goto(f"{county.base}/desk/campaigns/{campaign}/branches/demo")
    fits(keeper)
    keeper.locator("#talk_members button", has_text="记上").click()
    assert "记上了" in keeper.locator("[role=status]").inner_text()
    leaders = keeper.locator("#talk_leaders form[action$='/due']")
    leaders.locator("[name=due]").fill("3")
    leaders.locator("[name=reason]").fill("支委三个人，两两谈一次")
    leaders.locator("button").click()
    assert "0 ÷ 3" in keeper.locator("#talk_leaders").inner_text().replace("\xa0", " ")
    slip = keeper.locator("[data-record]").first
    slip.locator("summary").click()
    slip.locator("[name=amount]").fill("2")
    slip.locator("[name=reason]").fill("谈了两个人")
    slip.locator("button").click()
    assert "谈了两个人" in keeper.content()

    # The group sees every branch of the 91 units, closed boxes first of all.
    group = phone(browser)
    sign_in(group, county, county.account("supervisor", "jiandu-1"))
    group.goto(f"{county.base}/desk/board?campaign={campaign}")
    fits(group)
    assert group.locator(".tile").count() == UNITS
    assert group.locator("[data-branch]").first.get_attribute("data-closed") is not None
    seen = {row.get_attribute("data-branch") for row in group.locator("[data-branch]").all()}
    while group.locator("a[rel=next]").count():
        group.locator("a[rel=next]").click()
        seen |= {row.get_attribute("data-branch") for row in group.locator("[data-branch]").all()}
    group.goto(f"{county.base}/desk/board?campaign={campaign}&all=yes")
    assert len(seen) == group.locator("[data-branch]").count() >= 380
    group.goto(f"{county.base}/desk/board?campaign={campaign}&unit=demo-office")
    assert group.locator("[data-branch]").count() == 1

    # It looks back on a branch of each unit; one has to make up for something.
    group.goto(f"{county.base}/desk/look-back/{campaign}/branches/demo")
    fits(group)
    judge(group, "make_up", task="把谈心补齐", due="2099-12-31")
    assert group.locator("[data-verdict]").first.get_attribute("data-verdict") == "make_up"
    # (A second account of the groups: a one-time code works once.)
    second = next(a for a in county.accounts if a["username"] == "demo-supervisor-2")
    visitor, _ = county.sign_in(second)
    others = [unit for unit in first_branches(visitor, campaign) if unit != "demo"]
    assert len(others) == UNITS - 1
    look_back_on_every_unit(visitor, campaign, others)

    # The branch makes up for it, and the group closes the task.
    keeper.goto(f"{county.base}/desk/look-back/{campaign}/branches/demo")
    keeper.locator("[data-task] summary").click()
    keeper.locator("[data-task] textarea").fill("补谈了，登记表在支部文件柜")
    keeper.locator("[data-task] button").click()
    group.reload()
    group.locator("form[action$='/close'] button").click()
    assert group.locator("[data-task] [data-standing=closed]").count() == 1

    # The office tells the county; a colleague publishes.
    office.goto(f"{county.base}/desk/look-back?campaign={campaign}")
    fits(office)
    assert f"{UNITS} ÷" in office.locator("main h2").first.inner_text().replace("\xa0", " ")
    office.locator("form[action$='/bulletin'] button").click()
    colleague = phone(browser)
    sign_in(colleague, county, county.account("office", "county", 1))
    colleague.goto(office.url)
    colleague.locator("button[formaction*='/publish'], form[action*='/publish'] button").click()
    reader = phone(browser)
    reader.goto(colleague.url.replace("/desk/bulletins", "/bulletins"))
    assert f"一般的 {UNITS - 1} 个" in reader.locator("main").inner_text()
    assert "要补课的 1 个" in reader.locator("main").inner_text()


def first_branches(desk: Visitor, campaign: str) -> list[str]:
    """One branch of each unit, as the board's tiles lead to them."""
    page = desk.get(f"/desk/board?campaign={campaign}")
    units = re.findall(r'data-unit="([^"]+)"', page.html)
    found = []
    for unit in units:
        rows = desk.get(f"/desk/board?campaign={campaign}&unit={unit}").html
        branches = re.findall(r'data-branch="([^"]+)"', rows)
        found.append("demo" if "demo" in branches else branches[0])
    return found
