"""The list of staff by unit: who is enrolled, invited, holds a key, or waits for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import UTCDateTime
from app.errors import N_, Invalid
from app.organisation.models import Box, Unit
from app.sealing.models import BoxKey
from app.staff import recovery, succession
from app.staff.keepers import normal_username, roles_of
from app.staff.models import (
    HOLDING_ROLES,
    Invitation,
    KeyGrant,
    PersonalKey,
    RecoveryGrant,
    RecoveryKey,
    Role,
    RoleAssignment,
    Staff,
)
from app.staff.rights import Actor, may_appoint, may_renew

PAGE = 25


class Holding(StrEnum):
    """How somebody stands to the key of their unit's box."""

    HOLDS = "holds"
    PARTLY = "partly"  # the present pair, not every former one
    WAITS = "waits"
    NONE = "none"  # nothing to hold: no such role, no box, or no pair yet


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
class BoxStatus:
    """A unit's box as far as its keys go.

    `state`: `never` had a pair, `held`, `unheld` (paper may still open it), `lost` (closed).
    `mine`: the reader holds it. `offered`: recovery keys that one tap of the reader seals it to.
    """

    id: str
    state: str
    since: dt.date | None
    mine: bool
    may_rotate: bool
    may_begin: bool
    offered: list[RecoveryKey] = field(repr=False)


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
    groups = []
    for unit_slug, of_unit in _grouped(shown, units, whole=not after):
        unit = units.get(unit_slug)
        box = _box_status(session, actor, unit.box) if unit and unit.box else None
        holding = _holding(session, unit.box if unit else None, of_unit)
        entries = [
            _entry(session, actor, row, renewals, holding, mine=bool(box and box.mine))
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
    if not actor.is_office:
        wanted = Unit.id.in_(actor.held_units())  # also those without anybody else
    elif slug:
        wanted = sa.or_(wanted, Unit.slug == slug)
    return {unit.slug: unit for unit in session.scalars(sa.select(Unit).where(wanted))}


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


def _holding(session: Session, box: Box | None, rows: list[_Row]) -> dict[str, Holding]:
    """How each person of a unit stands to its box's pairs; two queries."""
    if box is None:
        return {}
    pairs = succession.keys_of(session, box.id)
    granted = session.execute(
        sa.select(PersonalKey.staff_id, KeyGrant.box_key_id)
        .join(PersonalKey, PersonalKey.id == KeyGrant.personal_key_id)
        .where(PersonalKey.retired_on.is_(None), KeyGrant.box_key_id.in_([key.id for key in pairs]))
    ).all()
    current = {key.id for key in pairs if key.retired_on is None}
    open_to_somebody = {key_id for _, key_id in granted}
    holding = {}
    for row in rows:
        own = {key_id for staff_id, key_id in granted if staff_id == row.staff_id}
        if row.staff_id is None or row.role not in HOLDING_ROLES or not pairs:
            continue
        if not current or not own & current:
            holding[row.id] = Holding.WAITS
        else:
            holding[row.id] = Holding.HOLDS if open_to_somebody <= own else Holding.PARTLY
    return holding


def _box_status(session: Session, actor: Actor, box: Box) -> BoxStatus:
    pairs = succession.keys_of(session, box.id)
    current = next((key for key in pairs if key.retired_on is None), None)
    mine = any(key.id in actor.keys for key in pairs)
    if current is None:
        state = "lost" if pairs else "never"
    else:
        state = "held" if succession.holders(session, box.unit_id, current.id) else "unheld"
    appointed = box.unit_id in actor.held_units()
    offered = {key.id: key for key, _ in recovery.unsealed(session, box.id, actor.keys)}
    return BoxStatus(
        id=box.id,
        state=state,
        since=current.created_on if current else None,
        mine=mine,
        may_rotate=state == "held" and (appointed or actor.is_office),
        may_begin=state == "never" and appointed,
        offered=list(offered.values()),
    )


def _entry(
    session: Session,
    actor: Actor,
    row: _Row,
    renewals: dict[str, Invitation],
    holding: dict[str, Holding],
    *,
    mine: bool,
) -> Entry:
    enrolled = row.staff_id is not None
    renewal = renewals.get(row.staff_id or "")
    stands = holding.get(row.id, Holding.NONE)
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
        may_take_away=may_appoint(session, actor, row.role, row.unit_id),
        may_renew=enrolled
        and row.staff_id != actor.staff_id
        and may_renew(session, actor, roles_of(session, row.staff_id or "")),
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
        raise Invalid(N_("没有这个用户名的账号，没有改变任何内容。"), field="username")
    return found
