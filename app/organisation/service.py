"""Finding branches and their boxes; setting up the tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app.errors import N_, NotFound
from app.organisation.models import Box, Unit, UnitKind

MOST_RESULTS = 20


@dataclass(frozen=True)
class Branch:
    """A branch as pages show it; `box_id` is None where it has no box."""

    id: str
    slug: str
    name: str
    path: str
    phone: str
    box_id: str | None
    second_eyes: bool = False


@dataclass(frozen=True)
class TreeNode:
    """A unit with what hangs below it."""

    name: str
    slug: str
    box: bool
    children: tuple[TreeNode, ...]


def _branch(unit: Unit) -> Branch:
    return Branch(
        id=unit.id,
        slug=unit.slug,
        name=unit.name,
        path=unit.parent.name if unit.parent else "",
        phone=unit.phone or (unit.parent.phone if unit.parent else ""),
        box_id=unit.box.id if unit.box else None,
        second_eyes=unit.box.second_eyes if unit.box else False,
    )


def _query() -> sa.Select[Unit]:
    return sa.select(Unit).options(joinedload(Unit.parent), joinedload(Unit.box))


def branch(session: Session, slug: str) -> Branch:
    """The unit with this slug; raises NotFound."""
    unit = session.scalar(_query().where(Unit.slug == slug))
    if unit is None:
        raise NotFound(N_("没有找到这个支部。网址可能抄错了，请从首页按名称查找。"))
    return _branch(unit)


def branches_of_boxes(session: Session, box_ids: Iterable[str]) -> dict[str, Branch]:
    """The branches that these boxes belong to, by box; one query."""
    query = _query().join(Unit.box).where(Box.id.in_(list(box_ids)))
    found = (_branch(unit) for unit in session.scalars(query))
    return {branch.box_id: branch for branch in found if branch.box_id}


def search(session: Session, typed: str) -> list[Branch]:
    """Branches with a box whose name, or whose unit's name, holds every word typed."""
    words = typed.split()[:5]
    if not words:
        return []
    parent = sa.orm.aliased(Unit)
    query = _query().join(Unit.box).outerjoin(parent, Unit.parent_id == parent.id)
    for word in words:
        query = query.where(
            sa.or_(
                Unit.name.icontains(word, autoescape=True),
                parent.name.icontains(word, autoescape=True),
            )
        )
    return [
        _branch(unit) for unit in session.scalars(query.order_by(Unit.name).limit(MOST_RESULTS))
    ]


def tree(session: Session) -> tuple[TreeNode, ...]:
    """The whole tree; one query."""
    units = session.scalars(sa.select(Unit).options(joinedload(Unit.box)).order_by(Unit.name))
    below: dict[str | None, list[Unit]] = {}
    for unit in units:
        below.setdefault(unit.parent_id, []).append(unit)

    def nodes(parent_id: str | None) -> tuple[TreeNode, ...]:
        return tuple(
            TreeNode(unit.name, unit.slug, unit.box is not None, nodes(unit.id))
            for unit in below.get(parent_id, [])
        )

    return nodes(None)


def add_unit(
    session: Session,
    *,
    slug: str,
    name: str,
    kind: UnitKind,
    parent: Unit | None = None,
    phone: str = "",
) -> Unit:
    """Hang a unit into the tree."""
    unit = Unit(slug=slug, name=name, kind=kind, parent=parent, phone=phone)
    session.add(unit)
    session.flush()
    return unit


def add_box(session: Session, unit: Unit, *, second_eyes: bool = False) -> Box:
    """Give a branch its box; it is closed until somebody keeps it."""
    box = Box(unit=unit, second_eyes=second_eyes)
    session.add(box)
    session.flush()
    return box
