"""The board: no branch is missing, the worst come first, and nothing of it tells what lies shut."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event

from app import db
from app.campaigns.models import ActionKind, Campaign
from app.cases import service as cases
from app.organisation import contacts
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.sealing.models import BoxKey
from app.staff.models import Role
from app.staff.rights import Actor
from app.submissions import service as submissions
from app.supervision import board as boards
from app.supervision.asked import Asked, Cursor, Show, Sort
from app.supervision.board import Board, Row
from config import Config
from tests.campaigns.conftest import Drive, counted, desk_of
from tests.conftest import Hand
from tests.factories import drop_ticket, make_box, make_group, opinion, pen_of

ALL = Asked()


def board(drive: Drive, asked: Asked = ALL, who: Actor | None = None) -> Board:
    with drive.app.app_context(), db.reading() as session:
        campaign = session.get(Campaign, drive.campaign_id)
        return boards.board(session, who or drive.office, campaign, asked, drive.clock.today())


def names(found: Board) -> list[str]:
    return [row.slug for row in found.rows]


def row_of(drive: Drive, slug: str) -> Row:
    return next(row for row in board(drive).rows if row.slug == slug)


def more(drive: Drive, *slugs: str, kept: bool = True) -> None:
    """Further branches of the same unit."""
    with drive.writing() as session:
        for slug in slugs:
            make_box(session, slug, drive.clock, kept=kept)
        drive.recount(session)


def test_closed_boxes_come_first_of_all_then_those_with_nothing(drive: Drive, hand: Hand) -> None:
    more(drive, "closed-1", "closed-2", kept=False)
    drive.opened("路灯坏了")
    hand.forward(days=30)
    _, late = drive.opened("桥坏了", box=drive.there)
    hand.forward(days=30)
    with drive.writing() as session:
        drive.recount(session)
        cases.accept(session, drive.case(session, late), drive.clock.today())
    more(drive, "idle")
    assert names(board(drive))[:3] == ["closed-1", "closed-2", "idle"]
    assert set(names(board(drive))[3:]) == {"longtan", "shiqiao"}
    assert not row_of(drive, "closed-1").open
    assert row_of(drive, "idle").nothing
    assert row_of(drive, "longtan").overdue == 1
    assert not row_of(drive, "longtan").nothing


def test_no_branch_is_missing_however_it_is_sorted_and_paged(drive: Drive) -> None:
    more(drive, *(f"b{n}" for n in range(7)))
    with drive.writing() as session:  # two of one name: the id decides
        session.execute(sa.update(Unit).where(Unit.slug.in_(["b1", "b2"])).values(name="一样"))
    drive.record(ActionKind.BRANCH_MEETING, 1)
    with drive.writing() as session:
        drive.recount(session)
    for sort in Sort:
        seen: list[str] = []
        asked = Asked(sort=sort, most=2)
        assert board(drive, asked).total == 9
        while True:
            page = board(drive, asked)
            seen += names(page)
            if page.next is None:
                break
            asked = replace(asked, after=Cursor.read(str(page.next)))
            assert asked.after is not None
        assert sorted(seen) == sorted(["longtan", "shiqiao", *(f"b{n}" for n in range(7))]), sort
        assert page.units == ()  # the picture stands above the first page alone


@pytest.mark.parametrize("text", ["", "1", "x.y", "1.", "99999999999999999999.a", "−1.a"])
def test_an_address_that_names_no_place_begins_at_the_first_page(text: str) -> None:
    found = Cursor.read(text)
    assert found is None or found.weight == 1


def test_each_filter_shows_what_its_word_says(drive: Drive) -> None:
    more(drive, "shut", kept=False)
    drive.record(ActionKind.BRANCH_MEETING, 1)
    with drive.writing() as session:
        drive.recount(session)
    expected = {
        Show.ALL: {"longtan", "shiqiao", "shut"},
        Show.CLOSED: {"shut"},
        Show.NOTHING: {"shiqiao", "shut"},
        Show.OVERDUE: {"longtan", "shiqiao", "shut"},  # the first stage is over
        Show.UNMET: {"longtan", "shiqiao", "shut"},
        Show.MET: set(),
    }
    for show, slugs in expected.items():
        assert set(names(board(drive, Asked(show=show)))) == slugs, show
    assert names(board(drive, Asked(q="shiqiao"))) == ["shiqiao"]
    assert names(board(drive, Asked(q="没有这样的"))) == []


def test_a_leaders_contact_points_can_be_looked_at_alone(drive: Drive) -> None:
    with drive.writing() as session:
        leader = contacts.named(session, "王建国", "县长")
        contacts.assign(session, session.get_one(Unit, drive.there.unit_id), leader)
        leader_id = leader.id
    assert names(board(drive, Asked(leader_id=leader_id))) == ["shiqiao"]
    assert row_of(drive, "shiqiao").leader == "王建国"


def test_everybody_sees_their_own_branches_and_no_others(drive: Drive) -> None:
    with drive.writing() as session:
        other = organisation.add_unit(session, slug="bank", name="县银行", kind=UnitKind.UNIT)
        unit = organisation.add_unit(
            session, slug="kasse", name="营业支部", kind=UnitKind.BRANCH, parent=other
        )
        organisation.add_box(session, unit)
        second = make_group(session, "dier", drive.clock, watches="bank")
    theirs = Actor("x", frozenset({(Role.SUPERVISOR, second.unit_id)}))
    assert set(names(board(drive))) == {"longtan", "shiqiao", "kasse"}
    assert set(names(board(drive, who=drive.watcher))) == {"longtan", "shiqiao"}
    assert names(board(drive, who=theirs)) == ["kasse"]
    assert names(board(drive, who=drive.keeper)) == ["longtan"]
    assert names(board(drive, who=Actor("nobody", frozenset()))) == []
    assert board(drive, who=drive.keeper).total == 1


def test_a_branch_that_was_closed_is_asked_for_nothing(drive: Drive) -> None:
    with drive.writing() as session:
        session.get_one(Unit, drive.there.unit_id).closed_on = drive.clock.today()
    assert names(board(drive)) == ["longtan"]


def test_the_picture_shows_of_each_unit_the_worst(drive: Drive) -> None:
    (unit,) = board(drive).units
    assert (unit.branches, unit.closed, unit.nothing, unit.state) == (2, 0, 2, "nothing")
    drive.opened("路灯坏了")
    drive.opened("桥坏了", box=drive.there)
    (unit,) = board(drive).units
    assert unit.state == "late"  # nothing was done of the first stage
    more(drive, "shut", kept=False)
    (unit,) = board(drive).units
    assert (unit.closed, unit.state) == (1, "closed")
    assert unit.required == 36


def test_what_lies_in_a_box_changes_nothing_on_the_board(drive: Drive) -> None:
    before = board(drive)
    with drive.writing() as session:
        ticket = drop_ticket(session, drive.here, drive.clock)
        pen = pen_of(drive.config, drive.clock)
        submissions.drop(session, pen, ticket, opinion(drive.here, "路灯坏了"))
    assert board(drive) == before
    drive.open_boxes()
    assert row_of(drive, "longtan").received == 1


def test_answered_counts_what_was_answered_of_what_was_received_since_it_began(
    drive: Drive, hand: Hand
) -> None:
    hand.forward(days=-60)
    _, old = drive.opened("早先的")
    drive.answer(old)
    hand.forward(days=60)
    _, new = drive.opened("路灯坏了")
    drive.opened("桥坏了")
    drive.answer(new)
    row = row_of(drive, "longtan")
    assert (row.received, row.answered, row.waiting, row.in_hand) == (2, 1, 1, 1)


def test_as_many_queries_for_forty_branches_as_for_two(app: Flask, drive: Drive) -> None:
    with counted(app) as few:
        board(drive)
    more(drive, *(f"b{n}" for n in range(40)))
    drive.record(ActionKind.BRANCH_MEETING, 1)
    with counted(app) as many:
        board(drive)
    assert len(few) == len(many) <= 16


def test_no_board_reads_the_cases_that_are_closed(app: Flask, drive: Drive) -> None:
    """SQLite's own plan for every statement: a million cases cost what a thousand do."""
    if app.extensions["engine"].dialect.name != "sqlite":
        return
    asked: list[tuple[str, tuple[object, ...]]] = []
    engine = app.extensions["engine"]
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    for who in (drive.office, drive.watcher, drive.keeper):
        for sort in Sort:
            board(drive, Asked(sort=sort), who)
        for show in Show:
            board(drive, Asked(show=show, q="shi", unit_id=drive.here.unit_id), who)
    statements = {words: values for words, values in asked if words.startswith("SELECT")}
    with engine.connect() as connection:
        steps = [
            row.detail
            for words, values in statements.items()
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", values)
        ]
    of_cases = {step for step in steps if re.match(r"(SCAN|SEARCH) (case|case_event)\b", step)}
    assert of_cases
    assert all("USING COVERING INDEX ix_case_open" in step for step in of_cases), of_cases
    of_tallies = {step for step in steps if "case_tally" in step}
    assert of_tallies
    assert all("(box_id=? AND opened_on>?" in step for step in of_tallies), of_tallies


def test_the_board_without_a_campaign_is_of_the_boxes_alone(drive: Drive) -> None:
    with drive.app.app_context(), db.reading() as session:
        found = boards.board(session, drive.office, None, ALL, drive.clock.today())
    assert [row.standings for row in found.rows] == [(), ()]


# --- at the desk ----------------------------------------------------------------------------------


def test_the_board_at_the_desk_is_sorted_filtered_and_drilled_into(
    app: Flask, config: Config, drive: Drive
) -> None:
    boss = desk_of(app, config, "boss", (Role.OFFICE, None))
    with drive.writing() as session:
        session.execute(sa.update(BoxKey).values(retired_on=dt.date(2026, 11, 1)).where(
            BoxKey.box_id == drive.there.box_id))  # fmt: skip
    for view in ("", "?lang=en", "?view=large", "?lang=zh-Hant", "?show=closed&sort=name&q=shi",
                 "?unit=office&lang=en", "?all=yes", "?show=nonsense&after=bald",
                 "?show=met&lang=en"):  # fmt: skip
        page = boss.get(f"/desk/board{view}")
        assert page.status_code == 200, view
    shown = boss.get("/desk/board").get_data(as_text=True)
    assert shown.index('data-branch="shiqiao"') < shown.index('data-branch="longtan"')
    assert 'data-unit="office" data-state="closed"' in shown
    for wrong in ("?campaign=" + "0" * 32, "?unit=nowhere", "?leader=" + "0" * 32):
        assert boss.get(f"/desk/board{wrong}").status_code == 404


def test_a_keepers_board_has_no_row_of_another_branch(
    app: Flask, config: Config, drive: Drive
) -> None:
    keeper = desk_of(app, config, "zhao", (Role.KEEPER, drive.here.unit_id))
    for view in ("", "?unit=office", "?q=shiqiao"):
        page = keeper.get(f"/desk/board{view}").get_data(as_text=True)
        assert 'data-branch="shiqiao"' not in page
