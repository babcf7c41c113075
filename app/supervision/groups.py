"""What lies with the supervision groups themselves: appeals, "I was blamed", and their clocks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import terms
from app.cases.models import Recourse
from app.organisation.models import Box, Unit
from app.staff.models import Role
from app.staff.rights import Actor


@dataclass(frozen=True)
class GroupLine:
    """A group: how many recourses are open, and how many of them are overdue."""

    id: str
    name: str
    open: int
    overdue: int


def recourses(session: Session, actor: Actor, today: dt.date) -> tuple[GroupLine, ...]:
    """The open recourses of the groups that this person sits in; of all, for the office."""
    mine = [unit for role, unit in actor.roles if role is Role.SUPERVISOR and unit]
    late = sa.case((Recourse.raised_on <= terms.recourse_overdue_since(today), 1), else_=0)
    query = (
        sa.select(Unit.id, Unit.name, sa.func.count(), sa.func.sum(late))
        .join(Box, Box.unit_id == Unit.id)
        .join(Recourse, Recourse.group_box_id == Box.id)
        .where(Recourse.decided_on.is_(None), sa.true() if actor.is_office else Unit.id.in_(mine))
        .group_by(Unit.id, Unit.name)
        .order_by(Unit.name)
    )
    return tuple(
        GroupLine(unit_id, name, open_, int(overdue or 0))
        for unit_id, name, open_, overdue in session.execute(query)
    )
