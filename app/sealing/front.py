"""What stands on a box's front: its branch, who keeps it, the group above, the lock on it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.organisation import service as organisation
from app.organisation.models import Box, Member, Unit, UnitKind
from app.organisation.service import NO_BRANCH, Branch
from app.sealing.models import BoxKey, OpeningKey


@dataclass(frozen=True)
class Front:
    """A branch with its box as whoever stands before it sees it.

    `kept`: somebody holds the box's key. `members` are those on the branch's roll. `group` is the
    supervision group above, None where there is none or nobody keeps its box. `lock_id` and
    `locked_on` are those of the present opening key, which a fresh form names.
    """

    branch: Branch
    kept: bool
    members: int
    group: Branch | None
    lock_id: str
    locked_on: dt.date


def front(connection: Connection, slug: str) -> Front:
    """The front of the unit with this slug; one query. Raises NotFound."""
    row = connection.execute(_FRONT, {"slug": slug}).one_or_none()
    if row is None:
        raise NotFound(NO_BRANCH)
    return Front(
        branch=Branch(
            id=row.id,
            slug=slug,
            name=row.name,
            path=row.path or "",
            phone=row.phone or row.phone_above or "",
            box_id=row.box_id,
            second_eyes=bool(row.second_eyes),
            is_group=row.kind is UnitKind.GROUP,
            closed=row.closed_on is not None,
            merged_into=row.merged_into,
        ),
        kept=bool(row.kept),
        members=row.members,
        group=_group(connection, row),
        lock_id=row.lock_id,
        locked_on=row.locked_on,
    )


def _group(connection: Connection, row: Any) -> Branch | None:
    """The group of the unit, or of the nearest above it; a tree deeper than usual is climbed."""
    if row.group_id is None:
        with Session(connection) as session:
            found = organisation.superior(session, row.higher_id) if row.higher_id else None
            kept = found is not None and bool(session.scalar(_KEPT_BOX, {"box_id": found.box_id}))
            return found if kept else None
    if not row.group_kept:
        return None
    return Branch(
        row.group_id, row.group_slug, row.group_name, "", "", row.group_box, is_group=True
    )


def _is_kept(box_id: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(BoxKey.box_id == box_id, BoxKey.retired_on.is_(None))


def _query() -> sa.Executable:
    parent, above, group, group_box = aliased(Unit), aliased(Unit), aliased(Unit), aliased(Box)
    group_id = sa.func.coalesce(Unit.group_id, parent.group_id, above.group_id)
    members = sa.select(sa.func.count()).where(Member.unit_id == Unit.id, Member.left_on.is_(None))
    return (
        sa.select(
            Unit.id, Unit.name, Unit.kind, Unit.phone, Unit.closed_on, Unit.merged_into,
            parent.name.label("path"), parent.phone.label("phone_above"),
            Box.id.label("box_id"), Box.second_eyes, _is_kept(Box.id).label("kept"),
            members.scalar_subquery().label("members"), above.parent_id.label("higher_id"),
            group.id.label("group_id"), group.slug.label("group_slug"),
            group.name.label("group_name"), group_box.id.label("group_box"),
            _is_kept(group_box.id).label("group_kept"),
            OpeningKey.id.label("lock_id"), OpeningKey.made_on.label("locked_on"),
        )
        .select_from(Unit)
        .join(OpeningKey, sa.true())
        .outerjoin(Box, Box.unit_id == Unit.id)
        .outerjoin(parent, parent.id == Unit.parent_id)
        .outerjoin(above, above.id == parent.parent_id)
        .outerjoin(group, group.id == group_id)
        .outerjoin(group_box, group_box.unit_id == group.id)
        .where(Unit.slug == sa.bindparam("slug"))
    )  # fmt: skip


# Built once: putting it together would take longer than the database takes to answer.
_FRONT = _query()
_KEPT_BOX = sa.select(_is_kept(sa.bindparam("box_id")))
