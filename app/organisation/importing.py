"""Bringing a read spreadsheet into the tree: all or nothing, and a second time changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from app.errors import N_
from app.organisation import contact_sheet, tree
from app.organisation.models import Member, Unit, UnitKind
from app.organisation.sheet_rows import MemberRow, StaffRow, UnitRow
from app.organisation.sheets import MOST_FAULTS, Book, Fault, SheetError
from app.progress import Progress

# Who holds a box's key works at a unit with a box; the others look after the whole county.
_AT_A_BOX = ("keeper", "supervisor")


@dataclass
class Imported:
    """How much was new, how much was changed; `staff` still has to be invited, and the
    `addresses` (leader's id, e-mail) to be kept."""

    units_added: int = 0
    units_changed: int = 0
    members_added: int = 0
    members_changed: int = 0
    staff: tuple[StaffRow, ...] = ()
    contacts_changed: int = 0
    addresses: tuple[tuple[str, str], ...] = ()


def check(session: Session, book: Book) -> None:
    """Raises SheetError with every fault of the book against the tree (at most 200)."""
    there = {unit.slug: unit for unit in session.scalars(sa.select(Unit))}
    kinds = {row.slug: row.kind for row in book.units}
    known = _Known(
        rows={row.slug: row for row in reversed(book.units)},
        kinds=kinds | {slug: unit.kind for slug, unit in there.items()},
        closed={slug for slug, unit in there.items() if unit.closed_on is not None},
        stayed=_stayed(session),
    )
    faults = [
        *_check_units(book, known),
        *_check_members(book, known),
        *_check_staff(book, known),
        *contact_sheet.faults(book, known.kinds, known.closed),
    ]
    if faults:
        raise SheetError(faults[:MOST_FAULTS])


def bring_in(
    session: Session, book: Book, today: dt.date, progress: Progress = lambda *_: None
) -> Imported:
    """Add what is new and change what differs; what the file doesn't name is left alone.

    Keys: a unit's slug, a member's number, a username. Raises SheetError with every fault, and
    then nothing may be committed.
    """
    check(session, book)
    query = sa.select(Unit).options(joinedload(Unit.box))
    units = {unit.slug: unit for unit in session.scalars(query)}
    before = {slug: _look(unit) for slug, unit in units.items()}
    done = Imported(staff=book.staff)
    # Parents before children, whatever their order in the file.
    order = {UnitKind.COUNTY: 0, UnitKind.GROUP: 1, UnitKind.UNIT: 2, UnitKind.BRANCH: 3}
    rows = sorted(book.units, key=lambda row: (order[row.kind], row.row))
    for count, row in enumerate(rows, 1):
        units[row.slug] = _bring_unit(session, row, units, today)
        progress("units", count, len(rows))
    for row in rows:
        if row.group:
            units[row.slug].group_id = units[row.group].id
    session.flush()
    done.units_added = len(units) - len(before)
    done.units_changed = sum(_look(units[slug]) != look for slug, look in before.items())
    _bring_members(session, book, units, today, done, progress)
    done.contacts_changed, done.addresses = contact_sheet.bring_in(session, book, units)
    return done


def _stayed(session: Session) -> set[tuple[str, str]]:
    query = sa.select(Member.number, Unit.slug).join(Unit, Unit.id == Member.unit_id)
    rows = session.execute(query.where(Unit.closed_on.is_not(None)))
    return {(number, slug) for number, slug in rows}


def _look(unit: Unit) -> tuple[object, ...]:
    eyes = unit.box.second_eyes if unit.box else None
    return unit.name, unit.phone, unit.parent_id, unit.group_id, eyes


# --- what is wrong --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Known:
    """The tree as it is and as the file makes it; the first of two rows of one slug counts.

    `stayed`: who (by number) is still on the roll of a branch that was closed.
    """

    rows: dict[str, UnitRow]
    kinds: dict[str, UnitKind]
    closed: set[str]
    stayed: set[tuple[str, str]]


def _check_units(book: Book, known: _Known) -> Iterator[Fault]:
    for row in book.units:
        first = known.rows[row.slug]
        if first is not row:
            yield _fault(
                book, "units", row, "slug", N_("短名和第 %(row)d 行重复了。"), row=first.row
            )
        elif row.slug in tree.RESERVED:
            yield _fault(book, "units", row, "slug", N_("这个短名系统自己要用，请换一个。"))
        elif known.kinds[row.slug] is not row.kind:
            yield _fault(
                book, "units", row, "kind", N_("这个短名已经有了，但类别不同，不能改类别。")
            )
        elif row.slug in known.closed:
            yield _fault(
                book, "units", row, "slug",
                N_("这个单位已经撤了。请先在它的页面上恢复，或把这一行去掉。"),
            )  # fmt: skip
        yield from _check_place(book, row, known)
    if sum(kind is UnitKind.COUNTY for kind in known.kinds.values()) > 1:
        row = next(row for row in reversed(book.units) if row.kind is UnitKind.COUNTY)
        yield _fault(book, "units", row, "kind", N_("只能有一个县。"))


def _fault(
    book: Book,
    sheet: str,
    at: UnitRow | MemberRow | StaffRow,
    column: str,
    message: str,
    **values: object,
) -> Fault:
    return Fault(sheet, at.row, book.letter(sheet, column), message, tuple(values.items()))


def _check_place(book: Book, row: UnitRow, known: _Known) -> Iterator[Fault]:
    kind = known.kinds.get(row.parent) if row.parent else None
    message = None
    if _in_circle(row, known.rows):
        message = N_("上级绕成了圈：它成了自己的上级。")
    elif row.parent and kind is None:
        message = N_("没有这个上级：%(parent)s。")
    elif row.parent in known.closed:
        message = N_("上级 %(parent)s 已经撤了。")
    elif kind not in tree.BELOW[row.kind]:
        message = N_("上级的级别不对：支部挂在单位下面，单位挂在县下面。")
    if message:
        yield _fault(book, "units", row, "parent", message, parent=row.parent[:64])
    watcher = known.kinds.get(row.group)
    if row.group and (watcher is not UnitKind.GROUP or row.group in known.closed):
        message = N_("没有这个监督组：%(group)s。")
        yield _fault(book, "units", row, "group", message, group=row.group[:64])


def _in_circle(row: UnitRow, rows: dict[str, UnitRow]) -> bool:
    seen = set()
    at: UnitRow | None = row
    while at is not None and at.slug not in seen:
        seen.add(at.slug)
        at = rows.get(at.parent) if at.parent else None
    return at is not None and at.slug == row.slug


def _check_members(book: Book, known: _Known) -> Iterator[Fault]:
    seen: dict[str, MemberRow] = {}
    for row in book.members:
        first = seen.setdefault(row.number, row)
        if first is not row:
            message = N_("编号和第 %(row)d 行重复了。")
            yield _fault(book, "members", row, "number", message, row=first.row)
        elif known.kinds.get(row.branch) is not UnitKind.BRANCH:
            message = N_("没有这个支部：%(branch)s。这一列填支部的短名。")
            yield _fault(book, "members", row, "branch", message, branch=row.branch[:64])
        elif row.branch in known.closed and not (
            row.left or (row.number, row.branch) in known.stayed
        ):
            message = N_("支部 %(branch)s 已经撤了。")
            yield _fault(book, "members", row, "branch", message, branch=row.branch)


def _check_staff(book: Book, known: _Known) -> Iterator[Fault]:
    seen: set[tuple[str, str, str]] = set()
    for row in book.staff:
        kind = known.kinds.get(row.unit)
        key = (row.username, row.role, row.unit)
        if row.unit and kind is None:
            message = N_("没有这个单位：%(unit)s。")
            yield _fault(book, "staff", row, "unit", message, unit=row.unit[:64])
        elif row.role in _AT_A_BOX and kind not in tree.WITH_BOX:
            message = N_("保管人和监督组成员要写明是哪个支部或监督组。")
            yield _fault(book, "staff", row, "unit", message)
        elif row.role not in _AT_A_BOX and kind not in (None, UnitKind.COUNTY):
            message = N_("县管理员和运维员管全县，这一格请空着。")
            yield _fault(book, "staff", row, "unit", message)
        elif key in seen:
            yield _fault(book, "staff", row, "username", N_("这一行和上面的重复了。"))
        seen.add(key)


# --- what is done ---------------------------------------------------------------------------------


def _bring_unit(session: Session, row: UnitRow, units: dict[str, Unit], today: dt.date) -> Unit:
    parent = units.get(row.parent) if row.parent else None
    unit = units.get(row.slug)
    if unit is None:
        unit = tree.add(
            session,
            slug=row.slug,
            name=row.name,
            kind=row.kind,
            parent=parent,
            today=today,
            phone=row.phone,
        )
    else:
        tree.rename(session, unit, row.name, row.phone or unit.phone, today)
        if parent is not None:
            tree.move(session, unit, parent, today)
    if unit.box is not None and row.second_eyes is not None:
        unit.box.second_eyes = row.second_eyes
    return unit


def _bring_members(
    session: Session,
    book: Book,
    units: dict[str, Unit],
    today: dt.date,
    done: Imported,
    progress: Progress,
) -> None:
    members = {member.number: member for member in session.scalars(sa.select(Member))}
    for count, row in enumerate(book.members, 1):
        member, branch = members.get(row.number), units[row.branch]
        if member is not None:
            done.members_changed += _change_member(member, row, branch, today)
        elif not row.left:
            session.add(Member(number=row.number, name=row.name, unit_id=branch.id))
            done.members_added += 1
        progress("members", count, len(book.members))
    session.flush()


def _change_member(member: Member, row: MemberRow, branch: Unit, today: dt.date) -> bool:
    before = (member.name, member.unit_id, member.left_on)
    member.name, member.unit_id = row.name, branch.id
    member.left_on = (member.left_on or today) if row.left else None
    return before != (member.name, member.unit_id, member.left_on)
