"""What the day's digest tells: how much waits at each unit's desk, of what was opened."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import terms
from app.cases.models import Case
from app.cases.queue import open_condition, overdue_condition
from app.cases.workflow import State
from app.notifications.service import Waiting
from app.organisation.models import Box, Unit, UnitKind


def waiting_of(session: Session, unit_ids: list[str], today: dt.date) -> dict[str, Waiting]:
    """How much waits at these units, the branches of a unit and all the county's; two queries."""
    counts = _by_box(session, today)
    units = session.execute(sa.select(Unit.id, Unit.parent_id, Unit.name, Unit.kind)).all()
    sums: dict[str, tuple[int, ...]] = dict.fromkeys(unit_ids, (0, 0, 0))
    counties = {row.id for row in units if row.kind is UnitKind.COUNTY}
    for row in units:
        for place in {row.id, row.parent_id or "", *counties} & sums.keys():
            told = zip(sums[place], counts.get(row.id, (0, 0, 0)), strict=True)
            sums[place] = tuple(map(sum, told))
    return {row.id: Waiting(row.name, *sums[row.id]) for row in units if row.id in sums}


def _by_box(session: Session, today: dt.date) -> dict[str, tuple[int, ...]]:
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
        .where(open_condition())
        .group_by(Box.unit_id)
    )
    return {unit_id: tuple(map(int, numbers)) for unit_id, *numbers in rows}
