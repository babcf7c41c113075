"""The look-back's figures of cases, reckoned from what is missing, are what a count would say."""

from __future__ import annotations

import datetime as dt
import random

import pytest
import sqlalchemy as sa

from app import db
from app.cases.models import Case, CaseEvent
from app.cases.workflow import Move, State
from app.supervision import facts
from tests.cases.conftest import Scene, scene
from tests.cases.test_tallies import stir
from tests.conftest import Hand

__all__ = ["scene"]
INVALID = (State.WITHDRAWN, State.REMOVED, State.MERGED)


def counted(found: Scene, boxes: list[str], since: dt.date) -> dict[str, tuple[int, int]]:
    """Valid and answered cases of each box, from every case and every event."""
    with found.app.app_context(), db.reading() as session:
        decisions = CaseEvent.move.in_((Move.APPROVE, Move.DECLINE))
        decided = set(session.scalars(sa.select(CaseEvent.case_id).where(decisions)))
        valid = [
            case
            for case in session.scalars(sa.select(Case).where(Case.opened_on >= since))
            if case.state not in INVALID
        ]
    return {
        box: (
            sum(case.box_id == box for case in valid),
            sum(case.box_id == box and case.id in decided for case in valid),
        )
        for box in boxes
    }


@pytest.mark.parametrize("seed", range(2))
def test_after_any_moves_valid_and_answered_are_what_a_count_says(
    scene: Scene, hand: Hand, seed: int
) -> None:
    dice = random.Random(seed)
    boxes = {box.box_id: box for box in (scene.here, scene.there, scene.group)}
    since = scene.clock.today() + dt.timedelta(days=2)
    for _ in range(7):
        hand.forward(days=1)
        stir(scene, boxes, dice, drops=4, most=3)
        with scene.app.app_context(), db.reading() as session:
            found = facts._cases(session, list(boxes), since, scene.clock.today())
        assert {box: told[:2] for box, told in found.items()} == counted(scene, list(boxes), since)
