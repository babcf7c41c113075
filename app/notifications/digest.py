"""What the day's digest tells: how much waits at each unit's desk, of what was opened."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import terms
from app.cases.models import Case
from app.cases.queue import overdue_condition
from app.cases.workflow import State
from app.notifications.service import Waiting
from app.organisation.models import Box, Unit


def waiting_of(session: Session, unit_ids: list[str], today: dt.date) -> dict[str, Waiting]:
    """How much waits at the boxes of these units; two queries."""
    late = overdue_condition(today)
    waits, works = Case.state == State.WAITING, Case.state.in_(terms.OPEN_STATES[1:])
    rows = session.execute(
        sa.select(
            Box.unit_id,
            sa.func.sum(sa.case((waits, 1), else_=0)),
            sa.func.sum(sa.case((works, 1), else_=0)),
            sa.func.sum(sa.case((late, 1), else_=0)),
        )
        .join(Case, Case.box_id == Box.id)
        .where(Box.unit_id.in_(unit_ids), Case.state.in_(terms.OPEN_STATES))
        .group_by(Box.unit_id)
    )
    counts = {unit_id: (int(a), int(b), int(c)) for unit_id, a, b, c in rows}
    names = session.execute(sa.select(Unit.id, Unit.name).where(Unit.id.in_(unit_ids)))
    return {unit_id: Waiting(name, *counts.get(unit_id, (0, 0, 0))) for unit_id, name in names}
