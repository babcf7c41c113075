"""The list of staff by unit: who is enrolled, invited, holds a key, or waits for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app.db import UTCDateTime
from app.errors import N_, Invalid
from app.organisation.models import Unit
from app.sealing.models import BoxKey
from app.staff import box_status, recovery, rights
from app.staff.box_status import BoxStatus, Holding
from app.staff.keepers import normal_username
from app.staff.models import (
    HOLDING_ROLES,
    Invitation,
    RecoveryGrant,
    RecoveryKey,
    Role,
    RoleAssignment,
    Staff,
)
from app.staff.rights import Actor, RoleFor

PAGE = 25


@dataclass(frozen=True)
class Entry:
    """One person in one role, or one open invitation.

    `invitation_id` is an open invitation or, beside an enrolled person, an open renewal;
    `own_link`: the reader issued it and may see the link again.
    """

    id: str
    username: str
    role: Role
    staff_id: str | None
    invitation_id: str | None
    lapsed: bool
    own_link: bool
    holding: Holding
    may_take_away: bool
    may_renew: bool
    may_hand_over: bool


@dataclass(frozen=True)
class UnitGroup:
    """A unit with its people; without a unit, the county's."""

    slug: str
    name: str
    box: BoxStatus | None
    entries: list[Entry]


@dataclass(frozen=True)
class Roster:
    """One page of the list; the next begins after `next`."""

    groups: list[UnitGroup]
    next: str | None


@dataclass(frozen=True)
class _Row:
    slug: str
    username: str
    id: str
    unit_id: str | None
    role: Role
    staff_id: str | None
    invited_by: str | None
    lapsed: bool


def roster(
    session: Session, actor: Actor, now: dt.datetime, *, slug: str = "", after: str = ""
) -> Roster:
    """Who works here: the office sees all, a keeper the units that they keep.

    `slug` narrows it to one unit, `after` is the `next` of the page before.
    """
    rows = _rows(session, actor, now, slug, after)
    shown, more = rows[:PAGE], len(rows) > PAGE
    units = _units(session, actor, {row.unit_id for row in shown}, slug)
    renewals = _renewals(session, shown)
    roles = _roles(session, shown)
    listed = {(row.role, row.unit_id) for row in shown}.union(*roles.values())
    given = rights.given(session, actor, listed)
    keyrings = box_status.read(session, actor, [unit.box for unit in units.values() if unit.box])
    groups = []
    for unit_slug, of_unit in _grouped(shown, units, whole=not after):
        unit = units.get(unit_slug)
        box = keyrings.status(actor, unit.box) if unit and unit.box else None
        holding = keyrings.holding(unit.box) if unit and unit.box else {}
        entries = [
            _entry(actor, row, given, roles, renewals, holding, mine=bool(box and box.mine))
            for row in of_unit
        ]
        groups.append(UnitGroup(unit_slug, unit.name if unit else "", box, entries))
    last = shown[-1] if more else None
    return Roster(groups, f"{last.slug}~{last.username}~{last.id}" if last else None)


def find_unit(session: Session, typed: str) -> str | None:
    """The id of the unit with this slug or exactly this name; None for nothing typed.

    Raises Invalid (field `unit`) when there is none, or more than one of that name.
    """
    word = typed.strip()
    if not word:
        return None
    found = session.scalars(
        sa.select(Unit.id).where(sa.or_(Unit.slug == word, Unit.name == word)).limit(2)
    ).all()
    if len(found) != 1:
        raise Invalid(
            N_("没有找到这个单位，或者同名的不止一个。请写它网址里的那个短名，比如 longtan。"),
            field="unit",
        )
    return found[0]


def _everybody() -> sa.Subquery:
    # The people in their roles, and the invitations to first accounts, in one order.
    place = sa.func.coalesce(Unit.slug, "").label("slug")
    people = (
        sa.select(
            place,
            Staff.username.label("username"),
            RoleAssignment.id.label("id"),
            RoleAssignment.unit_id,
            RoleAssignment.role.label("role"),
            Staff.id.label("staff_id"),
            sa.null().label("invited_by"),
            sa.type_coerce(sa.null(), UTCDateTime()).label("expires_at"),
        )
        .join(Staff, Staff.id == RoleAssignment.staff_id)
        .outerjoin(Unit, Unit.id == RoleAssignment.unit_id)
    )
    invited = (
        sa.select(
            place,
            Invitation.username,
            Invitation.id,
            Invitation.unit_id,
            Invitation.role,
            sa.null(),
            Invitation.invited_by,
            Invitation.expires_at,
        )
        .outerjoin(Unit, Unit.id == Invitation.unit_id)
        .where(Invitation.staff_id.is_(None))
    )
    return sa.union_all(people, invited).subquery()


def _rows(session: Session, actor: Actor, now: dt.datetime, slug: str, after: str) -> list[_Row]:
    both = _everybody()
    query = sa.select(both).order_by(both.c.slug, both.c.username, both.c.id).limit(PAGE + 1)
    if not actor.is_office:
        query = query.where(both.c.unit_id.in_(actor.held_units()))
    if slug:
        query = query.where(both.c.slug == slug)
    if after.count("~") == 2:
        query = query.where(
            sa.tuple_(both.c.slug, both.c.username, both.c.id)
            > sa.tuple_(*(sa.literal(part) for part in after.split("~")))
        )
    return [
        _Row(
            row.slug,
            row.username,
            row.id,
            row.unit_id,
            Role(row.role),
            row.staff_id,
            row.invited_by,
            row.expires_at is not None and row.expires_at <= now,
        )
        for row in session.execute(query)
    ]


def _units(session: Session, actor: Actor, ids: Iterable[str | None], slug: str) -> dict[str, Unit]:
    wanted: sa.ColumnElement[bool] = Unit.id.in_([unit_id for unit_id in ids if unit_id])
    if slug:
        wanted = sa.or_(wanted, Unit.slug == slug)
    if not actor.is_office:
        wanted &= Unit.id.in_(actor.held_units())
    query = sa.select(Unit).options(joinedload(Unit.box)).where(wanted)
    return {unit.slug: unit for unit in session.scalars(query)}


def _grouped(
    rows: list[_Row], units: dict[str, Unit], *, whole: bool
) -> list[tuple[str, list[_Row]]]:
    groups = {slug: list(of_unit) for slug, of_unit in groupby(rows, key=lambda row: row.slug)}
    if whole:
        for slug in units:
            groups.setdefault(slug, [])
    return sorted(groups.items())


def _renewals(session: Session, rows: list[_Row]) -> dict[str, Invitation]:
    found = session.scalars(
        sa.select(Invitation).where(
            Invitation.staff_id.in_([row.staff_id for row in rows if row.staff_id])
        )
    )
    return {renewal.staff_id: renewal for renewal in found if renewal.staff_id}


def _roles(session: Session, rows: list[_Row]) -> dict[str, set[RoleFor]]:
    """Every role of everybody listed, in other units too; one query."""
    held = session.execute(
        sa.select(RoleAssignment.staff_id, RoleAssignment.role, RoleAssignment.unit_id).where(
            RoleAssignment.staff_id.in_({row.staff_id for row in rows if row.staff_id})
        )
    )
    roles: dict[str, set[RoleFor]] = {}
    for staff_id, role, unit_id in held:
        roles.setdefault(staff_id, set()).add((role, unit_id))
    return roles


def _entry(
    actor: Actor,
    row: _Row,
    given: frozenset[RoleFor],
    roles: dict[str, set[RoleFor]],
    renewals: dict[str, Invitation],
    holding: dict[str, Holding],
    *,
    mine: bool,
) -> Entry:
    enrolled = row.staff_id is not None
    renewal = renewals.get(row.staff_id or "")
    holds = row.role in HOLDING_ROLES
    stands = holding.get(row.staff_id or "", Holding.NONE) if holds else Holding.NONE
    issuer = renewal.invited_by if renewal else row.invited_by
    return Entry(
        id=row.id,
        username=row.username,
        role=row.role,
        staff_id=row.staff_id,
        invitation_id=(renewal.id if renewal else None) if enrolled else row.id,
        lapsed=row.lapsed,
        own_link=issuer == actor.staff_id,
        holding=stands,
        may_take_away=(row.role, row.unit_id) in given,
        may_renew=enrolled
        and row.staff_id != actor.staff_id
        and roles.get(row.staff_id or "", set()) <= given,
        may_hand_over=mine and stands in (Holding.WAITS, Holding.PARTLY),
    )


@dataclass(frozen=True)
class RecoveryStatus:
    """A recovery key, where it belongs, and how many boxes it could bring back."""

    key: RecoveryKey
    unit_name: str
    fingerprint: str
    boxes: int


def recovery_keys(session: Session) -> list[RecoveryStatus]:
    """All recovery keys, the current ones first."""
    boxes = sa.func.count(sa.distinct(BoxKey.box_id))
    rows = session.execute(
        sa.select(RecoveryKey, Unit.name, boxes)
        .outerjoin(Unit, Unit.id == RecoveryKey.unit_id)
        .outerjoin(RecoveryGrant, RecoveryGrant.recovery_key_id == RecoveryKey.id)
        .outerjoin(BoxKey, BoxKey.id == RecoveryGrant.box_key_id)
        .group_by(RecoveryKey.id, Unit.name)
        .order_by(RecoveryKey.retired_on.is_not(None), RecoveryKey.created_on.desc())
    ).all()
    return [
        RecoveryStatus(key, name or "", recovery.fingerprint(key), count)
        for key, name, count in rows
    ]


def person(session: Session, typed: str) -> Staff:
    """The enrolled person of this username. Raises Invalid (field `username`)."""
    name = normal_username(typed)
    found = session.scalar(sa.select(Staff).where(Staff.username == name))
    if found is None:
        raise Invalid(N_("没有这个用户名的账号，什么都没有改变。"), field="username")
    return found
