"""Contact points (联系点): which leader of the county answers for which branch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, Invalid, NotFound
from app.organisation.models import ContactPoint, Leader, Unit, UnitKind

MAX_NAME = 60


@dataclass(frozen=True)
class Contact:
    """A leader and the branches (slug, name) that they answer for."""

    id: str
    name: str
    post: str
    branches: tuple[tuple[str, str], ...]


def all_of(session: Session) -> list[Contact]:
    """The leaders with their branches; two queries."""
    query = (
        sa.select(ContactPoint.leader_id, Unit.slug, Unit.name)
        .join(Unit, Unit.id == ContactPoint.unit_id)
        .order_by(Unit.name)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for leader_id, slug, name in session.execute(query):
        found.setdefault(leader_id, []).append((slug, name))
    leaders = session.scalars(sa.select(Leader).order_by(Leader.name, Leader.post))
    return [Contact(one.id, one.name, one.post, tuple(found.get(one.id, ()))) for one in leaders]


def leaders_of(session: Session, unit_ids: Iterable[str]) -> dict[str, Leader]:
    """The leader of each of these branches that has one."""
    query = (
        sa.select(ContactPoint.unit_id, Leader)
        .join(Leader, Leader.id == ContactPoint.leader_id)
        .where(ContactPoint.unit_id.in_(list(unit_ids)))
    )
    return {unit_id: leader for unit_id, leader in session.execute(query)}  # noqa: C416


def leader(session: Session, leader_id: str) -> Leader:
    """A leader; raises NotFound."""
    found = session.get(Leader, leader_id)
    if found is None:
        raise NotFound(N_("没有这位联系领导，可能已经删了。"))
    return found


def named(session: Session, name: str, post: str) -> Leader:
    """The leader of this name and post, made where there is none yet. Raises Invalid."""
    name, post = " ".join(name.split()), " ".join(post.split())
    if not name or len(name) > MAX_NAME or len(post) > MAX_NAME:
        raise Invalid(N_("请写上联系领导的姓名。没有存下。"), field="name")
    found = session.scalar(sa.select(Leader).where(Leader.name == name, Leader.post == post))
    if found is None:
        found = Leader(name=name, post=post)
        session.add(found)
        session.flush()
    return found


def assign(session: Session, unit: Unit, to: Leader) -> bool:
    """Let a leader answer for a branch, in place of whoever did; whether anything changed."""
    if unit.kind is not UnitKind.BRANCH or unit.closed_on is not None:
        raise Invalid(N_("联系点要是一个支部，而且没有撤。没有存下。"), field="branch")
    there = session.get(ContactPoint, unit.id)
    if there is not None and there.leader_id == to.id:
        return False
    if there is None:
        session.add(ContactPoint(unit_id=unit.id, leader_id=to.id))
    else:
        there.leader_id = to.id
    session.flush()
    return True


def release(session: Session, unit: Unit) -> None:
    """Nobody answers for the branch any more."""
    session.execute(sa.delete(ContactPoint).where(ContactPoint.unit_id == unit.id))


def remove(session: Session, found: Leader) -> None:
    """Forget a leader; their branches are free again."""
    session.delete(found)
    session.flush()
