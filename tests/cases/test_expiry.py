"""The end of what was said: from the desk's last message, never from a visit; leaves stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db, worker
from app.cases import expiry, merging, record, service, thread
from app.cases.models import Answer, Case, DeclineReason, ThreadItem
from app.cases.queue import queue
from app.cases.workflow import Move, State
from app.clock import shift_months, use_calendar
from app.sealing.models import KeyWrap, SealedItem
from app.submissions.service import Receipt
from tests.cases.conftest import Scene
from tests.conftest import Hand
from tests.factories import pen_of

FRIDAY = dt.date(2026, 11, 27)
DUE = dt.date(2028, 11, 24)  # the first Friday 24 months after that one's Monday


@pytest.fixture(autouse=True)
def later_years(app: Flask) -> Iterator[None]:
    """The years to which these tests turn the clock, as an operator would tell them."""
    use_calendar({dt.date(year, 1, 1): False for year in range(2027, 2031)})
    yield
    use_calendar({})


def to(hand: Hand, scene: Scene, day: dt.date) -> None:
    """The opening of this day, with the log's run."""
    hand.forward(days=(day - scene.clock.today()).days)
    with scene.app.app_context():
        worker.run_due_log(scene.config, scene.clock, worker.run_opening(scene.config, scene.clock))


def answered(scene: Scene, text: str = "村口的路灯坏了。") -> tuple[Receipt, str]:
    """An opinion that was answered today and is settled as soon as its speaker was silent."""
    receipt, case_id = scene.opened(text)
    scene.answer(case_id)
    with scene.writing() as session:
        record.move(session, scene.case(session, case_id), Move.SILENCE, scene.clock.today())
    return receipt, case_id


def opens(scene: Scene, receipt: Receipt) -> bool:
    with scene.app.app_context(), db.reading() as session:
        pen = pen_of(scene.config, scene.clock)
        return thread.open_thread(session, pen, receipt.keys) is not None


def counted(scene: Scene, model: type[db.Base]) -> int:
    with scene.app.app_context(), db.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def verified(app: Flask) -> str:
    done = app.test_cli_runner().invoke(args=["verify-log"])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_thread_ends_24_months_after_the_desks_last_message_and_keeps_its_leaves(
    scene: Scene, hand: Hand
) -> None:
    receipt, case_id = answered(scene)
    to(hand, scene, FRIDAY)
    before = verified(scene.app)
    to(hand, scene, DUE - dt.timedelta(days=7))
    assert opens(scene, receipt)
    to(hand, scene, DUE)
    assert not opens(scene, receipt)
    for model in (ThreadItem, SealedItem, KeyWrap):
        assert counted(scene, model) == 0
    assert (counted(scene, Case), counted(scene, Answer)) == (1, 1)
    assert verified(scene.app) == before
    page = scene.page(scene.here, case_id)
    assert (page.state, page.content, page.messages) == (State.CLOSED, None, ())
    with scene.app.app_context(), db.reading() as session:
        (row,) = queue(session, scene.here.desk(), DUE, chosen="done").rows
        assert row.excerpt == ""


def test_reading_moves_no_expiry(scene: Scene, hand: Hand) -> None:
    receipt, _ = answered(scene)
    to(hand, scene, FRIDAY)
    for day in (200, 400, 600, 720):
        to(hand, scene, FRIDAY + dt.timedelta(days=day))
        assert opens(scene, receipt)
    to(hand, scene, DUE)
    assert not opens(scene, receipt)


def test_what_the_speaker_wrote_afterwards_is_kept_as_long_again(scene: Scene, hand: Hand) -> None:
    receipt, _ = answered(scene)
    to(hand, scene, FRIDAY)
    to(hand, scene, DUE - dt.timedelta(days=8))
    scene.act(receipt, "reply", "灯又坏了。")
    to(hand, scene, DUE)
    assert opens(scene, receipt)
    to(hand, scene, DUE + dt.timedelta(days=721))
    assert opens(scene, receipt)
    to(hand, scene, dt.date(2030, 11, 29))
    assert not opens(scene, receipt)


@pytest.mark.parametrize("state", [s for s in State if s is not State.LYING])
def test_only_what_is_settled_ends(scene: Scene, hand: Hand, state: State) -> None:
    receipt, case_id = scene.opened("说了一件事。")
    with scene.writing() as session:
        scene.case(session, case_id).state = state
        due = expiry.expire(session, shift_months(scene.clock.today(), 240), 24, scene.secret)
    settled = state in (*expiry.SETTLED, State.WITHDRAWN, State.REMOVED)
    assert (due, opens(scene, receipt)) == ((1, False) if settled else (0, True))


def test_a_merged_thread_ends_only_when_the_one_it_follows_is_settled(
    scene: Scene, hand: Hand
) -> None:
    _, one = scene.opened("路灯坏了。")
    receipt, two = scene.opened("路灯不亮。")
    far = shift_months(scene.clock.today(), 240)
    with scene.writing() as session:
        into, case = scene.case(session, one), scene.case(session, two)
        merging.merge(session, scene.here.desk(), case, into, scene.clock.today())
        assert expiry.expire(session, far, 24, scene.secret) == 0
    scene.answer(one)
    with scene.writing() as session:
        record.move(session, scene.case(session, one), Move.SILENCE, scene.clock.today())
        assert expiry.expire(session, far, 24, scene.secret) == 2
    assert not opens(scene, receipt)


def test_a_thread_that_a_group_still_has_to_look_at_never_ends(scene: Scene, hand: Hand) -> None:
    receipt, _ = answered(scene)
    scene.act(receipt, "blamed", "有人为难我。")
    scene.open_boxes()
    far = shift_months(scene.clock.today(), 240)
    with scene.writing() as session:
        assert expiry.expire(session, far, 24, scene.secret) == 0


@pytest.mark.parametrize("ending", ["withdraw", "burn"])
def test_a_withdrawn_opinion_and_a_burnt_receipt_end_too(
    scene: Scene, hand: Hand, ending: str
) -> None:
    receipt, case_id = scene.opened("说了一件事。")
    today = scene.clock.today()
    if ending == "withdraw":
        scene.withdraw(receipt)
    else:
        with scene.writing() as session:
            case = scene.case(session, case_id)
            case.lookup_id = case.receipt_key = None
            desk = scene.here.desk()
            service.decline(session, desk, case, DeclineReason.NO_FACTS, "没有事实", today)
    with scene.writing() as session:
        assert expiry.expire(session, shift_months(today, 23), 24, scene.secret) == 0
        assert expiry.expire(session, shift_months(today, 24), 24, scene.secret) == 1
        assert expiry.expire(session, shift_months(today, 99), 24, scene.secret) == 0
    assert not opens(scene, receipt)
    assert counted(scene, SealedItem) == 0


def test_a_thread_page_says_until_when_it_is_kept(scene: Scene) -> None:
    receipt, case_id = scene.opened("村口的路灯坏了。")
    assert expiry.kept_until(scene.thread(receipt), 24) is None
    scene.answer(case_id)
    assert expiry.kept_until(scene.thread(receipt), 24) is None
    with scene.writing() as session:
        record.move(session, scene.case(session, case_id), Move.SILENCE, scene.clock.today())
    until = shift_months(scene.clock.today(), 24)
    assert expiry.kept_until(scene.thread(receipt), 24) == until
    scene.act(receipt, "reply", "谢谢。")
    assert expiry.kept_until(scene.thread(receipt), 24) is None
