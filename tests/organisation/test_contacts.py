"""Contact points: one leader for a branch, by hand and by the sheet, addresses sealed."""

from __future__ import annotations

import dataclasses
import io

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.errors import Invalid
from app.notifications import leaders as told
from app.notifications.models import Channel
from app.organisation import contacts, exporting, importing, service, sheets
from app.organisation.models import ContactPoint, Leader, Unit, UnitKind
from app.staff.models import Role
from config import Config
from tests.campaigns.conftest import Drive, desk_of, drive

__all__ = ["drive"]


def book(*rows: tuple[str, ...]) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "联系点"
    for row in (("领导", "职务", "支部", "邮箱"), *rows):
        sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def bring_in(made: Drive, raw: bytes) -> importing.Imported:
    with made.writing() as session:
        return importing.bring_in(session, sheets.read_book("c.xlsx", raw), made.clock.today())


def test_a_sheet_names_the_leaders_and_their_branches(drive: Drive) -> None:
    raw = book(("王建国", "县长", "longtan", "wang@example.org"), ("王建国", "县长", "shiqiao", ""))
    done = bring_in(drive, raw)
    assert done.contacts_changed == 2
    assert [address for _, address in done.addresses] == ["wang@example.org"]
    assert bring_in(drive, raw).contacts_changed == 0
    with drive.writing() as session:
        (found,) = contacts.all_of(session)
        assert (found.name, found.post) == ("王建国", "县长")
        assert {slug for slug, _ in found.branches} == {"longtan", "shiqiao"}
        again = sheets.read_book("c.xlsx", exporting.export(session))
        again = dataclasses.replace(again, units=())  # this county has no top
        assert importing.bring_in(session, again, drive.clock.today()).contacts_changed == 0
        assert "wang" not in str(again)  # a sheet holds no address


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (("", "", "longtan", ""), "A"),
        (("王", "", "nowhere", ""), "C"),
        (("王", "", "office", ""), "C"),  # a unit, no branch
        (("王", "", "longtan", "wang"), "D"),
    ],
)
def test_a_fault_of_the_sheet_is_named_by_row_and_column(
    drive: Drive, row: tuple[str, ...], column: str
) -> None:
    with pytest.raises(sheets.SheetError) as refused:
        bring_in(drive, book(row))
    assert [(f.sheet, f.row, f.column) for f in refused.value.faults] == [("contacts", 2, column)]


def test_a_branch_that_stands_twice_is_a_fault(drive: Drive) -> None:
    with pytest.raises(sheets.SheetError):
        bring_in(drive, book(("王", "", "longtan", ""), ("李", "", "longtan", "")))
    with drive.writing() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Leader)) == 0


def test_a_branch_has_one_leader_and_loses_them_with_the_leader(drive: Drive) -> None:
    with drive.writing() as session:
        unit = session.get_one(Unit, drive.here.unit_id)
        first = contacts.named(session, "王建国", "县长")
        assert contacts.assign(session, unit, first)
        assert not contacts.assign(session, unit, first)
        second = contacts.named(session, "李秀英", "")
        assert contacts.assign(session, unit, second)
        assert contacts.leaders_of(session, [unit.id])[unit.id].name == "李秀英"
        with pytest.raises(Invalid):
            contacts.assign(session, session.get_one(Unit, drive.group.unit_id), first)
        with pytest.raises(Invalid):
            contacts.named(session, " ", "")
        contacts.remove(session, second)
        session.expire_all()
        assert session.scalars(sa.select(ContactPoint)).all() == []


def test_the_office_sets_contact_points_at_the_desk(
    app: Flask, config: Config, drive: Drive
) -> None:
    with drive.writing() as session:
        service.add_unit(session, slug="county", name="县", kind=UnitKind.COUNTY)
    boss = desk_of(app, config, "boss", (Role.OFFICE, None))
    page = boss.get("/desk/contacts").get_data(as_text=True)
    own = {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}
    form = own | {"name": "王建国", "post": "县长", "branch": "longtan", "email": "w@example.org"}
    for bad in ({"name": ""}, {"branch": "nowhere"}, {"email": "w"}, {"branch": "office"}):
        refused = boss.post("/desk/contacts", data=form | bad)
        assert refused.status_code == 422
        assert "县长" in refused.get_data(as_text=True)
    assert boss.post("/desk/contacts", data=form).status_code == 303
    for view in ("", "?lang=en", "?view=large"):
        page = boss.get(f"/desk/contacts{view}").get_data(as_text=True)
        assert "w@example.org" not in page
    raw = book(("李秀英", "副县长", "shiqiao", "li@example.org"))
    data = own | {"file": (io.BytesIO(raw), "c.xlsx")}
    assert boss.post("/desk/units/import", data=data).status_code == 200
    with app.app_context(), db.reading() as session:
        leaders = {leader.name: leader.id for leader in contacts.all_of(session)}
        assert told.told(session) == set(leaders.values())
    assert boss.get(f"/desk/board?leader={leaders['王建国']}&lang=en").status_code == 200
    assert boss.post("/desk/contacts/branches/shiqiao/release", data=own).status_code == 303
    assert boss.post(f"/desk/contacts/{leaders['王建国']}/delete", data=own).status_code == 303
    assert boss.post(f"/desk/contacts/{leaders['王建国']}/delete", data=own).status_code == 404
    with app.app_context(), db.reading() as session:
        (left,) = contacts.all_of(session)
        assert (left.name, left.branches) == ("李秀英", ())
        assert session.scalar(sa.select(sa.func.count()).select_from(Channel)) == 1
    group = desk_of(app, config, "sun", (Role.SUPERVISOR, drive.group.unit_id))
    assert group.get("/desk/contacts").status_code == 403
