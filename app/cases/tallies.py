"""How many cases a box holds and how many were ever answered, by the day of their opening; how
often it answered and was rated, by quarter.

Counting anew would take the longer, the more cases there ever were. So whatever makes a case, gives
it to another box, answers or rates it, counts it here in the same transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.cases.models import Case, CaseEvent, CaseTally, Channel, QuarterTally
from app.cases.workflow import Move
from app.clock import quarter_of

# What the public figures tell of a quarter.
BY_QUARTER = (Move.APPROVE, Move.RATE_CONTENT, Move.RATE_DISSATISFIED)
_KEYS = (CaseTally.box_id, CaseTally.opened_on)


def received(session: Session, opened: Mapping[str, int], today: dt.date) -> None:
    """So many cases came out of these boxes today."""
    for box_id, number in sorted(opened.items()):
        _add(session, box_id, today, received=number)


def referred(session: Session, case: Case, from_box_id: str) -> None:
    """A case lies in another box now: it counts there, and no longer where it was.

    What was answered is never referred, so that its answer has nowhere to follow.
    """
    # Two keepers refer to one another: whoever counts in two rows takes them in the same order.
    for box_id in sorted((from_box_id, case.box_id)):
        step = 1 if box_id == case.box_id else -1
        _add(session, box_id, case.opened_on, received=step)


def moving(session: Session, case: Case, step: Move, today: dt.date) -> None:
    """A case is about to be moved: its first answer counts by the day of its opening, every answer
    and rating by the quarter in which it is given."""
    if step is Move.APPROVE:
        before = sa.exists().where(CaseEvent.case_id == case.id, CaseEvent.move == Move.APPROVE)
        if not session.scalar(sa.select(before)):
            _add(session, case.box_id, case.opened_on, answered=1)
    if step in BY_QUARTER:
        seen = case.channel is not Channel.WEB
        keys = {"quarter": quarter_of(today), "box_id": case.box_id, "move": step, "seen": seen}
        row = db.insert(session, QuarterTally).values(**keys, number=1)
        more = {"number": QuarterTally.number + 1}
        session.execute(row.on_conflict_do_update(index_elements=list(keys), set_=more))


def _add(
    session: Session, box_id: str, opened_on: dt.date, *, received: int = 0, answered: int = 0
) -> None:
    first = db.insert(session, CaseTally).values(
        box_id=box_id, opened_on=opened_on, received=0, answered=0
    )
    session.execute(first.on_conflict_do_nothing(index_elements=_KEYS))
    session.execute(
        sa.update(CaseTally)
        .where(CaseTally.box_id == box_id, CaseTally.opened_on == opened_on)
        .values(received=CaseTally.received + received, answered=CaseTally.answered + answered)
    )
