"""The opening: when, what comes out, what stays, and what it must not tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app import crypto, db
from app.cases import opening, record, thread
from app.cases.models import Case, CaseEvent, ItemKind, Rating, ThreadItem
from app.cases.workflow import Move, State
from app.clock import Clock
from app.errors import Invalid
from app.sealing import service as sealing
from app.sealing.models import OpeningKey, SealedItem
from app.submissions import service as submissions
from app.submissions.models import LyingItem, SpeakerGroup, SpeakerTally
from app.submissions.service import Receipt, StaleTicketError
from app.transparency.models import PendingLeaf
from config import Config
from tests.conftest import Hand
from tests.factories import (
    BoxInHand,
    case_of,
    drop,
    drop_ticket,
    make_box,
    opinion,
    pen_of,
    thread_ticket,
)


@pytest.fixture
def clock(app: Flask) -> Clock:
    made: Clock = app.extensions["clock"]
    return made


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    with app.app_context(), db.transaction() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def box(session: Session, clock: Clock) -> BoxInHand:
    return make_box(session, "longtan", clock)


def open_at(session: Session, config: Config, clock: Clock, *, now: bool = False) -> int | None:
    opened = opening.open_boxes(session, config, clock.local(), now=now)
    return None if opened is None else opened.drops


def count(session: Session, model: type) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_a_box_with_fewer_than_k_stays_shut_until_friday(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    receipts = [drop(session, config, clock, box, f"意见{n}") for n in range(2)]
    hand.forward(days=1)  # Tuesday
    assert open_at(session, config, clock) == 0
    assert count(session, Case) == 0
    assert count(session, LyingItem) == 2
    page = thread.open_thread(session, pen_of(config, clock), receipts[0].keys)
    assert page is not None
    assert page.state is State.LYING
    hand.forward(days=3)  # Friday
    assert open_at(session, config, clock) == 2
    assert count(session, Case) == 2
    assert {row.state for row in session.scalars(sa.select(Case))} == {State.WAITING}


def test_a_box_with_k_is_opened_at_its_hour_and_not_before(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    for n in range(3):
        drop(session, config, clock, box, f"意见{n}")
    hand.now = dt.datetime(2026, 11, 23, 23, 59, tzinfo=dt.UTC)  # Tuesday, 7:59 in the county
    assert open_at(session, config, clock) is None
    hand.forward(minutes=1)
    assert open_at(session, config, clock) == 3


def test_an_opening_happens_once_a_day(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    hand.forward(days=1)
    assert open_at(session, config, clock) == 0
    for n in range(3):
        drop(session, config, clock, box, f"意见{n}")
    assert open_at(session, config, clock) is None
    hand.forward(days=1)
    assert open_at(session, config, clock) == 3


def test_now_opens_whatever_lies_there_and_twice_is_safe(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipt = drop(session, config, clock, box)
    assert open_at(session, config, clock, now=True) == 1
    assert open_at(session, config, clock, now=True) == 0
    assert case_of(session, receipt).state is State.WAITING


def test_one_opening_key_at_a_time_and_the_old_one_is_gone(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    before = sealing.opening_key(session).id
    drop(session, config, clock, box)
    hand.forward(days=1)
    open_at(session, config, clock)
    keys = list(session.scalars(sa.select(OpeningKey)))
    assert [key.id for key in keys] != [before]
    assert len(keys) == 1
    # What stays shut is wrapped to the new key.
    assert open_at(session, config, clock, now=True) == 1


def test_a_form_loaded_before_the_opening_is_stale_after_it(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    ticket = drop_ticket(session, box, clock)
    open_at(session, config, clock, now=True)
    with pytest.raises(StaleTicketError):
        submissions.drop(session, pen_of(config, clock), ticket, opinion(box))
    assert count(session, LyingItem) == 0


def test_the_same_form_twice_drops_once_and_gives_one_receipt(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    ticket, pen = drop_ticket(session, box, clock), pen_of(config, clock)
    first = submissions.drop(session, pen, ticket, opinion(box))
    again = submissions.drop(session, pen, ticket, opinion(box))
    other = submissions.drop(session, pen, ticket, opinion(box, "另一件事"))
    assert first == again
    assert other.code != first.code
    assert count(session, LyingItem) == 2


def test_a_collision_of_codes_gives_another_code_and_never_a_fault(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    ticket, pen = drop_ticket(session, box, clock), pen_of(config, clock)
    would_be = submissions.receipt_of(pen, ticket, opinion(box))
    taken = submissions.receipt_of(pen, drop_ticket(session, box, clock), opinion(box, "别人的"))
    session.add(
        LyingItem(
            pool_id=would_be.keys.pool_id,
            wrapped=sealing_row(session, config, box, clock, taken),
        )
    )
    session.flush()
    got = submissions.drop(session, pen, ticket, opinion(box))
    assert got.code != would_be.code
    assert count(session, LyingItem) == 2


def sealing_row(
    session: Session, config: Config, box: BoxInHand, clock: Clock, taken: Receipt
) -> bytes:
    drop(session, config, clock, box, "占位")
    row = session.scalars(sa.select(LyingItem)).one()
    wrapped = row.wrapped
    session.delete(row)
    session.flush()
    assert taken.code
    return wrapped


def test_every_opened_drop_queues_its_leaf_and_its_event(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipts = [drop(session, config, clock, box, f"意见{n}") for n in range(5)]
    open_at(session, config, clock, now=True)
    leaves = set(session.scalars(sa.select(PendingLeaf.leaf)))
    assert leaves == {crypto.drop_leaf(r.promise.commitment) for r in receipts}
    events = list(session.scalars(sa.select(CaseEvent)))
    assert [(e.move, e.from_state, e.to_state) for e in events] == [
        (Move.OPEN, State.LYING, State.WAITING)
    ] * 5


def test_cases_bear_the_date_of_the_opening_and_nothing_finer(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    receipt = drop(session, config, clock, box)
    hand.forward(days=4)
    open_at(session, config, clock)
    case = case_of(session, receipt)
    assert case.opened_on == case.clock_on == dt.date(2026, 11, 27)
    models: list[type[db.Base]] = [Case, CaseEvent, ThreadItem, SealedItem, LyingItem]
    for model in models:
        for column in model.__table__.columns:
            assert not isinstance(column.type, db.UTCDateTime | sa.DateTime)


def test_a_withdrawn_drop_leaves_its_leaf_alone(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipt = drop(session, config, clock, box)
    pen, ticket = pen_of(config, clock), thread_ticket(session, receipt, clock)
    size = len(session.scalars(sa.select(LyingItem.wrapped)).one())
    thread.withdraw(session, pen, ticket)
    assert [len(w) for w in session.scalars(sa.select(LyingItem.wrapped))] == [size]
    page = thread.open_thread(session, pen, receipt.keys)
    assert page is not None
    assert (page.state, page.messages) == (State.WITHDRAWN, ())
    assert open_at(session, config, clock, now=True) == 0
    assert list(session.scalars(sa.select(PendingLeaf.leaf))) == [
        crypto.drop_leaf(receipt.promise.commitment)
    ]
    assert count(session, SealedItem) == 0


def test_a_burnt_drop_is_opened_like_any_other_and_its_code_opens_nothing(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipt = drop(session, config, clock, box)
    pen, ticket = pen_of(config, clock), thread_ticket(session, receipt, clock)
    thread.burn(session, pen, ticket)
    assert thread.open_thread(session, pen, receipt.keys) is None
    assert count(session, LyingItem) == 2  # the drop elsewhere, a dummy in its place
    assert open_at(session, config, clock, now=True) == 1
    assert thread.open_thread(session, pen, receipt.keys) is None
    case = session.scalars(sa.select(Case)).one()
    assert (case.lookup_id, case.receipt_key) == (None, None)
    assert session.scalars(sa.select(SealedItem.receipt_wrap)).one() is None


def answered(session: Session, config: Config, clock: Clock, box: BoxInHand) -> Receipt:
    receipt = drop(session, config, clock, box)
    open_at(session, config, clock, now=True)
    case = case_of(session, receipt)
    for step in (Move.ACCEPT, Move.DRAFT, Move.APPROVE):
        record.move(session, case, step, clock.today())
    return receipt


def act(
    session: Session, config: Config, clock: Clock, receipt: Receipt, kind: str, value: str = ""
) -> None:
    ticket = thread_ticket(session, receipt, clock)
    thread.act(session, pen_of(config, clock), ticket, kind, value, value or "谢谢")


def test_a_rating_waits_for_the_opening_and_then_moves_the_case(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    receipt = answered(session, config, clock, box)
    act(session, config, clock, receipt, "rate", "satisfied")
    case = case_of(session, receipt)
    assert case.rating is None
    page = thread.open_thread(session, pen_of(config, clock), receipt.keys)
    assert page is not None
    assert page.messages[-1].lying
    assert "rate" not in page.moves
    hand.forward(days=4)
    open_at(session, config, clock)
    assert (str(case.state), str(case.rating)) == (State.CLOSED, Rating.SATISFIED)


def test_dissatisfied_reopens_once_with_a_new_clock_then_closes(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    receipt = answered(session, config, clock, box)
    act(session, config, clock, receipt, "rate", "dissatisfied")
    hand.forward(days=1)
    open_at(session, config, clock, now=True)
    case = case_of(session, receipt)
    assert (case.state, case.clock_on) == (State.REOPENED, clock.today())
    for step in (Move.DRAFT, Move.APPROVE):
        record.move(session, case, step, clock.today())
    act(session, config, clock, receipt, "rate", "dissatisfied")
    open_at(session, config, clock, now=True)
    assert case.state is State.CLOSED


def test_a_reply_to_a_question_gives_the_clock_back_what_it_stood_still(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    receipt = drop(session, config, clock, box)
    open_at(session, config, clock, now=True)  # Monday
    hand.forward(days=2)
    case = case_of(session, receipt)
    record.move(session, case, Move.ASK, clock.today())  # two working days used
    hand.forward(days=5)
    act(session, config, clock, receipt, "reply")
    open_at(session, config, clock, now=True)  # the next Monday
    assert (case.state, case.state_before) == (State.WAITING, None)
    assert case.clock_on == dt.date(2026, 11, 26)


def test_an_act_no_longer_legal_moves_nothing_and_is_kept(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipt = answered(session, config, clock, box)
    act(session, config, clock, receipt, "rate", "basically")
    case = case_of(session, receipt)
    record.move(session, case, Move.SILENCE, clock.today())
    open_at(session, config, clock, now=True)
    assert (case.state, case.rating) == (State.CLOSED, None)
    assert record.thread_items(session, case.id)[-1].kind is ItemKind.RATING


def test_thirty_days_of_silence_end_on_a_friday_alone(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    receipt = answered(session, config, clock, box)
    case = case_of(session, receipt)
    hand.forward(days=31)  # a Thursday
    open_at(session, config, clock)
    assert str(case.state) == State.ANSWERED
    hand.forward(days=1)
    open_at(session, config, clock)
    assert str(case.state) == State.CLOSED


def test_groups_are_tallied_from_k_on_or_when_their_quarter_ends(
    session: Session, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    pen = pen_of(config, clock)
    for n, speaker in enumerate((SpeakerGroup.RETIRED, SpeakerGroup.PUBLIC)):
        submissions.drop(
            session, pen, drop_ticket(session, box, clock), opinion(box, str(n), speaker=speaker)
        )
    open_at(session, config, clock, now=True)
    assert count(session, SpeakerTally) == 0
    assert count(session, LyingItem) == 2  # both groups lie on, wrapped anew
    hand.forward(days=1)
    drop(session, config, clock, box, "第三件")
    open_at(session, config, clock, now=True)
    tallies = {t.speaker: t.count for t in session.scalars(sa.select(SpeakerTally))}
    assert tallies == {
        SpeakerGroup.RETIRED: 1, SpeakerGroup.PUBLIC: 1, SpeakerGroup.UNSAID: 1
    }  # fmt: skip
    assert count(session, LyingItem) == 0
    drop(session, config, clock, box, "第四件")
    open_at(session, config, clock, now=True)
    assert count(session, LyingItem) == 1
    hand.forward(days=45)  # the next quarter
    open_at(session, config, clock, now=True)
    assert count(session, LyingItem) == 0
    assert sum(session.scalars(sa.select(SpeakerTally.count))) == 4


def test_eight_acts_a_week_and_the_ninth_is_told(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipt = answered(session, config, clock, box)
    for _ in range(8):
        act(session, config, clock, receipt, "reply")
    with pytest.raises(Invalid):
        act(session, config, clock, receipt, "reply")


def test_withdrawing_an_opened_case_destroys_its_words_and_keeps_its_leaf(
    session: Session, config: Config, clock: Clock, box: BoxInHand
) -> None:
    receipt = drop(session, config, clock, box)
    open_at(session, config, clock, now=True)
    act(session, config, clock, receipt, "reply")
    pen, ticket = pen_of(config, clock), thread_ticket(session, receipt, clock)
    thread.withdraw(session, pen, ticket)
    assert case_of(session, receipt).state is State.WITHDRAWN
    assert count(session, SealedItem) == count(session, ThreadItem) == 0
    assert count(session, PendingLeaf) == 1
    page = thread.open_thread(session, pen, receipt.keys)
    assert page is not None
    assert (page.state, page.messages) == (State.WITHDRAWN, ())
    open_at(session, config, clock, now=True)
    assert count(session, SealedItem) == 0
