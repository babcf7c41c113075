"""Who may appoint, renew, and see whom: the office everybody, a keeper the keepers beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.errors import N_, Forbidden
from app.organisation.models import Box, Unit, UnitKind
from app.staff.models import HOLDING_ROLES, Role

RoleFor = tuple[Role, str | None]


@dataclass(frozen=True)
class Actor:
    """Who acts: their roles, and the box keys that their session holds (by box key id)."""

    staff_id: str
    roles: frozenset[RoleFor]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_office(self) -> bool:
        """Whether they look after the whole county's staff."""
        return any(role is Role.OFFICE for role, _ in self.roles)

    def held_units(self) -> frozenset[str]:
        """The units whose box they may hold the key of."""
        return frozenset(unit for role, unit in self.roles if unit and role in HOLDING_ROLES)


def reach(actor: Actor) -> sa.Select[str]:
    """The ids of the branches that somebody sees the work of: the office all, a group what it
    watches, a keeper their own. Closed ones are left out."""
    query = sa.select(Unit.id).where(Unit.kind == UnitKind.BRANCH, Unit.closed_on.is_(None))
    if actor.is_office:
        return query
    kept = [unit for role, unit in actor.roles if role is Role.KEEPER and unit]
    groups = [unit for role, unit in actor.roles if role is Role.SUPERVISOR and unit]
    above, top = aliased(Unit), aliased(Unit)
    watched_by = sa.func.coalesce(Unit.group_id, above.group_id, top.group_id)
    return (
        query.outerjoin(above, Unit.parent_id == above.id)
        .outerjoin(top, above.parent_id == top.id)
        .where(Unit.id.in_(kept) | watched_by.in_(groups))
    )


def watches(session: Session, actor: Actor, unit_id: str) -> bool:
    """Whether the actor looks at this branch's work from outside: its group, or the office.

    Never somebody who keeps the branch's own box.
    """
    if (Role.KEEPER, unit_id) in actor.roles:
        return False
    groups = frozenset(pair for pair in actor.roles if pair[0] is not Role.KEEPER)
    outside = Actor(actor.staff_id, groups)
    return bool(session.scalar(sa.select(sa.exists(reach(outside).where(Unit.id == unit_id)))))


def given(session: Session, actor: Actor, listed: Iterable[RoleFor]) -> frozenset[RoleFor]:
    """Which of these roles the actor may give and take; at most one query.

    The office: any. A keeper: the keepers of a unit that they keep the box of, and nobody else;
    a supervisor likewise.
    """
    if actor.is_office:
        return frozenset(listed)
    own = {pair for pair in listed if pair[0] in HOLDING_ROLES and pair in actor.roles}
    units = {unit_id for _, unit_id in own}
    boxes = set(session.scalars(sa.select(Box.unit_id).where(Box.unit_id.in_(units))))
    return frozenset(pair for pair in own if pair[1] in boxes)


def may_appoint(session: Session, actor: Actor, role: Role | None, unit_id: str | None) -> bool:
    """Whether the actor may give and take this role for this unit; None: nobody's to give."""
    if role is None:
        return actor.is_office
    return (role, unit_id) in given(session, actor, [(role, unit_id)])


def require_appoint(session: Session, actor: Actor, role: Role | None, unit_id: str | None) -> None:
    """Raises Forbidden unless `may_appoint`."""
    if not may_appoint(session, actor, role, unit_id):
        raise _not_yours()


def may_renew(session: Session, actor: Actor, roles: Iterable[RoleFor]) -> bool:
    """Whether the actor may issue a renewal to somebody who has these roles.

    Threat: whoever issues the link could use it. So a keeper renews nobody who may do more than
    that keeper may give.
    """
    held = set(roles)
    return actor.is_office or (bool(held) and held <= given(session, actor, held))


def require_renew(session: Session, actor: Actor, roles: Iterable[RoleFor]) -> None:
    """Raises Forbidden unless `may_renew`."""
    if not may_renew(session, actor, roles):
        raise _not_yours()


def require_box(actor: Actor, box: Box, *, office: bool = False) -> None:
    """Raises Forbidden unless the actor has a holding role for the box's own unit.

    `office`: an office account may too.
    """
    if box.unit_id not in actor.held_units() and not (office and actor.is_office):
        raise _not_yours()


def _not_yours() -> Forbidden:
    return Forbidden(N_("这不在您的职责之内，什么都没有改变。需要的话，请联系县里的管理员。"))
