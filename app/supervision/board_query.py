"""One row for each branch with everything that the board sorts and filters by, as one statement.

Opened cases alone are counted: what lies in a box is in no number here.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from app.bulletins.models import Bulletin, BulletinState
from app.campaigns.models import BranchProgress, Campaign
from app.cases.models import Case, CaseTally
from app.cases.queue import open_condition, overdue_condition
from app.cases.workflow import State
from app.organisation.models import Box, ContactPoint, Unit, UnitKind
from app.sealing.models import BoxKey
from app.staff import rights
from app.staff.rights import Actor
from app.supervision.asked import Asked, Show, Sort

_BIG = 10_000


def number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """How many rows of a group fulfil a condition."""
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _scope(actor: Actor, asked: Asked) -> sa.Select[str] | None:
    """The branches that are asked for; None: all there are, and nothing needs to be looked up."""
    if actor.is_office and not asked.unit_id and not asked.leader_id:
        return None
    query = rights.reach(actor)
    if asked.unit_id:
        query = query.where(Unit.parent_id == asked.unit_id)
    if asked.leader_id:
        own = sa.select(ContactPoint.unit_id).where(ContactPoint.leader_id == asked.leader_id)
        query = query.where(Unit.id.in_(own))
    return query


def _in(
    column: sa.SQLColumnExpression[str], scope: sa.Select[str] | None, *, box: bool = False
) -> sa.ColumnElement[bool]:
    """Whether a row belongs to one of these branches: a group must not wait for a whole country."""
    if scope is None:
        return sa.true()
    return column.in_(sa.select(Box.id).where(Box.unit_id.in_(scope)) if box else scope)


def _received(since: dt.date, scope: sa.Select[str] | None) -> sa.Subquery:
    """By box and then by day: of each box the tallies of the campaign's days alone are read."""
    return (
        sa.select(
            Box.id.label("box_id"),
            sa.func.sum(CaseTally.received).label("received"),
            sa.func.sum(CaseTally.answered).label("answered"),
        )
        .join(CaseTally, (CaseTally.box_id == Box.id) & (CaseTally.opened_on >= since))
        .where(_in(Box.unit_id, scope))
        .group_by(Box.id)
        .subquery()
    )


def _in_hand(today: dt.date, scope: sa.Select[str] | None) -> sa.Subquery:
    return (
        sa.select(
            Case.box_id,
            sa.func.count().label("in_hand"),
            number(Case.state == State.WAITING).label("waiting"),
            number(overdue_condition(today)).label("overdue"),
        )
        .where(open_condition(), _in(Case.box_id, scope, box=True))
        .group_by(Case.box_id)
        .subquery()
    )


def _told(since: dt.date, scope: sa.Select[str] | None) -> sa.Subquery:
    return (
        sa.select(Bulletin.unit_id, sa.func.count().label("bulletins"))
        .where(
            Bulletin.state == BulletinState.PUBLISHED,
            Bulletin.published_on >= since,
            _in(Bulletin.unit_id, scope),
        )
        .group_by(Bulletin.unit_id)
        .subquery()
    )


def branches(actor: Actor, campaign: Campaign | None, asked: Asked, today: dt.date) -> sa.Subquery:
    """Every branch within reach with what it is sorted and filtered by: one row each."""
    since, scope = campaign.starts_on if campaign else dt.date.min, _scope(actor, asked)
    received, open_, told = _received(since, scope), _in_hand(today, scope), _told(since, scope)
    above = aliased(Unit)
    kept = sa.exists().where(BoxKey.box_id == Box.id, BoxKey.retired_on.is_(None))
    of_campaign = (BranchProgress.unit_id == Unit.id) & (
        BranchProgress.campaign_id == (campaign.id if campaign else "")
    )

    def zero(column: sa.SQLColumnExpression[int], name: str) -> sa.Label[int]:
        return sa.func.coalesce(column, 0).label(name)

    return (
        sa.select(
            Unit.id, Unit.slug, Unit.name, Unit.search_key, Unit.parent_id,
            above.slug.label("unit_slug"), above.name.label("unit_name"), Box.id.label("box_id"),
            sa.case((kept, 0), else_=1).label("closed"),
            zero(received.c.received, "received"), zero(received.c.answered, "answered"),
            zero(open_.c.waiting, "waiting"),
            zero(open_.c.in_hand, "in_hand"), zero(open_.c.overdue, "overdue"),
            zero(told.c.bulletins, "bulletins"), zero(BranchProgress.begun, "begun"),
            zero(BranchProgress.met, "met"), zero(BranchProgress.required, "required"),
            zero(BranchProgress.late, "late"), BranchProgress.counted_on,
        )
        .outerjoin(above, above.id == Unit.parent_id)
        .outerjoin(Box, Box.unit_id == Unit.id)
        .outerjoin(received, received.c.box_id == Box.id)
        .outerjoin(open_, open_.c.box_id == Box.id)
        .outerjoin(told, told.c.unit_id == Unit.id)
        .outerjoin(BranchProgress, of_campaign)
        .where(Unit.kind == UnitKind.BRANCH, Unit.closed_on.is_(None), _in(Unit.id, scope))
        .subquery()
    )  # fmt: skip


def nothing(rows: sa.Subquery) -> sa.ColumnElement[bool]:
    """Nobody spoke, nothing was done, nothing was told."""
    return (rows.c.received == 0) & (rows.c.begun == 0) & (rows.c.bulletins == 0)


def late(rows: sa.Subquery) -> sa.ColumnElement[bool]:
    """A case or an action is overdue."""
    return (rows.c.overdue > 0) | (rows.c.late > 0)


def weight(rows: sa.Subquery, sort: Sort) -> sa.ColumnElement[int]:
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
    rank = sa.case((c.closed == 1, 0), (nothing(rows), 1), else_=2)
    worst = capped(c.overdue) * _BIG + capped(c.late + c.required - c.met)
    return rank * _BIG * _BIG + worst


def filters(rows: sa.Subquery, asked: Asked) -> list[sa.ColumnElement[bool]]:
    """Which rows are shown."""
    chosen = {
        Show.ALL: sa.true(),
        Show.CLOSED: rows.c.closed == 1,
        Show.NOTHING: nothing(rows),
        Show.OVERDUE: late(rows),
        Show.UNMET: rows.c.met < rows.c.required,
        Show.MET: (rows.c.required > 0) & (rows.c.met >= rows.c.required),
    }
    found = [chosen[asked.show]]
    for word in asked.q.casefold().split()[:5]:
        places = [rows.c.name, rows.c.unit_name]
        if word.isascii() and word.isalnum():
            places.append(rows.c.search_key)
        found.append(sa.or_(*(place.icontains(word, autoescape=True) for place in places)))
    return found
