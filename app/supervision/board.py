"""The board: every branch a row, none missing, those with nothing first, closed boxes first of all.

The same few queries however many branches: one joins what a row is sorted by, the others look at
the rows of a page alone. Counts of opened cases only: what lies in a box is in no count here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.campaigns import progress
from app.campaigns.models import Campaign
from app.campaigns.progress import Standing
from app.evaluations.models import Round
from app.organisation import contacts
from app.organisation.models import Unit
from app.staff.rights import Actor
from app.supervision import board_query, escalation, measure
from app.supervision.asked import Asked, Cursor
from app.supervision.board_query import nothing, number
from app.supervision.models import Step

MOST_UNITS = 300


@dataclass(frozen=True)
class Row:
    """A branch: its box, its cases since the campaign began, how far it is with the actions."""

    id: str
    slug: str
    name: str
    unit_name: str
    has_box: bool
    open: bool
    received: int
    waiting: int
    in_hand: int
    overdue: int
    answered: int
    bulletins: int
    begun: bool
    standings: tuple[Standing, ...] = ()
    leader: str = ""
    step: Step | None = None
    round: bool = False

    @property
    def nothing(self) -> bool:
        """Nobody spoke, nothing was done, nothing was told."""
        return not (self.received or self.begun or self.bulletins)

    @property
    def met(self) -> int:
        """How many actions are done in full."""
        return sum(line.met for line in self.standings)


@dataclass(frozen=True)
class UnitLine:
    """A unit: how many of its branches are how."""

    id: str
    slug: str
    name: str
    branches: int
    closed: int
    nothing: int
    overdue: int
    late: int
    met: int
    required: int

    @property
    def state(self) -> str:
        """The worst that can be said of one of its branches."""
        if self.closed:
            return "closed"
        if self.nothing:
            return "nothing"
        if self.overdue or self.late:
            return "late"
        return "under_way" if self.met < self.required else "met"


@dataclass(frozen=True)
class Board:
    """A page of the board; above the first one the picture of all units, with their total."""

    rows: tuple[Row, ...]
    next: Cursor | None
    units: tuple[UnitLine, ...]
    more_units: bool
    total: int
    counted_on: dt.date | None = field(default=None)


# --- a page ---------------------------------------------------------------------------------------


def board(
    session: Session, actor: Actor, campaign: Campaign | None, asked: Asked, today: dt.date
) -> Board:
    """A page of branches within this person's reach, and the picture of their units."""
    rows = board_query.branches(actor, campaign, asked, today)
    weight = board_query.weight(rows, asked.sort).label("weight")
    query = sa.select(rows, weight).where(*board_query.filters(rows, asked))
    if asked.after is not None:
        named = sa.select(Unit.name).where(Unit.id == asked.after.id).scalar_subquery()
        here = sa.tuple_(weight, rows.c.name, rows.c.id)
        query = query.where(
            here > sa.tuple_(sa.literal(asked.after.weight), named, sa.literal(asked.after.id))
        )
    query = query.order_by(weight, rows.c.name, rows.c.id).limit(asked.most + 1)
    found = session.execute(query).all()
    shown, more = found[: asked.most], len(found) > asked.most
    units = _units(session, rows) if asked.after is None else ()
    return Board(
        rows=_rows(session, shown, campaign, today),
        next=Cursor(shown[-1].weight, shown[-1].id) if more else None,
        units=units[:MOST_UNITS],
        more_units=len(units) > MOST_UNITS,
        total=sum(unit.branches for unit in units),
        counted_on=max((row.counted_on for row in shown if row.counted_on), default=None),
    )


def _rows(
    session: Session,
    shown: Sequence[sa.Row[tuple[object, ...]]],
    campaign: Campaign | None,
    today: dt.date,
) -> tuple[Row, ...]:
    ids = [row.id for row in shown]
    since = campaign.starts_on if campaign else dt.date.min
    leaders = contacts.leaders_of(session, ids)
    held = _rounds(session, ids, since)
    steps = escalation.steps_of(session, ids, today)
    lines: dict[str, tuple[Standing, ...]] = {}
    if campaign is not None:
        actions = progress.required(session, campaign.id)
        measured = measure.measured(session, campaign, ids)
        lines = progress.standings(session, actions, ids, measured)
    return tuple(
        Row(
            id=row.id,
            slug=row.slug,
            name=row.name,
            unit_name=row.unit_name or "",
            has_box=row.box_id is not None,
            open=not row.closed,
            received=row.received,
            waiting=row.waiting,
            in_hand=row.in_hand,
            overdue=row.overdue,
            answered=row.answered,
            bulletins=row.bulletins,
            begun=any(line.done for line in lines.get(row.id, ())),
            standings=lines.get(row.id, ()),
            leader=leaders[row.id].name if row.id in leaders else "",
            round=row.id in held,
            step=steps.get(row.id) if row.overdue or row.late else None,
        )
        for row in shown
    )


def _rounds(session: Session, ids: list[str], since: dt.date) -> frozenset[str]:
    """Those of these branches that held a round whose count two people have confirmed."""
    query = sa.select(Round.unit_id).where(
        Round.unit_id.in_(ids), Round.confirmed_on >= since, Round.voided_on.is_(None)
    )
    return frozenset(session.scalars(query))


def _units(session: Session, rows: sa.Subquery) -> tuple[UnitLine, ...]:
    """The units of the branches asked for, the worst first; filters of single rows don't apply."""
    c = rows.c
    query = sa.select(
        c.parent_id, c.unit_slug, c.unit_name, sa.func.count(),
        number(c.closed == 1), number(nothing(rows) & (c.closed == 0)),
        number(c.overdue > 0), number(c.late > 0), sa.func.sum(c.met), sa.func.sum(c.required),
    ).group_by(c.parent_id, c.unit_slug, c.unit_name)  # fmt: skip
    found = [
        UnitLine(unit_id or "", slug or "", name or "", *(int(n or 0) for n in numbers))
        for unit_id, slug, name, *numbers in session.execute(query)
    ]
    order = {"closed": 0, "nothing": 1, "late": 2, "under_way": 3, "met": 4}
    return tuple(sorted(found, key=lambda unit: (order[unit.state], unit.name, unit.id)))
