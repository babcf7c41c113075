"""The old man with the paper: his opinion is deleted from the database, and his browser tells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, Page

from app import cli, create_app, crypto, db
from app.cases.models import Case, CaseEvent, ThreadItem
from app.clock import Clock
from app.submissions.models import LyingItem
from config import Config
from tests.conftest import PHONE, Hand, served
from tests.factories import make_box
from tests.road.conftest import phone

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def hand() -> Hand:
    """A Monday."""
    return Hand()


@pytest.fixture
def county(tmp_path: Path, hand: Hand) -> Iterator[tuple[str, Flask]]:
    """A running county whose days the test turns; its address."""
    config = Config.from_environ(
        {"DATA_DIR": str(tmp_path), "LIMITS": "off", "COUNTY_PHONE": PHONE}
    )
    app = create_app(config, Clock(config.timezone, lambda: hand.now))
    with app.app_context():
        cli.prepare()
        with db.transaction() as session:
            make_box(session, "longtan", app.extensions["clock"])
    with served(app) as base:
        yield base, app
    db.close(app)


def paper_of(page: Page, base: str) -> tuple[str, str]:
    """Drop an opinion; what the paper receipt then says: code and promise."""
    page.goto(f"{base}/box/longtan")
    page.fill("#opinion", "村里的低保名单为什么不公开？")
    page.click("button.main")
    code = page.inner_text("[data-receipt-code]")
    return code, page.inner_text("[data-promise]")


def ask(page: Page, base: str, code: str, promise: str) -> str:
    """Enter the paper at the check; the verdict."""
    page.goto(f"{base}/log/verify")
    page.fill("#code", code)
    page.fill("#promise", promise)
    page.click("main button.main")
    box = page.locator("main").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 360
    return page.locator("[data-verdict]").get_attribute("data-verdict") or ""


def work(app: Flask) -> None:
    assert app.test_cli_runner().invoke(args=["worker", "--once"]).exit_code == 0


def test_an_opinion_its_case_and_its_receipt_deleted_by_hand_and_the_paper_accuses(
    county: tuple[str, Flask], browser: Browser, hand: Hand
) -> None:
    base, app = county
    page = phone(browser)
    code, promise = paper_of(page, base)
    assert ask(page, base, code, promise) == "pending"
    with app.app_context(), db.transaction() as session:
        for model in (LyingItem, ThreadItem, CaseEvent, Case):
            session.execute(sa.delete(model))
    for _ in range(5):  # Saturday
        hand.forward(days=1)
        work(app)
    assert ask(page, base, code, promise) == "missing"
    told = page.inner_text("[data-verdict]")
    friday = dt.date(2026, 11, 27)
    assert f"{friday.year}年{friday.month}月{friday.day}日" in told
    assert "监督组" in told
    assert app.config["YANLU"].county_phone in told
    assert ask(page, base, "", promise) == "missing"
    assert ask(page, base, code, "") == "unknown"
    assert page.context.cookies() == []


def test_an_opinion_deleted_after_its_leaf_was_logged_is_still_proven_by_the_paper(
    county: tuple[str, Flask], browser: Browser, hand: Hand
) -> None:
    base, app = county
    page = phone(browser)
    code, promise = paper_of(page, base)
    hand.forward(days=4)  # Friday
    work(app)
    assert ask(page, base, code, promise) == "included"
    with app.app_context(), db.transaction() as session:
        for model in (CaseEvent, ThreadItem, Case):
            session.execute(sa.delete(model))
    assert ask(page, base, code, promise) == "included"
    assert page.locator("[data-gone]").is_visible()
    assert crypto.parse_code(code) not in page.content()
