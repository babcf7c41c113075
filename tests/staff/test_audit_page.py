"""What staff did, for the office to read: newest first, and never a speaker's word."""

from __future__ import annotations

import datetime as dt

import pytest

from app.crypto import random_id
from app.db import transaction
from app.staff import audit
from app.staff.audit_views import PAGE
from tests.inspecting_client import find
from tests.staff.people import County, Sheet, Walker


@pytest.fixture
def office(county: County) -> Walker:
    return county.office()


def lines(page: Sheet) -> list[str]:
    return page.marked("data-act")


def test_acts_are_shown_in_words_newest_first(county: County, office: Walker) -> None:
    county.box("longtan")
    county.keeper(office, "li", "longtan")
    shown = lines(office.get("/desk/audit"))
    assert "登录" in shown[0]
    assert "li" in shown[0]
    assert any("邀请" in line and "保管人" in line for line in shown)
    assert "办好账号" in shown[-2]


def test_the_record_is_narrowed_by_person_and_by_act(county: County, office: Walker) -> None:
    county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    li.give_password("not my password")
    by_person = lines(office.get("/desk/audit?person=LI"))
    assert by_person
    assert all("li" in line for line in by_person)
    (refused,) = lines(office.get("/desk/audit?person=li&action=sign_in_refused"))
    assert "密码不对" in refused
    for nothing in ("person=nobody", "action=nothing", "action=%00", "person=%00", "person=%FF"):
        assert lines(office.get(f"/desk/audit?{nothing}")) == []


def test_no_act_is_missed_or_shown_twice_from_page_to_page(county: County, office: Walker) -> None:
    ids = [random_id() for _ in range(2 * PAGE + 3)]
    with county.app.app_context(), transaction() as session:
        for n, act in enumerate(ids):
            # Several in one instant: the place on the page must not hang on the clock alone.
            audit.record(
                session, county.hand.now + dt.timedelta(seconds=n // 7), None, f"act-{act}"
            )
    seen: list[str] = []
    address = "/desk/audit"
    while address:
        page = office.get(address)
        assert len(page.text.encode()) < 60 * 1024
        seen += [line for line in lines(page) if "act-" in line]
        assert page.tree is not None
        following = find(page.tree, "rel", "next")
        address = (following[0].get("href") or "") if following else ""
    found = [line.split("act-")[1].split()[0] for line in seen]
    assert sorted(found) == sorted(ids)


@pytest.mark.parametrize("after", ["", "x", "20261399T000000.000000Z." + "0" * 32, "%00"])
def test_a_forged_place_begins_at_the_start(county: County, office: Walker, after: str) -> None:
    assert lines(office.get(f"/desk/audit?after={after}"))


def test_only_the_office_reads_the_record(county: County, office: Walker) -> None:
    county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    assert li.get("/desk/audit").status == 403


def test_the_record_holds_no_text_of_a_speaker(county: County, office: Walker) -> None:
    box = county.box("longtan")
    li = county.keeper(office, "li", "longtan")
    item = county.say(box, "金丝雀在唱歌")
    assert county.read(li, item)
    assert "金丝雀" not in office.get("/desk/audit").text
