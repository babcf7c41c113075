"""What is overdue: reminded, then told to the group, then to the leader; each step once, on working
days, in office hours; numbers and a link and nothing else."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db, worker
from app.campaigns.models import ActionKind, BranchProgress
from app.clock import add_working_days
from app.notifications import leaders, letters, outbox
from app.notifications import service as notifications
from app.notifications.models import Channel, ChannelKind, OutboxRow
from app.organisation import contacts
from app.organisation.models import Unit
from app.supervision import escalation
from app.supervision.escalation import AFTER
from app.supervision.models import Matter, OverdueStep, Step
from tests.campaigns.conftest import FIRST, Drive
from tests.conftest import Hand
from tests.supervision.test_look_back import make_up

STUDY_OVER = add_working_days(FIRST, 1)  # the first working day after the first stage


def channel(drive: Drive, session: Session, unit_id: str) -> str:
    secret = drive.config.secrets.instance_secret
    return notifications.add_channel(
        session, secret, unit_id=unit_id, kind=ChannelKind.EMAIL, name="群",
        target=f"{unit_id[:8]}@example.org",
    ).id  # fmt: skip


@pytest.fixture
def told(drive: Drive) -> dict[str, str]:
    """A channel for the branch, for its group and for the leader; their ids."""
    with drive.writing() as session:
        leader = contacts.named(session, "王建国", "县长")
        contacts.assign(session, session.get_one(Unit, drive.here.unit_id), leader)
        leaders.set_address(
            session, drive.config.secrets.instance_secret, leader_id=leader.id,
            county_id=drive.here.unit_id, name="王建国", address="wang@example.org",
        )  # fmt: skip
        ids = {
            "branch": channel(drive, session, drive.here.unit_id),
            "group": channel(drive, session, drive.group.unit_id),
        }
        ids["leader"] = session.scalars(
            sa.select(Channel.id).where(Channel.leader_id == leader.id)
        ).one()
        return ids


def take(drive: Drive) -> int:
    with drive.writing() as session:
        drive.recount(session)
        return escalation.take(session, drive.clock.now(), drive.clock.today(), "/desk/board")


def messages(drive: Drive) -> list[tuple[str, str | None, dict[str, int]]]:
    with drive.writing() as session:
        rows = session.scalars(sa.select(OutboxRow).order_by(OutboxRow.put_at, OutboxRow.key))
        return [(row.kind, row.channel_id, json.loads(row.values)) for row in rows]


def to(hand: Hand, day: dt.date, hour: int = 10) -> None:
    hand.now = dt.datetime(day.year, day.month, day.day, hour - 8, tzinfo=dt.UTC)


def test_first_the_branch_then_its_group_then_the_leader(
    drive: Drive, hand: Hand, told: dict[str, str]
) -> None:
    to(hand, FIRST)
    assert take(drive) == 0  # its last day isn't over
    for step, who in zip(Step, ("branch", "group", "leader"), strict=True):
        to(hand, add_working_days(FIRST, AFTER[step]))
        before = len(messages(drive))
        assert take(drive) >= 1
        assert take(drive) == 0  # once, however often one looks
        new = messages(drive)[before:]
        mine = [values for kind, channel_id, values in new if channel_id == told[who]]
        assert len(mine) == 1
        assert mine[0]["actions"] >= 2
        hand.forward(days=1)
    to(hand, add_working_days(FIRST, 15))
    with drive.writing() as session:
        steps = session.scalars(
            sa.select(OverdueStep.step).where(OverdueStep.unit_id == drive.here.unit_id)
        ).all()
    assert sorted(steps) == sorted(Step)


def test_nobody_is_passed_over_when_the_worker_was_away(
    drive: Drive, hand: Hand, told: dict[str, str]
) -> None:
    to(hand, add_working_days(FIRST, 10))  # all three would be due at once
    for step in Step:
        take(drive)
        assert messages(drive)[-1][0] == escalation.KINDS[step]
        hand.forward(days=1)


def test_what_was_done_in_time_is_not_chased(
    drive: Drive, hand: Hand, told: dict[str, str]
) -> None:
    to(hand, FIRST)
    drive.record(ActionKind.STUDY, 480, on=FIRST)
    with drive.writing() as session:
        session.execute(sa.delete(BranchProgress))
        drive.recount(session)
    to(hand, STUDY_OVER)
    take(drive)
    (values,) = [v for _, channel_id, v in messages(drive) if channel_id == told["branch"]]
    assert values["actions"] == 1  # opinions alone


def test_a_step_that_reaches_nobody_is_not_taken(drive: Drive, hand: Hand) -> None:
    to(hand, add_working_days(FIRST, 10))
    assert take(drive) == 0
    with drive.writing() as session:
        group = channel(drive, session, drive.group.unit_id)
    assert take(drive) == 2  # both branches, past the reminder that nobody can get
    assert [(kind, who) for kind, who, _ in messages(drive)] == [("overdue_group", group)]
    assert messages(drive)[0][2]["branches"] == 2


def test_late_cases_tasks_and_recourses_are_chased_as_well(
    drive: Drive, hand: Hand, told: dict[str, str]
) -> None:
    hand.forward(days=-60)
    receipt, case_id = drive.opened("路灯坏了")
    drive.answer(case_id)
    drive.act(receipt, "blamed", "支书骂了我")
    drive.opened("桥坏了")
    drive.open_boxes()
    hand.forward(days=60)
    make_up(drive)
    hand.forward(days=30)
    take(drive)
    values = {channel_id: values for _, channel_id, values in messages(drive)}
    assert values[told["branch"]]["cases"] == 1
    assert values[told["branch"]]["tasks"] == 1
    assert values[told["group"]]["recourses"] == 1
    with drive.app.app_context(), db.reading() as session:
        found = escalation.overdue(session, drive.clock.today())
    assert {one.matter for one in found} == set(Matter)


def test_what_lies_in_a_box_moves_no_message(
    drive: Drive, hand: Hand, told: dict[str, str]
) -> None:
    to(hand, STUDY_OVER)
    with drive.app.app_context(), db.reading() as session:
        before = escalation.overdue(session, drive.clock.today())
    receipt, _ = drive.opened("路灯坏了")
    drive.act(receipt, "blamed", "支书骂了我")  # lies until the next opening
    with drive.app.app_context(), db.reading() as session:
        assert escalation.overdue(session, drive.clock.today()) == before


# --- the worker -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "hour", "goes"),
    [
        (STUDY_OVER, 8, False),  # before the office opens
        (STUDY_OVER, 9, True),
        (STUDY_OVER, 17, True),
        (STUDY_OVER, 18, False),  # in the evening
        (dt.date(2026, 11, 28), 10, False),  # a Saturday
        (dt.date(2027, 1, 1), 10, False),  # a holiday
    ],
)
def test_messages_go_out_on_working_days_in_office_hours(
    drive: Drive, hand: Hand, told: dict[str, str], day: dt.date, hour: int, goes: bool
) -> None:
    to(hand, day, hour)
    with drive.app.app_context():
        worker.count_campaigns(drive.clock)
        worker.chase_overdue(drive.config, drive.clock)
        worker.chase_overdue(drive.config, drive.clock)
    assert bool(messages(drive)) is goes


def test_a_message_that_waits_is_held_over_night_and_others_are_not(
    drive: Drive, hand: Hand, told: dict[str, str]
) -> None:
    to(hand, STUDY_OVER)
    take(drive)
    with drive.writing() as session:
        mine = session.get_one(Channel, told["branch"])
        notifications.put_test(session, mine, drive.clock.now())
        held = tuple(escalation.KINDS.values())
        row = outbox.claim(session, drive.clock.now(), held=held)
        assert row is not None
        assert row.kind == "test"
        assert outbox.claim(session, drive.clock.now(), held=held) is None
        assert outbox.claim(session, drive.clock.now()) is not None


def test_every_step_has_its_letter_of_numbers_and_a_link() -> None:
    values: dict[str, str | int] = {matter.value: 3 for matter in Matter}
    for kind in escalation.KINDS.values():
        subject, text = letters.written(kind, {**values, "branches": 2, "link": "/desk/board"})
        assert "言路" in subject
        assert text.count("   3") == len(Matter)
        assert text.endswith("/desk/board\n")


def test_a_leader_gets_no_digest_and_no_desk_sees_their_address(
    drive: Drive, told: dict[str, str]
) -> None:
    with drive.writing() as session:
        shown = notifications.channels(session, [drive.here.unit_id])
        notifications.put_digests(
            session, drive.clock.now(), drive.clock.today(), "/", lambda _units: {}
        )
        found = session.get_one(Channel, told["leader"])
        assert b"wang" not in found.sealed_target
    assert [row.id for row in shown] == [told["branch"]]
    assert told["leader"] not in {channel_id for _, channel_id, _ in messages(drive)}
