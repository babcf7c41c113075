"""A number to call stands in sight; where there is none, nobody is sent to one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from flask import Flask

from config import DEMO_ACCOUNTS, DEMO_PHONE, Config
from tests.conftest import PHONE
from tests.inspecting_client import elements
from tests.submissions.conftest import Speaker, box, speaker

__all__ = ["box", "speaker"]  # fixtures

PAGES = ["/", "/help", "/box/longtan", "/box/closed", "/units/closed", "/receipt", "/nowhere"]


@pytest.fixture
def without(app: Flask, config: Config) -> None:
    """The same county before anybody wrote its number into the settings."""
    app.config["YANLU"] = dataclasses.replace(config, county_phone="")


def numbers(visitor: Speaker, address: str) -> set[str]:
    links = [a.get("href") or "" for a in elements(visitor.get(address).tree, "a")]
    return {link for link in links if link.startswith("tel:")}


@pytest.mark.parametrize("view", ["", "?view=large"])
def test_every_page_has_the_number_in_sight(speaker: Speaker, view: str) -> None:
    for address in PAGES:
        assert numbers(speaker, address + view) == {f"tel:{PHONE}"}, address


@pytest.mark.usefixtures("without")
@pytest.mark.parametrize("view", ["", "?view=large"])
def test_without_a_number_no_page_says_to_call_one(speaker: Speaker, view: str) -> None:
    for address in PAGES:
        page = speaker.get(address + view)
        assert "tel:" not in page.html, address
        assert "请打 <" not in page.html, address
    assert "tel:" not in speaker.drop().html
    assert "tel:" not in speaker.thread(speaker.code()).html


@pytest.mark.parametrize("given", ["", DEMO_PHONE, f" {DEMO_PHONE} "])
def test_the_invented_number_stands_in_a_demo_and_nowhere_else(tmp_path: Path, given: str) -> None:
    environ = {"DATA_DIR": str(tmp_path), "COUNTY_PHONE": given}
    assert Config.from_environ(environ).county_phone == ""
    assert Config.from_environ({**environ, "COUNTY_PHONE": PHONE}).county_phone == PHONE
    (tmp_path / DEMO_ACCOUNTS).write_text("[]")
    assert Config.from_environ(environ).county_phone == DEMO_PHONE
    assert Config.from_environ({**environ, "COUNTY_PHONE": PHONE}).county_phone == PHONE


def test_the_settings_to_copy_name_no_number() -> None:
    """Who copies the file and forgets this line sends nobody to a number that isn't."""
    settings = Path(__file__).parent.parent / "deploy" / "yanlu.env"
    lines = settings.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("COUNTY_PHONE")] == ["COUNTY_PHONE="]
