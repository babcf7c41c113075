"""Done over due: where the denominators come from, what is recorded, what a correction leaves."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.bulletins import service as bulletins
from app.bulletins.models import Audience
from app.bulletins.service import Writer
from app.campaigns import figures, progress, recording, service
from app.campaigns.models import (
    ActionKind,
    Attendance,
    Basis,
    BranchProgress,
    CampaignState,
    Change,
    Record,
    Route,
)
from app.campaigns.recording import Deed
from app.campaigns.service import PlannedStage
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.organisation.models import Member, Unit
from app.staff.models import Role, Staff
from app.staff.rights import Actor
from app.supervision import measure
from config import Config
from tests.bulletins.test_bulletins import TEXT
from tests.campaigns.conftest import FIRST, PLAN, STARTS, Drive, counted, desk_of, planned
from tests.conftest import Hand

K = ActionKind


# --- where the number due comes from --------------------------------------------------------------


def test_what_is_due_comes_from_the_roll_the_county_or_the_branch(drive: Drive) -> None:
    talks, meeting = drive.standing(K.TALK_PUBLIC), drive.standing(K.BRANCH_MEETING)
    leaders = drive.standing(K.TALK_LEADERS)
    assert (talks.due, talks.basis) == (6, Basis.ROLL)  # two for each of three
    assert (meeting.due, meeting.basis) == (1, Basis.FIXED)
    assert leaders.due is None
    assert not leaders.met  # nobody said yet how many leaders there are
    with drive.writing() as session:
        gone = session.get_one(Member, drive.member(session, "丙"))
        gone.left_on = drive.clock.today()
    assert drive.standing(K.TALK_PUBLIC).due == 4


def state(drive: Drive, kind: ActionKind, due: int, reason: str, who: Actor | None = None) -> None:
    with drive.writing() as session:
        recording.state_due(
            session,
            who or drive.keeper,
            drive.campaign(session),
            drive.action(session, kind),
            session.get_one(Unit, drive.here.unit_id),
            due,
            reason,
            drive.clock.now(),
        )


def test_a_number_set_by_hand_says_why_and_by_whom(drive: Drive) -> None:
    with pytest.raises(Invalid):
        state(drive, K.TALK_LEADERS, 3, "  ")
    with pytest.raises(Invalid):
        state(drive, K.TALK_LEADERS, -1, "少了")
    state(drive, K.TALK_LEADERS, 3, "三个支委，两两谈")
    state(drive, K.TALK_LEADERS, 3, "三个支委，两两谈")  # the same again is no change
    state(drive, K.TALK_LEADERS, 0, "没有班子")
    line = drive.standing(K.TALK_LEADERS)
    assert (line.due, line.reason, line.met) == (0, "没有班子", True)
    with drive.writing() as session:
        columns = (Change.before, Change.after, Change.staff_id)
        changes = session.execute(sa.select(*columns).order_by(Change.before)).all()
    assert changes == [
        ("", "3 · 三个支委，两两谈", "keeper-1"),
        ("3 · 三个支委，两两谈", "0 · 没有班子", "keeper-1"),
    ]


def test_study_is_counted_for_each_member_and_not_by_an_average(drive: Drive) -> None:
    drive.record(K.STUDY, 20 * 60, absent=["丙"])  # hours enough for three, were they shared
    assert (drive.standing(K.STUDY).done, drive.standing(K.STUDY).due) == (2, 3)
    drive.record(K.STUDY, 8 * 60 - 30, absent=["甲", "乙"])
    assert drive.standing(K.STUDY).done == 2
    drive.record(K.STUDY, 30, absent=["甲", "乙"])
    assert drive.standing(K.STUDY).met
    with pytest.raises(Invalid):
        drive.record(K.STUDY, 60, absent=["甲", "乙", "丙"])
    with drive.writing() as session:
        kept = recording.study_of(session, drive.campaign(session), drive.here.unit_id)
        assert kept[drive.member(session, "丙")] == 8 * 60
        session.get_one(Member, drive.member(session, "甲")).left_on = drive.clock.today()
    assert drive.standing(K.STUDY).done == 2  # whoever left counts neither above nor below


def test_opinions_heard_elsewhere_come_on_top_of_what_the_boxes_gave(drive: Drive) -> None:
    drive.record(K.OPINIONS, 4, route=Route.VISIT)
    drive.record(K.OPINIONS, 2, route=Route.VISIT)
    drive.record(K.OPINIONS, 3, route=Route.FORUM)
    drive.opened("路灯坏了")
    line = drive.standing(K.OPINIONS)
    assert (line.done, line.measured, line.due) == (10, 1, 10)
    assert dict(line.routes) == {Route.VISIT: 6, Route.FORUM: 3}
    for route in (None, Route.TALK):
        kind = K.OPINIONS if route is None else K.TALK_MEMBERS
        with pytest.raises(Invalid):
            drive.record(kind, 1, route=route)


def test_a_bulletin_counts_by_being_published_and_not_after_it_was_withdrawn(drive: Drive) -> None:
    writer = Writer("keeper-1", drive.keeper.roles)
    with drive.writing() as session:
        today = drive.clock.today()
        made = bulletins.draft(session, writer, drive.here.unit_id, Audience.BRANCH, TEXT, today).id
    assert drive.standing(K.BULLETIN).done == 0
    with drive.writing() as session:
        other = Writer("keeper-2", drive.keeper.roles)
        bulletins.publish(session, other, bulletins.get(session, other, made), today)
    assert drive.standing(K.BULLETIN).met
    with drive.writing() as session:
        bulletins.withdraw(session, bulletins.get(session, other, made), "抄错了", today)
    assert drive.standing(K.BULLETIN).done == 0


def test_a_stage_that_ends_on_a_day_off_ends_on_the_next_working_day(drive: Drive) -> None:
    with drive.writing() as session:
        campaign = drive.campaign(session)
        days = (dt.date(2026, 10, 17), FIRST, FIRST)  # a Saturday
        stages = tuple(PlannedStage(str(n), on) for n, on in enumerate(days))
        service.rewrite(session, campaign, dataclasses.replace(PLAN, stages=stages))
    line = drive.standing(K.STUDY)
    assert line.action.last_day == dt.date(2026, 10, 19)
    assert not line.late(dt.date(2026, 10, 19))
    assert line.late(dt.date(2026, 10, 20))


# --- records --------------------------------------------------------------------------------------


def correct(drive: Drive, record_id: str, deed: Deed, reason: str = "写错了") -> None:
    with drive.writing() as session:
        campaign, unit = drive.campaign(session), session.get_one(Unit, drive.here.unit_id)
        found = recording.record_of(session, campaign, unit, record_id)
        now, today = drive.clock.now(), drive.clock.today()
        recording.correct(session, drive.keeper, campaign, unit, found, deed, reason, now, today)


def test_a_correction_keeps_who_when_before_and_after(drive: Drive, hand: Hand) -> None:
    made = drive.record(K.TALK_MEMBERS, 5, evidence="谈心登记表")
    hand.forward(hours=2)
    with pytest.raises(Invalid):
        correct(drive, made, Deed(4, FIRST, "谈心登记表"), " ")
    correct(drive, made, Deed(4, FIRST, "谈心登记表"))
    correct(drive, made, Deed(4, FIRST, "谈心登记表"))  # nothing to correct
    assert drive.standing(K.TALK_MEMBERS).done == 4
    correct(drive, made, Deed(0, FIRST), "记重了")
    assert drive.standing(K.TALK_MEMBERS).done == 0
    with drive.writing() as session:
        unit = drive.here.unit_id
        told = recording.corrections(session, drive.campaign(session), unit)
        assert session.get_one(Record, made).amount == 0  # kept, at nothing
    assert {(change.before, change.after, change.reason) for change in told} == {
        ("5 · 2026-11-20 · 谈心登记表", "4 · 2026-11-20 · 谈心登记表", "写错了"),
        ("4 · 2026-11-20 · 谈心登记表", "0 · 2026-11-20", "记重了"),
    }
    assert {change.at for change in told} == {hand.now}


@pytest.mark.parametrize(
    ("amount", "on"),
    [
        (-1, FIRST),
        (recording.MOST_AT_ONCE + 1, FIRST),
        (1, STARTS - dt.timedelta(days=1)),
        (1, dt.date(2026, 11, 24)),  # tomorrow
    ],
)
def test_what_can_not_be_is_not_recorded(drive: Drive, amount: int, on: dt.date) -> None:
    with pytest.raises(Invalid):
        drive.record(K.TALK_MEMBERS, amount, on=on)


def test_only_the_branch_and_the_office_record_and_only_while_it_runs(drive: Drive) -> None:
    other = Actor("keeper-2", frozenset({(Role.KEEPER, drive.there.unit_id)}))
    for stranger in (other, drive.watcher, Actor("nobody", frozenset())):
        with pytest.raises(Forbidden):
            drive.record(K.TALK_MEMBERS, 1, who=stranger)
        with pytest.raises(Forbidden):
            state(drive, K.TALK_LEADERS, 1, "为什么", who=stranger)
    drive.record(K.TALK_MEMBERS, 1, who=drive.office)
    with drive.writing() as session:
        service.close(session, drive.campaign(session))
    with pytest.raises(Conflict):
        drive.record(K.TALK_MEMBERS, 1)


def test_what_the_board_is_sorted_by_is_what_is_counted(drive: Drive) -> None:
    drive.record(K.BRANCH_MEETING, 1)
    drive.record(K.TALK_MEMBERS, 1)
    with drive.writing() as session:
        drive.recount(session)
        key = (drive.campaign_id, drive.here.unit_id)
        row = session.get_one(BranchProgress, key)
        assert (row.begun, row.met, row.required, row.late) == (2, 1, 12, 2)


def test_however_many_branches_are_counted_with_as_many_queries(app: Flask, drive: Drive) -> None:
    def ask(units: list[str]) -> int:
        with app.app_context(), db.reading() as session, counted(app) as said:
            campaign = service.get(session, drive.campaign_id)
            measured = measure.measured(session, campaign, units)
            assert len(figures.of(session, campaign, units, measured)) == 12
        return len(said)

    assert ask([drive.here.unit_id]) == ask([drive.here.unit_id, drive.there.unit_id])


# --- campaigns ------------------------------------------------------------------------------------


def test_a_plan_that_can_not_be_is_refused_with_its_field(drive: Drive) -> None:
    late = dataclasses.replace(PLAN, stages=PLAN.stages[::-1])
    bad = {
        "name": dataclasses.replace(PLAN, name=""),
        "ends_on": dataclasses.replace(PLAN, ends_on=STARTS - dt.timedelta(days=1)),
        "stage-name-1": dataclasses.replace(PLAN, stages=()),
        "stage-due-1": late,
        "use": dataclasses.replace(PLAN, actions=()),
        "amount": planned(K.STUDY, amount=0),
        "stage": dataclasses.replace(PLAN, stages=PLAN.stages[:1]),
    }
    for field, plan in bad.items():
        with drive.writing() as session, pytest.raises(Invalid) as refused:
            service.draft(session, plan)
        assert refused.value.field == field


def test_what_branches_record_for_does_not_change_under_them(drive: Drive) -> None:
    drive.record(K.TALK_MEMBERS, 1)
    with drive.writing() as session:
        service.rewrite(session, drive.campaign(session), planned(K.BULLETIN))
    with drive.writing() as session:
        assert len(progress.required(session, drive.campaign_id)) == 12
        campaign = drive.campaign(session)
        for step in (service.start, service.discard):
            with pytest.raises(Conflict):
                step(session, campaign)
        short = dataclasses.replace(planned(K.STUDY), stages=PLAN.stages[:1])
        with pytest.raises(Conflict):
            service.rewrite(session, campaign, short)
        service.close(session, campaign)
        with pytest.raises(Conflict):
            service.rewrite(session, campaign, PLAN)
        with pytest.raises(Conflict):
            service.close(session, campaign)


def test_a_campaign_that_a_colleague_changed_is_not_started(drive: Drive) -> None:
    with drive.writing() as session:
        made = service.draft(session, PLAN)
        seen = made.version
        service.rewrite(session, made, planned(K.STUDY))
        session.flush()
        with pytest.raises(Conflict):
            service.get(session, made.id, seen)
        service.start(session, service.get(session, made.id, made.version))
        assert made.state is CampaignState.RUNNING


# --- at the desk ----------------------------------------------------------------------------------


def test_the_office_sets_a_campaign_up_and_starts_it(
    app: Flask, config: Config, drive: Drive
) -> None:
    boss = desk_of(app, config, "boss", (Role.OFFICE, None))
    page = boss.get("/desk/campaigns/new").get_data(as_text=True)
    assert boss.get("/desk/campaigns/new?lang=en").status_code == 200
    form: dict[str, str | list[str]] = {
        "csrf_token": token(page), "name": "第二批", "starts_on": "2026-11-23",
        "ends_on": "2026-12-31", "stage-name-1": "学", "stage-due-1": "2026-12-04",
        "use": ["study", "bulletin"], "stage-study": "1", "basis-study": "roll",
        "amount-study": "4", "stage-bulletin": "1", "basis-bulletin": "fixed",
        "amount-bulletin": "1",
    }  # fmt: skip
    wrong: list[dict[str, str | list[str]]] = [
        {"name": " "}, {"ends_on": "x"}, {"stage-due-1": ""}, {"amount-study": "many"},
        {"basis-study": "guess"}, {"stage-study": "4"}, {"use": []},
    ]  # fmt: skip
    for bad in wrong:
        refused = boss.post("/desk/campaigns", data=form | bad)
        assert refused.status_code == 422
        assert "第二批" in refused.get_data(as_text=True) or "name" in bad
    address = boss.post("/desk/campaigns", data=form).headers["Location"]
    page = boss.get(address).get_data(as_text=True)
    keeper = desk_of(app, config, "zhao", (Role.KEEPER, drive.here.unit_id))
    assert "第二批" not in keeper.get("/desk/campaigns").get_data(as_text=True)
    assert keeper.get(address).status_code == 403
    assert keeper.get(f"{address}/branches/longtan").status_code == 404
    hidden = {"csrf_token": token(page), "version": version(page)}
    changed = boss.post(f"{address}/save", data=form | hidden | {"name": "第二批学习"})
    assert changed.status_code == 303
    assert boss.post(f"{address}/start", data=hidden).status_code == 409
    hidden["version"] = version(boss.get(address).get_data(as_text=True))
    assert boss.post(f"{address}/start", data=hidden).status_code == 303
    assert "第二批学习" in keeper.get("/desk/campaigns?lang=en").get_data(as_text=True)
    assert boss.get(f"{address}/edit?lang=en").status_code == 200
    assert boss.get(f"{address}?lang=en").status_code == 200
    late = boss.post(f"{address}/save", data=form | hidden)
    assert late.status_code == 409


def token(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def version(page: str) -> str:
    return page.split('name="version" value="')[1].split('"')[0]


def test_a_keeper_records_in_a_tap_and_another_branch_is_refused(
    app: Flask, config: Config, drive: Drive
) -> None:
    keeper = desk_of(app, config, "zhao", (Role.KEEPER, drive.here.unit_id))
    address = f"/desk/campaigns/{drive.campaign_id}/branches"
    page = keeper.get(f"{address}/longtan").get_data(as_text=True)
    with drive.writing() as session:
        talk = drive.action(session, K.TALK_MEMBERS).id
        study = drive.action(session, K.STUDY).id
        absent = drive.member(session, "乙")
    tap = {"csrf_token": token(page), "action": talk, "amount": "1", "happened_on": "2026-11-23"}
    answer = keeper.post(f"{address}/longtan/record", data=tap)
    assert answer.status_code == 303
    assert "记上了：党员之间谈心" in keeper.get(answer.headers["Location"]).get_data(as_text=True)
    hours = tap | {"action": study, "amount": "1.5", "absent": [absent], "evidence": "签到表"}
    assert keeper.post(f"{address}/longtan/record", data=hours).status_code == 303
    with drive.writing() as session:
        rows = session.scalars(sa.select(Record).order_by(Record.amount)).all()
        assert [row.amount for row in rows] == [1, 90]
        made = rows[0].id
        assert session.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 2
        who = session.get_one(Staff, rows[0].recorded_by).username
    assert who == "zhao"
    for bad in ({"amount": "0"}, {"amount": "1.3"}, {"happened_on": "gestern"}, {"amount": "x"}):
        refused = keeper.post(f"{address}/longtan/record", data=hours | bad)
        assert refused.status_code == 422
        assert "签到表" in refused.get_data(as_text=True)
    due = {"csrf_token": token(page), "action": talk, "due": "9", "reason": "三个人互相谈"}
    assert keeper.post(f"{address}/longtan/due", data=due).status_code == 303
    fix = {"csrf_token": token(page), "amount": "2", "happened_on": "2026-11-22", "reason": "错"}
    assert keeper.post(f"{address}/longtan/records/{made}/correct", data=fix).status_code == 303
    for view in ("", "?lang=en", "?view=large", "?lang=zh-Hant"):
        assert keeper.get(f"{address}/longtan{view}").status_code == 200
    # Another unit's ids are refused, in the address and in the form.
    for path, data in (("record", tap), ("due", due), (f"records/{made}/correct", fix)):
        assert keeper.post(f"{address}/shiqiao/{path}", data=data).status_code == 403
    assert keeper.get(f"{address}/shiqiao").status_code == 403
    stranger = desk_of(app, config, "qian", (Role.KEEPER, drive.there.unit_id))
    own = fix | {"csrf_token": token(stranger.get(f"{address}/shiqiao").get_data(as_text=True))}
    foreign = stranger.post(f"{address}/shiqiao/records/{made}/correct", data=own)
    assert foreign.status_code == 404
    forged = own | {"action": "0" * 32, "amount": "1"}
    assert stranger.post(f"{address}/shiqiao/record", data=forged).status_code == 404


def test_the_group_reads_a_branchs_records_and_can_not_write_them(
    app: Flask, config: Config, drive: Drive
) -> None:
    drive.record(K.TALK_MEMBERS, 2, evidence="登记表第三页")
    group = desk_of(app, config, "sun", (Role.SUPERVISOR, drive.group.unit_id))
    address = f"/desk/campaigns/{drive.campaign_id}/branches/longtan"
    page = group.get(address).get_data(as_text=True)
    assert "登记表第三页" in page
    assert "/record" not in page
    forged = {"csrf_token": token(group.get("/desk/account").get_data(as_text=True))}
    with drive.writing() as session:
        forged["action"] = drive.action(session, K.TALK_MEMBERS).id
    assert group.post(f"{address}/record", data=forged | {"amount": "1"}).status_code == 403


def test_what_is_not_there_is_told_and_raises(drive: Drive) -> None:
    with drive.writing() as session:
        for ask in (
            lambda: service.get(session, "0" * 32),
            lambda: recording.action_of(session, drive.campaign(session), "0" * 32),
            lambda: recording.record_of(
                session, drive.campaign(session), session.get_one(Unit, drive.here.unit_id), "0"
            ),
        ):
            with pytest.raises(NotFound):
                ask()
