"""Whose words may be keyed in by whom: a keeper for their branch, a group for what it watches."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, Forbidden
from app.organisation import service as organisation
from app.organisation.models import Box, Unit
from app.organisation.service import Branch
from app.staff.models import Role

MOST_LISTED = 20  # more: looked up by name


@dataclass(frozen=True)
class Reach:
    """What a person at the desk may key in for: their roles, and nothing else of them."""

    roles: frozenset[tuple[Role, str | None]]

    @property
    def everywhere(self) -> bool:
        """The county office answers the hotline: for every branch."""
        return any(role is Role.OFFICE for role, _ in self.roles)

    def _units(self, role: Role) -> list[str]:
        return [unit for held, unit in self.roles if held is role and unit]

    def within(self) -> sa.ColumnElement[bool]:
        """Boxes that they keep, their groups' own, and those of the branches that these watch."""
        if self.everywhere:
            return sa.true()
        groups = self._units(Role.SUPERVISOR)
        watched = organisation.watched_by(groups)
        return Unit.id.in_([*groups, *self._units(Role.KEEPER)]) | Unit.id.in_(watched)


def boxes(session: Session, reach: Reach, *, at_most: int = MOST_LISTED) -> list[Branch]:
    """The branches and groups with a box within reach, by name; two queries."""
    ids = session.scalars(
        sa.select(Box.id)
        .join(Unit, Unit.id == Box.unit_id)
        .where(Unit.closed_on.is_(None), reach.within())
        .order_by(Unit.name, Unit.id)
        .limit(at_most)
    )
    found = organisation.branches_of_boxes(session, list(ids))
    return sorted(found.values(), key=lambda branch: (branch.path, branch.name))


def require(session: Session, reach: Reach, slug: str) -> Branch:
    """The branch with this slug, if it is within reach; raises NotFound, Forbidden."""
    branch = organisation.branch(session, slug)
    within = sa.select(Unit.id).where(Unit.id == branch.id, reach.within())
    if session.scalar(within) is None:
        raise Forbidden(N_("这个支部的意见不归您录入，什么都没有存下。请打开您自己的支部。"))
    return branch
