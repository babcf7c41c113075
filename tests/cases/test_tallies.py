"""What is counted beside the cases is always what counting them anew would say."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.cases import record, referral
from app.cases.models import Case, CaseEvent, CaseTally, Channel, QuarterTally
from app.cases.workflow import Move, State, legal
from app.clock import quarter_of
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.submissions.service import About
from tests.cases.conftest import Scene
from tests.cases.test_passing_on import refer
from tests.conftest import Hand
from tests.factories import BoxInHand, drop

Counted = dict[tuple[str, dt.date], tuple[int, int]]


def counted(scene: Scene) -> Counted:
    """What stands in the tallies; a day of which nothing is left in a box counts for nothing."""
    with scene.app.app_context(), db.reading() as session:
        rows = session.scalars(sa.select(CaseTally)).all()
    return {(row.box_id, row.opened_on): (row.received, row.answered) for row in rows
            if row.received}  # fmt: skip


def counted_anew(scene: Scene) -> Counted:
    """The same from every case and every event there is."""
    with scene.app.app_context(), db.reading() as session:
        cases = session.scalars(sa.select(Case)).all()
        approved = sa.select(CaseEvent.case_id).where(CaseEvent.move == Move.APPROVE)
        told = set(session.scalars(approved))
    received = Counter((case.box_id, case.opened_on) for case in cases)
    answered = Counter((case.box_id, case.opened_on) for case in cases if case.id in told)
    return {key: (number, answered[key]) for key, number in received.items()}


def quarters(scene: Scene) -> dict[tuple[str, str, str, bool], int]:
    """What stands in the tallies of answers and ratings."""
    with scene.app.app_context(), db.reading() as session:
        rows = session.scalars(sa.select(QuarterTally)).all()
    return {(row.quarter, row.box_id, row.move, row.seen): row.number for row in rows}


def quarters_anew(scene: Scene) -> dict[tuple[str, str, str, bool], int]:
    """The same from every event there is."""
    moves = (Move.APPROVE, Move.RATE_CONTENT, Move.RATE_DISSATISFIED)
    query = sa.select(CaseEvent, Case).join(Case, Case.id == CaseEvent.case_id)
    with scene.app.app_context(), db.reading() as session:
        return Counter(
            (quarter_of(event.moved_on), case.box_id, event.move, case.channel is not Channel.WEB)
            for event, case in session.execute(query.where(CaseEvent.move.in_(moves)))
        )


def test_a_drop_counts_once_its_box_is_opened_and_not_before(scene: Scene) -> None:
    scene.opened("路灯坏了")
    before = counted(scene)
    with scene.writing() as session:
        drop(session, scene.config, scene.clock, scene.here, "桥坏了")
    assert counted(scene) == before
    assert list(before.values()) == [(1, 0)]
    scene.open_boxes()  # a second opening of one day adds to the first
    assert list(counted(scene).values()) == [(2, 0)]


def test_a_case_counts_in_the_box_that_it_was_referred_to_on_its_own_day(
    scene: Scene, hand: Hand
) -> None:
    _, case_id = scene.opened("路灯坏了")
    day = scene.clock.today()
    hand.forward(days=3)
    refer(scene, case_id, scene.there, scene.here)
    assert counted(scene) == {(scene.there.box_id, day): (1, 0)}


def test_an_answer_counts_once_however_often_a_case_is_answered(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    scene.act(receipt, "rate", value="dissatisfied")
    scene.open_boxes()
    scene.answer(case_id, "这次真的修好了。")
    assert list(counted(scene).values()) == [(1, 1)]


def test_a_speaker_who_takes_something_back_moves_no_tally(scene: Scene) -> None:
    """Taking back acts at once: a number that moved with it would tell the hour."""
    first, _ = scene.opened("路灯坏了")
    second, _ = scene.opened("桥坏了")
    before = counted(scene), quarters(scene)
    scene.withdraw(first)
    scene.burn(second)
    assert (counted(scene), quarters(scene)) == before
    assert counted(scene) == counted_anew(scene)


def test_a_rating_counts_once_its_box_is_opened_and_not_before(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    before = quarters(scene)
    scene.act(receipt, "rate", value="satisfied")
    assert quarters(scene) == before
    scene.open_boxes()
    rated = ("2026Q4", scene.here.box_id, Move.RATE_CONTENT, False)
    assert quarters(scene) == {**before, rated: 1}


@pytest.mark.schema
def test_an_earlier_versions_cases_are_counted_when_the_tallies_come(
    scene: Scene, hand: Hand
) -> None:
    receipt, answered = scene.opened("路灯坏了")
    scene.answer(answered)
    scene.act(receipt, "rate", value="dissatisfied")
    hand.forward(days=1)
    _, case_id = scene.opened("桥坏了")
    scene.answer(answered, "这次真的修好了。")
    refer(scene, case_id, scene.there, scene.here)
    with scene.writing() as session:
        scene.case(session, answered).channel = Channel.PAPER
    scene.act(receipt, "rate", value="satisfied")
    hand.forward(days=60)  # into the next quarter, another year
    scene.open_boxes()
    before = counted(scene)
    with scene.app.app_context():
        db.downgrade("0017")
        db.upgrade()
    assert counted(scene) == before == counted_anew(scene)
    assert quarters(scene) == quarters_anew(scene)
    assert len(quarters(scene)) == 3
    assert sorted(before.values()) == [(1, 0), (1, 1)]


@pytest.mark.parametrize("seed", range(2))
def test_after_any_openings_and_moves_the_tallies_equal_a_fresh_count(
    scene: Scene, hand: Hand, seed: int
) -> None:
    dice = random.Random(seed)
    boxes = {box.box_id: box for box in (scene.here, scene.there, scene.group)}
    moved: Counter[Move] = Counter()
    for _ in range(6):
        hand.forward(days=dice.choice((0, 1, 2, 30)))
        moved += stir(scene, boxes, dice, drops=2 + dice.randrange(3), most=4)
        assert counted(scene) == counted_anew(scene)
        assert quarters(scene) == quarters_anew(scene)
    assert moved[Move.APPROVE]
    assert moved[Move.REFER]


def stir(
    scene: Scene, boxes: dict[str, BoxInHand], dice: random.Random, *, drops: int, most: int
) -> Counter[Move]:
    """So many drops into any boxes, an opening, and on each case at most so many moves."""
    with scene.writing() as session:
        for box in dice.choices(list(boxes.values()), k=drops):
            drop(session, scene.config, scene.clock, box)
    scene.open_boxes()
    with scene.writing() as session:
        return Counter(
            any_move(scene, session, case, boxes, dice)
            for case in session.scalars(sa.select(Case).order_by(Case.id)).all()
            for _ in range(dice.randrange(most + 1))
        )


def any_move(
    scene: Scene,
    session: Session,
    case: Case,
    boxes: dict[str, BoxInHand],
    dice: random.Random,
) -> Move:
    """Anything that the table allows, by the ways that the services go."""
    likely = (Move.ACCEPT, Move.DRAFT, Move.APPROVE, Move.RATE_DISSATISFIED, Move.REFER)
    step = dice.choice([move for move in (*Move, *likely * 4) if legal(case.state, move)] or [None])
    today = scene.clock.today()
    if step is Move.REFER:
        here = boxes[case.box_id]
        away = [box for box in boxes.values() if box is not here]
        to = scene.group if case.referrals and here is not scene.group else dice.choice(away)
        branch = organisation.named(session, to.slug)
        assert isinstance(branch, Branch)
        about = About.COLLECTIVE
        referral.refer(session, here.desk(), case, branch, "归他们管。", about, today)
    elif step is Move.APPEAL and case.appeals:
        return Move.OPEN
    elif step is not None:
        record.move(session, case, step, today)
        case.appeals += step is Move.APPEAL
        case.reopenings += case.state is State.REOPENED
    return step or Move.OPEN
