"""Bringing a read spreadsheet into the tree: all or nothing, and a second time changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_
from app.organisation import tree
from app.organisation.models import Member, Unit, UnitKind
from app.organisation.sheets import (
    MOST_FAULTS,
    Book,
    Fault,
    MemberRow,
    SheetError,
    StaffRow,
    UnitRow,
)

Progress = Callable[[str, int, int], None]


@dataclass
class Imported:
    """How much was new, how much was changed; `staff` still has to be invited."""

    units_added: int = 0
    units_changed: int = 0
    members_added: int = 0
    members_changed: int = 0
    staff: tuple[StaffRow, ...] = ()


def bring_in(
    session: Session, book: Book, today: dt.date, progress: Progress = lambda *_: None
) -> Imported:
    """Add what is new and change what differs; what the file doesn't name is left alone.

    Keys: a unit's slug, a member's number, a username. Raises SheetError with every fault, and
    then nothing may be committed.
    """
    units = {unit.slug: unit for unit in session.scalars(sa.select(Unit))}
    _check_units(book, units)
    done = Imported(staff=book.staff)
    # Parents before children, whatever their order in the file.
    order = {UnitKind.COUNTY: 0, UnitKind.GROUP: 1, UnitKind.UNIT: 2, UnitKind.BRANCH: 3}
    rows = sorted(book.units, key=lambda row: (order[row.kind], row.row))
    for count, row in enumerate(rows, 1):
        _bring_unit(session, row, units, today, done)
        progress("units", count, len(rows))
    for row in rows:
        watched, group = units[row.slug], units.get(row.group)
        if row.group:
            watched.group_id = group.id if group else None
    session.flush()
    _bring_members(session, book, units, done, progress)
    return done


def _check_units(book: Book, there: dict[str, Unit]) -> None:
    kinds = {slug: unit.kind for slug, unit in there.items()}
    seen: dict[str, UnitRow] = {}
    faults: list[Fault] = []
    for row in book.units:
        if row.slug in seen:
            values: dict[str, object] = {"row": seen[row.slug].row}
            faults.append(_fault(book, row, "slug", N_("标识和第 %(row)d 行重复了。"), values))
        elif row.slug in there and there[row.slug].kind is not row.kind:
            faults.append(
                _fault(book, row, "kind", N_("这个标识已经有了，但类别不同，不能改类别。"))
            )
        seen.setdefault(row.slug, row)
        kinds.setdefault(row.slug, row.kind)
    for row in book.units:
        faults += _check_place(book, row, seen, kinds)
    if sum(kind is UnitKind.COUNTY for kind in kinds.values()) > 1:
        row = next(row for row in reversed(book.units) if row.kind is UnitKind.COUNTY)
        faults.append(_fault(book, row, "kind", N_("只能有一个县。")))
    if faults:
        raise SheetError(faults[:MOST_FAULTS])


def _fault(
    book: Book, row: UnitRow, column: str, message: str, values: dict[str, object] | None = None
) -> Fault:
    letter = book.letter("units", column)
    return Fault("units", row.row, letter, message, tuple((values or {}).items()))


def _check_place(
    book: Book, row: UnitRow, rows: dict[str, UnitRow], kinds: dict[str, UnitKind]
) -> list[Fault]:
    faults = []
    parent: dict[str, object] = {"parent": row.parent[:64]}
    group: dict[str, object] = {"group": row.group[:64]}
    if _in_circle(row, rows):
        faults.append(_fault(book, row, "parent", N_("上级绕成了圈：它成了自己的上级。")))
    elif row.parent and row.parent not in kinds:
        faults.append(_fault(book, row, "parent", N_("没有这个上级：%(parent)s。"), parent))
    elif (kinds.get(row.parent) if row.parent else None) not in tree.BELOW[row.kind]:
        faults.append(
            _fault(book, row, "parent", N_("上级的级别不对：支部挂在单位下面，单位挂在县下面。"))
        )
    if row.group and kinds.get(row.group) is not UnitKind.GROUP:
        faults.append(_fault(book, row, "group", N_("没有这个监督组：%(group)s。"), group))
    return faults


def _in_circle(row: UnitRow, rows: dict[str, UnitRow]) -> bool:
    seen = set()
    at: UnitRow | None = row
    while at is not None and at.slug not in seen:
        seen.add(at.slug)
        at = rows.get(at.parent) if at.parent else None
    return at is not None and at.slug == row.slug


def _bring_unit(
    session: Session, row: UnitRow, units: dict[str, Unit], today: dt.date, done: Imported
) -> None:
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
        units[row.slug] = unit
        done.units_added += 1
    else:
        before = (unit.name, unit.phone, unit.parent_id)
        phone = row.phone or unit.phone
        tree.rename(session, unit, row.name, phone, today)
        if parent is not None:
            tree.move(session, unit, parent, today)
        done.units_changed += before != (unit.name, unit.phone, unit.parent_id)
    if unit.box is not None:
        unit.box.second_eyes = row.second_eyes


def _bring_members(
    session: Session, book: Book, units: dict[str, Unit], done: Imported, progress: Progress
) -> None:
    members = {member.number: member for member in session.scalars(sa.select(Member))}
    faults: list[Fault] = []
    seen: dict[str, MemberRow] = {}
    for count, row in enumerate(book.members, 1):
        branch = units.get(row.branch)
        if row.number in seen:
            column, message = "number", N_("编号和第 %(row)d 行重复了。")
            values: dict[str, object] = {"row": seen[row.number].row}
        elif branch is None or branch.kind is not UnitKind.BRANCH:
            column, message = "branch", N_("没有这个支部：%(branch)s。这一列填支部的标识。")
            values = {"branch": row.branch[:64]}
        else:
            seen[row.number] = row
            _bring_member(session, row, branch, members, done)
            progress("members", count, len(book.members))
            continue
        letter = book.letter("members", column)
        faults.append(Fault("members", row.row, letter, message, tuple(values.items())))
    faults += _check_staff(book, units)
    if faults:
        raise SheetError(faults[:MOST_FAULTS])
    session.flush()


def _bring_member(
    session: Session, row: MemberRow, branch: Unit, members: dict[str, Member], done: Imported
) -> None:
    member = members.get(row.number)
    if member is None:
        session.add(Member(number=row.number, name=row.name, unit_id=branch.id))
        done.members_added += 1
    elif (member.name, member.unit_id, member.left_on) != (row.name, branch.id, None):
        # Whoever stands on the roll is of the branch: also one who was struck off by mistake.
        member.name, member.unit_id, member.left_on = row.name, branch.id, None
        done.members_changed += 1


def _check_staff(book: Book, units: dict[str, Unit]) -> list[Fault]:
    faults = []
    seen: set[tuple[str, str, str]] = set()
    for row in book.staff:
        if row.unit and row.unit not in units:
            letter, message = book.letter("staff", "unit"), N_("没有这个单位：%(unit)s。")
            faults.append(Fault("staff", row.row, letter, message, (("unit", row.unit[:64]),)))
        elif (row.username, row.role, row.unit) in seen:
            letter = book.letter("staff", "username")
            faults.append(Fault("staff", row.row, letter, N_("这一行和上面的重复了。")))
        seen.add((row.username, row.role, row.unit))
    return faults
