"""How far the branches are, in numbers alone: for those who watch them and hold no key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.appraisals import plan
from app.appraisals.models import Appraisal, Occasion, PlanItem
from app.appraisals.workflow import State
from app.organisation.models import Box, Unit

MOST = 500
_DONE = (State.FINISHED, State.DELIVERED, State.ACKNOWLEDGED)


@dataclass(frozen=True)
class Progress:
    """A branch's newest occasion, or the newest of all branches of a unit, in counts of members."""

    name: str
    branches: int
    members: int
    handed: int
    finished: int
    delivered: int
    acknowledged: int
    promised: int
    done: int
    overdue: int


def _newest() -> sa.Subquery:
    """The newest occasion of each box."""
    place = sa.func.row_number().over(
        partition_by=Occasion.box_id, order_by=(Occasion.begun_on.desc(), Occasion.id)
    )
    ranked = sa.select(Occasion.id, Occasion.box_id, place.label("place")).subquery()
    return sa.select(ranked.c.id, ranked.c.box_id).where(ranked.c.place == 1).subquery()


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def of_branches(session: Session, group_ids: Sequence[str], today: dt.date) -> list[Progress]:
    """Each branch that these supervision groups watch and that has begun."""
    parent = aliased(Unit)
    watched = sa.func.coalesce(Unit.group_id, parent.group_id).in_(group_ids)
    return _told(session, Unit.id, Unit.name, parent, watched, today)


def of_units(session: Session, today: dt.date) -> list[Progress]:
    """Each unit of the county whose branches have begun: no branch, no member stands out."""
    parent = aliased(Unit)
    return _told(session, parent.id, parent.name, parent, sa.true(), today)


def _told(
    session: Session,
    key: sa.orm.InstrumentedAttribute[str],
    name: sa.orm.InstrumentedAttribute[str],
    parent: type[Unit],
    condition: sa.ColumnElement[bool],
    today: dt.date,
) -> list[Progress]:
    newest = _newest()
    here = Appraisal.gone_on.is_(None)
    query = (
        sa.select(
            key,
            name,
            sa.func.count(sa.distinct(Unit.id)),
            _count(here),
            _count(here & Appraisal.handed_on.is_not(None)),
            _count(here & Appraisal.state.in_(_DONE)),
            _count(here & Appraisal.state.in_(_DONE[1:])),
            _count(here & (Appraisal.state == State.ACKNOWLEDGED)),
        )
        .select_from(newest)
        .join(Box, Box.id == newest.c.box_id)
        .join(Unit, Unit.id == Box.unit_id)
        .outerjoin(parent, parent.id == Unit.parent_id)
        .join(Appraisal, Appraisal.occasion_id == newest.c.id)
        .where(condition)
        .group_by(key, name)
        .order_by(name)
        .limit(MOST)
    )
    plans = _plans(session, key, parent, condition, today)
    none = (0, 0, 0)
    return [Progress(row[1], *row[2:], *plans.get(row[0], none)) for row in session.execute(query)]


def _plans(
    session: Session,
    key: sa.orm.InstrumentedAttribute[str],
    parent: type[Unit],
    condition: sa.ColumnElement[bool],
    today: dt.date,
) -> dict[str, tuple[int, int, int]]:
    """What is to be put right, of all occasions: promised, done, overdue."""
    late = PlanItem.done_on.is_(None) & (PlanItem.due_on <= plan.overdue_since(today))
    query = (
        sa.select(key, sa.func.count(), _count(PlanItem.done_on.is_not(None)), _count(late))
        .select_from(PlanItem)
        .join(Appraisal, Appraisal.id == PlanItem.appraisal_id)
        .join(Occasion, Occasion.id == Appraisal.occasion_id)
        .join(Box, Box.id == Occasion.box_id)
        .join(Unit, Unit.id == Box.unit_id)
        .outerjoin(parent, parent.id == Unit.parent_id)
        .where(condition)
        .group_by(key)
    )
    return {row[0]: (row[1], row[2], row[3]) for row in session.execute(query)}
