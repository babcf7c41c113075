"""Changing the tree: adding, renaming, moving, merging, closing; history and slugs are kept."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Invalid, NotFound
from app.organisation.models import Box, Member, Unit, UnitChange, UnitEvent, UnitKind
from app.organisation.pinyin import search_key
from app.organisation.sheet_rows import SLUG

# What may hang below what.
BELOW = {
    UnitKind.COUNTY: (None,),
    UnitKind.UNIT: (UnitKind.COUNTY,),
    UnitKind.GROUP: (UnitKind.COUNTY,),
    UnitKind.BRANCH: (UnitKind.UNIT, UnitKind.COUNTY),
}
WITH_BOX = (UnitKind.BRANCH, UnitKind.GROUP)
# Addresses of the desk that a unit's page would hide.
RESERVED = ("import", "export")
MAX_NAME, MAX_PHONE = 120, 40


def unit(session: Session, slug: str) -> Unit:
    """The unit with this slug, closed ones too; raises NotFound."""
    found = session.scalar(sa.select(Unit).where(Unit.slug == slug))
    if found is None:
        raise NotFound(N_("没有找到这个单位。请从单位列表里选。"))
    return found


def history(session: Session, unit_id: str) -> list[UnitEvent]:
    """What happened to a unit, newest first."""
    query = sa.select(UnitEvent).where(UnitEvent.unit_id == unit_id)
    return list(session.scalars(query.order_by(UnitEvent.changed_on.desc(), UnitEvent.id)))


def _note(
    session: Session, changed: Unit, change: UnitChange, today: dt.date, before: str, after: str
) -> None:
    session.add(
        UnitEvent(unit_id=changed.id, change=change, changed_on=today, before=before, after=after)
    )


def _name(text: str) -> str:
    text = " ".join(text.split())
    if not text or len(text) > MAX_NAME:
        raise Invalid(
            N_("名称不能空着，最多 %(most)d 个字。没有改动。"), field="name", most=MAX_NAME
        )
    return text


def _require_place(kind: UnitKind, parent: Unit | None) -> None:
    if (parent.kind if parent else None) not in BELOW[kind] or (parent and parent.closed_on):
        raise Invalid(
            N_("不能挂在这里：单位和监督组挂在县下面，支部挂在单位下面。没有改动。"), field="parent"
        )


def add(
    session: Session,
    *,
    slug: str,
    name: str,
    kind: UnitKind,
    parent: Unit | None,
    today: dt.date,
    phone: str = "",
) -> Unit:
    """Hang a new unit into the tree; a branch or group gets its box, closed until it is kept.

    Raises Invalid (fields `slug`, `name`, `parent`).
    """
    slug = slug.strip()
    if not SLUG.fullmatch(slug) or slug in RESERVED:
        raise Invalid(
            N_("短名只能用小写字母、数字和中间的短横，最多 64 个。没有改动。"), field="slug"
        )
    if session.scalar(sa.select(sa.exists().where(Unit.slug == slug))):
        raise Invalid(N_("这个短名已经有单位用了，请换一个。没有改动。"), field="slug")
    _require_place(kind, parent)
    name = _name(name)
    made = Unit(
        slug=slug, name=name, kind=kind, parent=parent, phone=phone[:MAX_PHONE],
        search_key=search_key(name),
    )  # fmt: skip
    if kind in WITH_BOX:
        made.box = Box()
    session.add(made)
    session.flush()
    _note(session, made, UnitChange.ADDED, today, "", name)
    return made


def rename(session: Session, changed: Unit, name: str, phone: str, today: dt.date) -> None:
    """Give a unit another name or telephone number; its slug stands on posters and stays."""
    name = _name(name)
    if name != changed.name:
        _note(session, changed, UnitChange.RENAMED, today, changed.name, name)
        changed.name, changed.search_key = name, search_key(name)
    changed.phone = phone.strip()[:MAX_PHONE]
    session.flush()


def move(session: Session, changed: Unit, parent: Unit, today: dt.date) -> None:
    """Hang a unit below another one, with everything below it."""
    _require_place(changed.kind, parent)
    if parent.id == changed.parent_id:
        return
    before = changed.parent.name if changed.parent else ""
    _note(session, changed, UnitChange.MOVED, today, before, parent.name)
    changed.parent = parent
    session.flush()


def close(session: Session, changed: Unit, today: dt.date) -> None:
    """Close a unit: it takes nothing new; its cases are finished, its answers stay readable.

    Raises Conflict while something open hangs below it.
    """
    if changed.kind is UnitKind.COUNTY:
        raise Conflict(N_("县这一级不能撤。没有改动。"))
    if changed.closed_on is not None:
        raise Conflict(N_("它已经撤了。没有改动。"))
    below = sa.exists().where(Unit.parent_id == changed.id, Unit.closed_on.is_(None))
    watched = sa.exists().where(Unit.group_id == changed.id, Unit.closed_on.is_(None))
    if session.scalar(sa.select(below)) or session.scalar(sa.select(watched)):
        raise Conflict(N_("它下面还有没撤的支部，或还管着别的单位。请先把它们移走。没有改动。"))
    changed.closed_on = today
    _note(session, changed, UnitChange.CLOSED, today, changed.name, "")
    session.flush()


def merge(session: Session, changed: Unit, into: Unit, today: dt.date) -> None:
    """Close a unit because it became part of another of its kind: its page leads there.

    Receipts go on working, and its keepers finish the cases that are open. Its members go along.
    """
    if into.id == changed.id or into.kind is not changed.kind or into.closed_on is not None:
        raise Invalid(N_("只能并到同一级的另一个单位，而且它没有撤。没有改动。"), field="into")
    for child in session.scalars(sa.select(Unit).where(Unit.parent_id == changed.id)):
        if child.closed_on is None:
            move(session, child, into, today)
    close(session, changed, today)
    changed.merged_into = into.id
    roll = sa.update(Member).where(Member.unit_id == changed.id)
    session.execute(roll.values(unit_id=into.id))
    _note(session, changed, UnitChange.MERGED, today, changed.name, into.name)
    session.flush()


def reopen(session: Session, changed: Unit, today: dt.date) -> None:
    """Take a closing or a merger back."""
    if changed.closed_on is None:
        raise Conflict(N_("它没有撤，不用恢复。没有改动。"))
    _require_place(changed.kind, changed.parent)
    changed.closed_on = changed.merged_into = None
    _note(session, changed, UnitChange.REOPENED, today, "", changed.name)
    session.flush()


def set_policy(session: Session, changed: Unit, *, second_eyes: bool, group: Unit | None) -> None:
    """Whether answers need a second pair of eyes, and which supervision group watches."""
    if group is not None and (group.kind is not UnitKind.GROUP or group.id == changed.id):
        raise Invalid(N_("请从列出来的监督组里选。没有改动。"), field="group")
    changed.group_id = group.id if group else None
    if changed.box is not None:
        changed.box.second_eyes = second_eyes
    session.flush()
