"""The county as a spreadsheet, such that importing it again changes nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import sqlalchemy as sa
from openpyxl import Workbook
from sqlalchemy.orm import Session, aliased, joinedload

from app.organisation.models import ContactPoint, Leader, Member, Unit

_MADE = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
_RISKY = ("=", "+", "-", "@", "\t", "\r")


def defused(text: str) -> str:
    """A text that no office program takes for a formula: an apostrophe goes before it."""
    return f"'{text}" if text.startswith(_RISKY) else text


def export(session: Session, staff: Iterable[Sequence[str]] = ()) -> bytes:
    """An XLSX file with the sheets `units`, `members`, `staff` (username, role, unit's slug).

    Closed units are left out: the file is the county as it is now. No date finer than a day.
    """
    book = Workbook(write_only=True)
    units = book.create_sheet("units")
    units.append(["slug", "name", "parent", "kind", "phone", "group", "second_eyes"])
    group = aliased(Unit)
    query = (
        sa.select(Unit, group.slug)
        .outerjoin(group, Unit.group_id == group.id)
        .options(joinedload(Unit.parent), joinedload(Unit.box))
        .where(Unit.closed_on.is_(None))
        .order_by(Unit.slug)
    )
    for unit, group_slug in session.execute(query):
        eyes = "yes" if unit.box and unit.box.second_eyes else "no"
        parent = unit.parent.slug if unit.parent else ""
        cells = [unit.slug, unit.name, parent, unit.kind, unit.phone, group_slug or "", eyes]
        units.append([defused(str(cell)) for cell in cells])
    members = book.create_sheet("members")
    members.append(["number", "name", "branch"])
    rows = sa.select(Member.number, Member.name, Unit.slug).join(Unit, Unit.id == Member.unit_id)
    for line in session.execute(rows.where(Member.left_on.is_(None)).order_by(Member.number)):
        members.append([defused(cell) for cell in line])
    sheet = book.create_sheet("staff")
    sheet.append(["username", "role", "unit"])
    for person in staff:
        sheet.append([defused(cell) for cell in person])
    _contact_points(session, book)
    return saved(book)


def _contact_points(session: Session, book: Workbook) -> None:
    points = book.create_sheet("contacts")
    points.append(["leader", "post", "branch"])  # no address: those are sealed
    answers = (
        sa.select(Leader.name, Leader.post, Unit.slug)
        .join(ContactPoint, ContactPoint.leader_id == Leader.id)
        .join(Unit, Unit.id == ContactPoint.unit_id)
        .where(Unit.closed_on.is_(None))
    )
    for line in session.execute(answers.order_by(Leader.name, Unit.slug)):
        points.append([defused(cell) for cell in line])


def saved(book: Workbook) -> bytes:
    """The file of a workbook, without the instant of its making, in its own fields or the zip's."""
    raw, out = io.BytesIO(), io.BytesIO()
    book.save(raw)
    with ZipFile(raw) as made, ZipFile(out, "w") as timeless:
        for name in made.namelist():
            content = _MADE.sub(rb"\g<1>2000-01-01T00:00:00Z", made.read(name))
            timeless.writestr(ZipInfo(name), content, ZIP_DEFLATED)  # dated 1980, like all zips
    return out.getvalue()
