"""A county from a spreadsheet: all or nothing, each fault by its cell, bombs defused."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from app import db
from app.clock import Clock
from app.organisation import exporting, importing, service, sheet_rows, sheets, tree
from app.organisation.models import Box, Member, Unit, UnitKind
from app.organisation.sheets import Book, SheetError
from tests.conftest import MONDAY

UNITS: list[list[object]] = [
    ["slug", "name", "parent", "kind"],
    ["county", "演示县", "", "county"],
    ["group-1", "第一监督组", "county", "group"],
    ["hejiaping", "何家坪镇", "county", "unit"],
    ["longtan", "龙潭村支部", "hejiaping", "branch"],
]
MEMBERS: list[list[object]] = [
    ["编号", "姓名", "支部"],
    [10001, "王小明", "longtan"],
    ["10002", "李大山", "longtan"],
]


def xlsx(**tables: Iterable[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in tables.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_csv(rows: Iterable[Sequence[object]], encoding: str = "utf-8") -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(encoding)


def bring(app: Flask, book: Book) -> importing.Imported:
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        return importing.bring_in(session, book, clock.today())


def faults(
    app: Flask, rows: list[list[object]], **others: list[list[object]]
) -> list[tuple[object, ...]]:
    with pytest.raises(SheetError) as caught:
        bring(app, sheets.read_book("x.xlsx", xlsx(units=rows, **others)))
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Unit)) == 0  # nothing at all
    return [(f.sheet, f.row, f.column) for f in caught.value.faults]


def test_a_county_comes_in_whole_and_a_second_time_changes_nothing(app: Flask) -> None:
    rows = [[*UNITS[0], "电话", "监督组", "双人把关"], *([*row, "", "", ""] for row in UNITS[1:])]
    rows[3][5], rows[4][6] = "group-1", "是"
    book = sheets.read_book("county.xlsx", xlsx(units=rows, members=MEMBERS))
    first, second = bring(app, book), bring(app, book)
    assert (first.units_added, first.members_added) == (4, 2)
    assert (second.units_added, second.units_changed) == (0, 0)
    assert (second.members_added, second.members_changed) == (0, 0)
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Box)) == 2
        branch = service.branch(session, "longtan")
        assert (branch.path, branch.second_eyes) == ("何家坪镇", True)
        group = service.superior(session, branch.id)
        assert group is not None
        assert group.slug == "group-1"
        assert service.member_count(session, branch.id) == 2


def test_an_import_of_the_export_changes_nothing(app: Flask) -> None:
    rows = [list(row) for row in UNITS]
    rows[4][1] = "'=龙潭村支部"  # a name that an office program would run
    bring(app, sheets.read_book("x.xlsx", xlsx(units=rows, members=MEMBERS)))
    with app.app_context(), db.reading() as session:
        raw = exporting.export(session, [("laowang", "keeper", "longtan")])
        assert service.branch(session, "longtan").name == "=龙潭村支部"
    for sheet in openpyxl.load_workbook(io.BytesIO(raw)).worksheets:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row)
    book = sheets.read_book("county.xlsx", raw)
    done = bring(app, book)
    assert (done.units_added, done.units_changed, done.members_changed) == (0, 0, 0)
    assert [(row.username, row.role, row.unit) for row in done.staff] == [
        ("laowang", "keeper", "longtan")
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_the_encodings_that_offices_write(app: Flask, encoding: str) -> None:
    done = bring(app, sheets.read_book("units.csv", as_csv(UNITS, encoding)))
    assert done.units_added == 4
    book = sheets.read_book("members.csv", as_csv(MEMBERS, encoding))
    assert bring(app, book).members_added == 2


def test_the_table_of_the_operators_guide_is_a_county(app: Flask) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operator.md").read_text("utf-8")
    lines = re.findall(r"^ {4}([^ ].*)$", guide[guide.index("A `units.csv`") :], re.MULTILINE)
    done = bring(app, sheets.read_book("units.csv", "\n".join(lines[:5]).encode()))
    assert done.units_added == 4
    with app.app_context(), db.reading() as session:
        longtan = service.branch(session, "longtan")
        assert (longtan.phone, longtan.second_eyes) == ("0000-5551234", True)
        assert service.superior(session, longtan.id) == service.branch(session, "jiandu-1")


def test_what_the_file_does_not_tell_is_left_as_it_is(app: Flask) -> None:
    rows = [[*row, ""] for row in UNITS]
    rows[0][4], rows[4][4] = "second_eyes", "yes"
    bring(app, sheets.read_book("x.xlsx", xlsx(units=rows)))
    done = bring(app, sheets.read_book("x.xlsx", xlsx(units=UNITS)))  # without the column
    assert done.units_changed == 0
    with app.app_context(), db.reading() as session:
        assert service.branch(session, "longtan").second_eyes
    rows[4][4] = "no"
    assert bring(app, sheets.read_book("x.xlsx", xlsx(units=rows))).units_changed == 1


def test_who_left_is_counted_no_more_and_may_come_back(app: Flask) -> None:
    bring(app, sheets.read_book("x.xlsx", xlsx(units=UNITS, members=MEMBERS)))

    def said(word: str) -> tuple[int, int]:
        rows = [[*MEMBERS[0], "离开"], [*MEMBERS[1], word]]
        done = bring(app, sheets.read_book("x.xlsx", xlsx(members=rows)))
        with app.app_context(), db.reading() as session:
            longtan = service.branch(session, "longtan")
            return done.members_changed, service.member_count(session, longtan.id)

    assert said("是") == (1, 1)
    assert said("是") == (0, 1)
    assert said("") == (1, 2)


def test_what_was_closed_is_told_by_its_cell_and_not_changed_in_silence(app: Flask) -> None:
    bring(app, sheets.read_book("x.xlsx", xlsx(units=UNITS)))
    bring(app, sheets.read_book("x.xlsx", xlsx(members=MEMBERS[:2])))
    with app.app_context(), db.transaction() as session:
        tree.close(session, tree.unit(session, "longtan"), MONDAY.date())
        tree.close(session, tree.unit(session, "hejiaping"), MONDAY.date())
    stone: list[object] = ["shiqiao", "石桥村支部", "hejiaping", "branch"]
    rows = [UNITS[0], UNITS[4], stone]
    with pytest.raises(SheetError) as caught:
        bring(app, sheets.read_book("x.xlsx", xlsx(units=rows, members=MEMBERS)))
    assert [(f.sheet, f.row, f.column) for f in caught.value.faults] == [
        ("units", 2, "A"), ("units", 2, "C"), ("units", 3, "C"),
        ("members", 3, "C"),  # the first is on its roll since before
    ]  # fmt: skip


def with_row(*cells: object) -> list[list[object]]:
    return [*map(list, UNITS), list(cells)]


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        (with_row("longtan", "又一个", "hejiaping", "branch"), "A"),  # a double
        (with_row("Long Tan", "坏标识", "hejiaping", "branch"), "A"),
        (with_row("import", "占了网址", "hejiaping", "branch"), "A"),
        (with_row("x" * 65, "长标识", "hejiaping", "branch"), "A"),
        (with_row("shiqiao", "", "hejiaping", "branch"), "B"),
        (with_row("shiqiao", "长" * 121, "hejiaping", "branch"), "B"),
        (with_row("shiqiao", "看不\u200b见", "hejiaping", "branch"), "B"),
        (with_row("shiqiao", "=1+1", "hejiaping", "branch"), "B"),
        (with_row("shiqiao", "石桥", "nowhere", "branch"), "C"),
        (with_row("shiqiao", "石桥", "longtan", "branch"), "C"),  # a branch below a branch
        (with_row("shiqiao", "石桥", "", "branch"), "C"),
        (with_row("shiqiao", "石桥", "shiqiao", "branch"), "C"),  # above itself
        (with_row("shiqiao", "石桥", "hejiaping", "club"), "D"),
        (with_row("second", "又一县", "", "county"), "D"),
    ],
)
def test_each_fault_is_told_by_its_cell_and_nothing_is_imported(
    app: Flask, rows: list[list[object]], column: str
) -> None:
    assert ("units", 6, column) in faults(app, rows)


def test_a_circle_of_parents_is_told_for_each_of_its_rows(app: Flask) -> None:
    rows: list[list[object]] = [
        *map(list, UNITS),
        ["a", "甲", "b", "unit"],
        ["b", "乙", "a", "unit"],
    ]
    assert faults(app, rows) == [("units", 6, "C"), ("units", 7, "C")]


def test_members_and_staff_are_checked_against_the_tree(app: Flask) -> None:
    members: list[list[object]] = [
        MEMBERS[0],
        [1, "甲", "hejiaping"],
        [2, "乙", "longtan"],
        [2, "丙", "longtan"],
        ["", "丁", "longtan"],
    ]
    with pytest.raises(SheetError) as caught:
        sheets.read_book("x.xlsx", xlsx(units=UNITS, members=members))
    assert [(f.sheet, f.row, f.column) for f in caught.value.faults] == [("members", 5, "A")]
    staff: list[list[object]] = [["username", "role", "unit"], ["laowang", "keeper", "nowhere"]]
    assert faults(app, list(map(list, UNITS)), members=members[:4], staff=staff) == [
        ("members", 2, "C"), ("members", 4, "A"), ("staff", 2, "C"),
    ]  # fmt: skip


def test_each_of_the_staff_has_the_place_of_their_role(app: Flask) -> None:
    rows: list[list[object]] = [
        ["username", "role", "unit"],
        ["li", "keeper", ""],
        ["li", "keeper", "hejiaping"],  # a unit without a box
        ["li", "keeper", "longtan"],
        ["li", "keeper", "longtan"],
        ["wu", "supervisor", "group-1"],
        ["zhang", "office", "longtan"],
        ["zhang", "office", ""],
        ["zhang", "operator", "county"],
    ]
    assert faults(app, list(map(list, UNITS)), staff=rows) == [
        ("staff", 2, "C"), ("staff", 3, "C"), ("staff", 5, "A"), ("staff", 7, "C"),
    ]  # fmt: skip


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (sheets.MOST_UNPACKED + 1))
    return out.getvalue()


def with_part(name: str, content: bytes) -> bytes:
    out = io.BytesIO(xlsx(units=UNITS))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(name, content)
    return out.getvalue()


def with_entities() -> bytes:
    """An XLSX whose sheet declares the billion laughs."""
    source, out = io.BytesIO(xlsx(units=UNITS)), io.BytesIO()
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            raw = old.read(part)
            if "sheet1" in part.filename:
                raw = laughs + raw.replace(b"<v>0</v>", b"<v>&b;</v>")
            new.writestr(part.filename, raw)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("x.xlsx", b""),
        ("x.xlsx", b"PK\x03\x04 not a zip"),
        ("x.xlsx", b"slug,name\n"),
        ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)),
        ("x.xlsx", bytes(sheets.MOST_BYTES + 1)),
        ("x.xlsx", bomb()),
        ("x.xlsx", with_part("xl/vbaProject.bin", b"macro")),
        ("x.xlsx", with_entities()),
        ("x.xlsx", xlsx(other=UNITS)),
        ("other.csv", b"slug\n"),
        ("units.csv", b"\xff\xff\xff"),
        ("units.csv", b"slug,name,parent,kind\x00"),
        ("units.csv", b'slug,name,parent,kind\n"x,y,z'),
        ("units.csv", b"name,parent\n"),
        ("units.csv", b""),
    ],
)
def test_a_hostile_or_broken_file_is_refused_with_a_sentence(name: str, raw: bytes) -> None:
    with pytest.raises(SheetError) as caught:
        sheets.read_book(name, raw)
    assert all(fault.filled(fault.message) for fault in caught.value.faults)


def test_a_hundred_thousand_rows_are_refused_without_reading_them_all() -> None:
    rows: list[list[object]] = [
        ["number", "name", "branch"],
        *([n, "甲", "longtan"] for n in range(100_000)),
    ]
    with pytest.raises(SheetError) as caught:
        sheets.read_book("members.csv", as_csv(rows))
    (fault,) = caught.value.faults
    assert fault.row == sheets.MOST_ROWS + 1


CELLS = st.one_of(
    st.text(max_size=8), st.sampled_from(["longtan", "county", "unit", "branch", "hejiaping", ""])
)


@given(st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=6))
def test_whatever_stands_in_a_sheet_is_rows_or_faults_and_never_a_crash(
    rows: list[list[str]],
) -> None:
    try:
        book = sheets.read_book("units.csv", as_csv([UNITS[0], *rows], "utf-8"))
    except SheetError:
        return
    assert all(sheet_rows.SLUG.fullmatch(row.slug) and row.name for row in book.units)


def test_a_move_by_import_keeps_the_history(app: Flask) -> None:
    bring(app, sheets.read_book("x.xlsx", xlsx(units=UNITS)))
    moved: list[list[object]] = [*map(list, UNITS), ["shuiliju", "县水利局", "county", "unit"]]
    moved[4][1:3] = ["龙潭支部", "shuiliju"]
    assert bring(app, sheets.read_book("x.xlsx", xlsx(units=moved))).units_changed == 1
    with app.app_context(), db.reading() as session:
        found = tree.unit(session, "longtan")
        assert found.parent is not None
        assert found.parent.slug == "shuiliju"
        told = {(e.change, e.before, e.after) for e in tree.history(session, found.id)}
    assert told == {
        ("added", "", "龙潭村支部"),
        ("renamed", "龙潭村支部", "龙潭支部"),
        ("moved", "何家坪镇", "县水利局"),
    }


def test_a_member_who_changed_branch_is_moved_and_not_doubled(app: Flask) -> None:
    units: list[list[object]] = [
        *map(list, UNITS),
        ["shiqiao", "石桥村支部", "hejiaping", "branch"],
    ]
    bring(app, sheets.read_book("x.xlsx", xlsx(units=units, members=MEMBERS)))
    later: list[list[object]] = [MEMBERS[0], [10001, "王小明", "shiqiao"]]
    assert bring(app, sheets.read_book("x.xlsx", xlsx(members=later))).members_changed == 1
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Member)) == 2
        assert {unit.kind for unit in session.scalars(sa.select(Unit))} == set(UnitKind)
