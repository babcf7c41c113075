"""The board: every branch a row, none missing, those with nothing first, closed boxes first of all.

The same few queries however many branches: one joins what a row is sorted by, the others look at
the rows of a page alone. Counts of opened cases only: what lies in a box is in no count here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.bulletins.models import Bulletin, BulletinState
from app.campaigns import progress
from app.campaigns.models import BranchProgress, Campaign
from app.campaigns.progress import Standing
from app.cases import terms
from app.cases.models import Case, CaseEvent
from app.cases.queue import overdue_condition
from app.cases.workflow import Move, State
from app.organisation import contacts
from app.organisation.models import Box, ContactPoint, Unit
from app.sealing.models import BoxKey
from app.staff import rights
from app.staff.rights import Actor
from app.supervision import escalation, measure
from app.supervision.models import Step

PAGE, PRINTED = 50, 1000
MOST_UNITS = 300
_BIG = 10_000


class Show(StrEnum):
    """Which branches are shown."""

    ALL = "all"
    CLOSED = "closed"
    NOTHING = "nothing"
    OVERDUE = "overdue"
    UNMET = "unmet"
    MET = "met"


class Sort(StrEnum):
    """What comes first."""

    URGENT = "urgent"
    OVERDUE = "overdue"
    WAITING = "waiting"
    ACTIONS = "actions"
    NAME = "name"


@dataclass(frozen=True)
class Cursor:
    """Where a page ends, as it stands in an address: the weight and the id of its last row."""

    weight: int
    id: str

    def __str__(self) -> str:
        return f"{self.weight}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """A cursor from an address; None when it is none."""
        weight, _, row_id = text.partition(".")
        digits = weight.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 17):
            return None
        return cls(int(weight), row_id[:32])


@dataclass(frozen=True)
class Asked:
    """What is asked of the board."""

    show: Show = Show.ALL
    sort: Sort = Sort.URGENT
    unit_id: str = ""
    leader_id: str = ""
    q: str = ""
    after: Cursor | None = None
    most: int = PAGE


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
    """A page of the board with the picture of all units above it."""

    rows: tuple[Row, ...]
    next: Cursor | None
    units: tuple[UnitLine, ...]
    more_units: bool
    total: int
    counted_on: dt.date | None = field(default=None)


# --- what a row is sorted by ----------------------------------------------------------------------


def _cases(today: dt.date, since: dt.date) -> sa.Subquery:
    def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    return (
        sa.select(
            Case.box_id,
            number(Case.opened_on >= since).label("received"),
            number(Case.state == State.WAITING).label("waiting"),
            number(Case.state.in_(terms.OPEN_STATES)).label("in_hand"),
            number(overdue_condition(today)).label("overdue"),
        )
        .group_by(Case.box_id)
        .subquery()
    )


def _told(since: dt.date) -> sa.Subquery:
    return (
        sa.select(Bulletin.unit_id, sa.func.count().label("bulletins"))
        .where(Bulletin.state == BulletinState.PUBLISHED, Bulletin.published_on >= since)
        .group_by(Bulletin.unit_id)
        .subquery()
    )


def _branches(actor: Actor, campaign: Campaign | None, today: dt.date) -> sa.Subquery:
    """Every branch within reach with what it is sorted and filtered by: one row each."""
    since = campaign.starts_on if campaign else dt.date.min
    cases, told, above = _cases(today, since), _told(since), aliased(Unit)
    kept = sa.select(BoxKey.box_id).where(BoxKey.retired_on.is_(None)).distinct().subquery()
    of_campaign = (BranchProgress.unit_id == Unit.id) & (
        BranchProgress.campaign_id == (campaign.id if campaign else "")
    )

    def zero(column: sa.SQLColumnExpression[int], name: str) -> sa.Label[int]:
        return sa.func.coalesce(column, 0).label(name)

    return (
        sa.select(
            Unit.id, Unit.slug, Unit.name, Unit.search_key, Unit.parent_id,
            above.slug.label("unit_slug"), above.name.label("unit_name"), Box.id.label("box_id"),
            sa.case((kept.c.box_id.is_(None), 1), else_=0).label("closed"),
            zero(cases.c.received, "received"), zero(cases.c.waiting, "waiting"),
            zero(cases.c.in_hand, "in_hand"), zero(cases.c.overdue, "overdue"),
            zero(told.c.bulletins, "bulletins"), zero(BranchProgress.begun, "begun"),
            zero(BranchProgress.met, "met"), zero(BranchProgress.required, "required"),
            zero(BranchProgress.late, "late"), BranchProgress.counted_on,
        )
        .outerjoin(above, above.id == Unit.parent_id)
        .outerjoin(Box, Box.unit_id == Unit.id)
        .outerjoin(kept, kept.c.box_id == Box.id)
        .outerjoin(cases, cases.c.box_id == Box.id)
        .outerjoin(told, told.c.unit_id == Unit.id)
        .outerjoin(BranchProgress, of_campaign)
        .where(Unit.id.in_(rights.reach(actor)))
        .subquery()
    )  # fmt: skip


def _nothing(rows: sa.Subquery) -> sa.ColumnElement[bool]:
    return (rows.c.received == 0) & (rows.c.begun == 0) & (rows.c.bulletins == 0)


def _late(rows: sa.Subquery) -> sa.ColumnElement[bool]:
    return (rows.c.overdue > 0) | (rows.c.late > 0)


def _weight(rows: sa.Subquery, sort: Sort) -> sa.ColumnElement[int]:
    """A number by which the rows stand, the smallest first; names decide between equals."""

    def capped(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return sa.case((column > _BIG - 1, 0), else_=_BIG - 1 - column)

    c = rows.c
    if sort is Sort.OVERDUE:
        return -(c.overdue + c.late)
    if sort is Sort.WAITING:
        return -c.in_hand
    if sort is Sort.ACTIONS:
        return c.met - c.required
    if sort is Sort.NAME:
        return sa.literal(0)
    rank = sa.case((c.closed == 1, 0), (_nothing(rows), 1), else_=2)
    worst = capped(c.overdue) * _BIG + capped(c.late + c.required - c.met)
    return rank * _BIG * _BIG + worst


def _filters(rows: sa.Subquery, asked: Asked) -> list[sa.ColumnElement[bool]]:
    chosen = {
        Show.ALL: sa.true(),
        Show.CLOSED: rows.c.closed == 1,
        Show.NOTHING: _nothing(rows),
        Show.OVERDUE: _late(rows),
        Show.UNMET: rows.c.met < rows.c.required,
        Show.MET: (rows.c.required > 0) & (rows.c.met >= rows.c.required),
    }
    found = [chosen[asked.show]]
    if asked.unit_id:
        found.append(rows.c.parent_id == asked.unit_id)
    if asked.leader_id:
        found.append(
            rows.c.id.in_(
                sa.select(ContactPoint.unit_id).where(ContactPoint.leader_id == asked.leader_id)
            )
        )
    for word in asked.q.casefold().split()[:5]:
        places = [rows.c.name, rows.c.unit_name]
        if word.isascii() and word.isalnum():
            places.append(rows.c.search_key)
        found.append(sa.or_(*(place.icontains(word, autoescape=True) for place in places)))
    return found


# --- a page ---------------------------------------------------------------------------------------


def board(
    session: Session, actor: Actor, campaign: Campaign | None, asked: Asked, today: dt.date
) -> Board:
    """A page of branches within this person's reach, and the picture of their units."""
    rows = _branches(actor, campaign, today)
    weight = _weight(rows, asked.sort).label("weight")
    query = sa.select(rows, weight).where(*_filters(rows, asked))
    if asked.after is not None:
        named = sa.select(Unit.name).where(Unit.id == asked.after.id).scalar_subquery()
        here = sa.tuple_(weight, rows.c.name, rows.c.id)
        query = query.where(
            here > sa.tuple_(sa.literal(asked.after.weight), named, sa.literal(asked.after.id))
        )
    query = query.order_by(weight, rows.c.name, rows.c.id).limit(asked.most + 1)
    found = session.execute(query).all()
    shown, more = found[: asked.most], len(found) > asked.most
    units = _units(session, rows, asked)
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
    answered = _answered(session, [row.box_id for row in shown if row.box_id], since)
    leaders = contacts.leaders_of(session, ids)
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
            answered=answered.get(row.box_id, 0),
            bulletins=row.bulletins,
            begun=any(line.done for line in lines.get(row.id, ())),
            standings=lines.get(row.id, ()),
            leader=leaders[row.id].name if row.id in leaders else "",
            step=steps.get(row.id) if row.overdue or row.late else None,
        )
        for row in shown
    )


def _answered(session: Session, boxes: list[str], since: dt.date) -> dict[str, int]:
    query = (
        sa.select(Case.box_id, sa.func.count(Case.id.distinct()))
        .join(CaseEvent, CaseEvent.case_id == Case.id)
        .where(Case.box_id.in_(boxes), CaseEvent.move == Move.APPROVE, Case.opened_on >= since)
        .group_by(Case.box_id)
    )
    return {box_id: number for box_id, number in session.execute(query)}  # noqa: C416


def _units(session: Session, rows: sa.Subquery, asked: Asked) -> tuple[UnitLine, ...]:
    """The units of the branches within reach, the worst first; filters but a unit's don't apply."""

    def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    closed, nothing = number(rows.c.closed == 1), number(_nothing(rows) & (rows.c.closed == 0))
    overdue, late = number(rows.c.overdue > 0), number(rows.c.late > 0)
    met, due = sa.func.sum(rows.c.met), sa.func.sum(rows.c.required)
    query = (
        sa.select(
            rows.c.parent_id, rows.c.unit_slug, rows.c.unit_name, sa.func.count(),
            closed, nothing, overdue, late, met, due,
        )
        .where(rows.c.parent_id == asked.unit_id if asked.unit_id else sa.true())
        .group_by(rows.c.parent_id, rows.c.unit_slug, rows.c.unit_name)
    )  # fmt: skip
    found = [
        UnitLine(unit_id or "", slug or "", name or "", *(int(n or 0) for n in numbers))
        for unit_id, slug, name, *numbers in session.execute(query)
    ]
    order = {"closed": 0, "nothing": 1, "late": 2, "under_way": 3, "met": 4}
    return tuple(sorted(found, key=lambda unit: (order[unit.state], unit.name, unit.id)))
