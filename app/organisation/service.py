"""Finding branches and their boxes; setting up the tree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased, joinedload

from app.errors import N_, NotFound
from app.organisation.models import Box, Member, Unit, UnitKind
from app.organisation.pinyin import search_key

MOST_RESULTS = 20
NO_BRANCH = N_("没有找到这个支部。网址可能抄错了，请从首页按名称查找。")


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
    is_group: bool = False
    closed: bool = False
    merged_into: str | None = None


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
        is_group=unit.kind is UnitKind.GROUP,
        closed=unit.closed_on is not None,
        merged_into=unit.merged_into,
    )


def _query() -> sa.Select[Unit]:
    return sa.select(Unit).options(joinedload(Unit.parent), joinedload(Unit.box))


def branch(session: Session, slug: str) -> Branch:
    """The unit with this slug; raises NotFound."""
    unit = session.scalar(_query().where(Unit.slug == slug))
    if unit is None:
        raise NotFound(NO_BRANCH)
    return _branch(unit)


def branches_of_boxes(session: Session, box_ids: Iterable[str]) -> dict[str, Branch]:
    """The branches that these boxes belong to, by box; one query."""
    query = _query().join(Unit.box).where(Box.id.in_(list(box_ids)))
    found = (_branch(unit) for unit in session.scalars(query))
    return {branch.box_id: branch for branch in found if branch.box_id}


def superior(session: Session, unit_id: str) -> Branch | None:
    """The supervision group above a unit: its own, or that of the nearest unit above it."""
    unit = session.get(Unit, unit_id)
    while unit is not None and unit.group_id is None:
        unit = unit.parent
    if unit is None:
        return None
    found = session.scalar(_query().where(Unit.id == unit.group_id))
    return _branch(found) if found else None


def unit_of(session: Session, unit_id: str) -> Branch | None:
    """The unit with this id, closed ones too."""
    found = session.scalar(_query().where(Unit.id == unit_id))
    return _branch(found) if found else None


def county(session: Session) -> Unit:
    """The top of the tree. Raises NotFound."""
    found = session.scalar(sa.select(Unit).where(Unit.kind == UnitKind.COUNTY))
    if found is None:
        raise NotFound(N_("还没有建县这一级。请先导入或新建单位。"))
    return found


def below(session: Session, unit_id: str) -> list[Branch]:
    """The units that hang below one, without closed ones."""
    query = _query().where(Unit.parent_id == unit_id, Unit.closed_on.is_(None))
    return [_branch(found) for found in session.scalars(query.order_by(Unit.name))]


def groups(session: Session) -> list[Branch]:
    """The supervision groups."""
    query = _query().where(Unit.kind == UnitKind.GROUP, Unit.closed_on.is_(None))
    return [_branch(found) for found in session.scalars(query.order_by(Unit.name))]


def with_boxes(
    session: Session,
    condition: sa.ColumnElement[bool],
    most: int,
    *,
    group_ids: Iterable[str] | None = None,
) -> list[Branch]:
    """At most so many units whose box meets a condition, by name, without closed units.

    `group_ids`: those alone that these supervision groups watch, from the nearest unit above.
    """
    parent, above = sa.orm.aliased(Unit), sa.orm.aliased(Unit)
    query = _query().join(Unit.box).where(Unit.closed_on.is_(None), condition)
    if group_ids is not None:
        watched_by = sa.func.coalesce(Unit.group_id, parent.group_id, above.group_id)
        query = query.outerjoin(parent, Unit.parent_id == parent.id)
        query = query.outerjoin(above, parent.parent_id == above.id)
        query = query.where(watched_by.in_(list(group_ids)))
    return [_branch(unit) for unit in session.scalars(query.order_by(Unit.name).limit(most))]


def member_count(session: Session, unit_id: str) -> int:
    """How many members a branch's roll has."""
    query = sa.select(sa.func.count()).where(Member.unit_id == unit_id, Member.left_on.is_(None))
    return session.scalar(query) or 0


def leave(session: Session, member: Member, today: dt.date) -> None:
    """A member who died, moved away or gave up membership: off the roll from this day on."""
    if member.left_on is None:
        member.left_on = today
        session.flush()


def names(session: Session, unit_ids: Iterable[str]) -> dict[str, str]:
    """The names of these units."""
    rows = session.execute(sa.select(Unit.id, Unit.name).where(Unit.id.in_(list(unit_ids))))
    return {unit_id: name for unit_id, name in rows}  # noqa: C416


def siblings(session: Session, unit_id: str) -> list[Branch]:
    """The other units below the same unit, at most fifty."""
    unit = session.get_one(Unit, unit_id)
    query = _query().where(
        Unit.parent_id == unit.parent_id, Unit.id != unit.id, Unit.kind != UnitKind.GROUP
    )
    return [_branch(found) for found in session.scalars(query.order_by(Unit.name).limit(50))]


def named(session: Session, typed: str) -> Branch | None:
    """The unit with this slug or exactly this name; None when there is none or more than one."""
    typed = typed.strip()
    found = session.scalars(_query().where(Unit.slug == typed)).first()
    if found is None:
        several = list(session.scalars(_query().where(Unit.name == typed).limit(2)))
        found = several[0] if len(several) == 1 else None
    return _branch(found) if found else None


def search(
    session: Session,
    typed: str,
    *,
    everything: bool = False,
    within: sa.ColumnElement[bool] | None = None,
) -> list[Branch]:
    """At most 20 branches in whose name, or whose unit's name, every word typed stands.

    A word of Latin letters is looked for in their pinyin too, whole or by initials; where nothing
    is found, Chinese words by their sound: one wrong character, or another script, is no obstacle.
    Names that begin with the first word come first. What was merged is found by its old name;
    `everything`: units without a box and closed ones too; `within`: of these units alone.
    """
    words = typed.casefold().split()[:5]
    if not words:
        return []
    places = sa.true() if within is None else within
    found = _found(session, words, places, everything=everything)
    sounds = [search_key(word).partition(" ")[0] for word in words]
    if found or sounds == words:
        return found
    return _found(session, sounds, places, everything=everything)


def _found(
    session: Session, words: list[str], within: sa.ColumnElement[bool], *, everything: bool
) -> list[Branch]:
    parent = sa.orm.aliased(Unit)
    query = _query().outerjoin(parent, Unit.parent_id == parent.id).where(within)
    if not everything:
        still = Unit.closed_on.is_(None) | Unit.merged_into.is_not(None)
        query = query.join(Unit.box).where(still)
    for word in words:
        places = [Unit.name, parent.name]
        if word.isascii() and word.isalnum():
            places += [Unit.search_key, parent.search_key]
        query = query.where(sa.or_(*(p.icontains(word, autoescape=True) for p in places)))
    begins = sa.or_(
        Unit.name.istartswith(words[0], autoescape=True),
        Unit.search_key.startswith(words[0], autoescape=True),
        Unit.search_key.contains(f" {words[0]}", autoescape=True),
    )
    query = query.order_by(sa.case((begins, 0), else_=1), Unit.name).limit(MOST_RESULTS)
    return [_branch(unit) for unit in session.scalars(query)]


def tree(session: Session) -> tuple[TreeNode, ...]:
    """The whole tree without the supervision groups; one query."""
    query = sa.select(Unit).where(Unit.kind != UnitKind.GROUP, Unit.closed_on.is_(None))
    units = session.scalars(query.options(joinedload(Unit.box)).order_by(Unit.name))
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
    group: Unit | None = None,
) -> Unit:
    """Hang a unit into the tree; `group` watches it and everything below."""
    unit = Unit(
        slug=slug,
        name=name,
        kind=kind,
        parent=parent,
        phone=phone,
        group_id=group.id if group else None,
        search_key=search_key(name),
    )
    session.add(unit)
    session.flush()
    return unit


def add_box(session: Session, unit: Unit, *, second_eyes: bool = False) -> Box:
    """Give a branch its box; it is closed until somebody keeps it."""
    box = Box(unit=unit, second_eyes=second_eyes)
    session.add(box)
    session.flush()
    return box


def watched_by(group_ids: Iterable[str]) -> sa.Select[str]:
    """The ids of the units that these supervision groups watch: by their own name, or by their
    parent's where they name none."""
    parent = aliased(Unit)
    return (
        sa.select(Unit.id)
        .outerjoin(parent, Unit.parent_id == parent.id)
        .where(sa.func.coalesce(Unit.group_id, parent.group_id).in_(list(group_ids)))
    )
