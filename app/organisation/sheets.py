"""Reading a county from a spreadsheet: bytes to rows, or every fault by sheet, row, column; pure.

Threats: a zip or XML bomb, a formula that would run in somebody's office program, a file that is
not what its name says. Everything is bounded before it is parsed.
"""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeVar

import openpyxl
from openpyxl.utils import get_column_letter
from openpyxl.xml import DEFUSEDXML

from app.errors import N_
from app.organisation.sheet_rows import (
    ContactRow,
    MemberRow,
    StaffRow,
    UnitRow,
    contact_row,
    member_row,
    staff_row,
    unit_row,
)

MOST_BYTES = 10 * 1024 * 1024
MOST_UNPACKED = 80 * 1024 * 1024
MOST_PARTS = 200
MOST_ROWS = 40_000
MOST_FAULTS = 200
MOST_COLUMNS = 40

SHEETS = {"units": "units", "单位": "units", "members": "members", "党员": "members",
          "staff": "staff", "工作人员": "staff", "contacts": "contacts",
          "联系点": "contacts"}  # fmt: skip
HEADERS = {
    "units": {
        "slug": "slug", "短名": "slug", "标识": "slug", "name": "name", "名称": "name",
        "parent": "parent", "上级": "parent", "kind": "kind", "类别": "kind",
        "phone": "phone", "电话": "phone", "group": "group", "监督组": "group",
        "second_eyes": "second_eyes", "双人把关": "second_eyes",
    },
    "members": {
        "number": "number", "编号": "number", "name": "name", "姓名": "name",
        "branch": "branch", "支部": "branch", "left": "left", "离开": "left",
    },
    "staff": {
        "username": "username", "用户名": "username", "role": "role", "角色": "role",
        "unit": "unit", "单位": "unit",
    },
    "contacts": {
        "leader": "leader", "领导": "leader", "post": "post", "职务": "post",
        "branch": "branch", "支部": "branch", "email": "email", "邮箱": "email",
    },
}  # fmt: skip
REQUIRED = {
    "units": ("slug", "name", "parent", "kind"),
    "members": ("number", "name", "branch"),
    "staff": ("username", "role", "unit"),
    "contacts": ("leader", "branch"),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one cell; `column` is its letter, row 0 the sheet as a whole."""

    sheet: str
    row: int
    column: str
    message: str
    values: tuple[tuple[str, object], ...] = ()

    def filled(self, translated: str) -> str:
        """The sentence with its named parts."""
        return translated % dict(self.values) if self.values else translated


class SheetError(Exception):
    """Nothing was imported; `faults` tells why, all of it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


@dataclass(frozen=True)
class Book:
    """What a file holds; `letters` names each sheet's columns by letter, for later faults."""

    units: tuple[UnitRow, ...] = ()
    members: tuple[MemberRow, ...] = ()
    staff: tuple[StaffRow, ...] = ()
    contacts: tuple[ContactRow, ...] = ()
    letters: dict[str, dict[str, str]] = field(default_factory=dict)

    def letter(self, sheet: str, column: str) -> str:
        """The letter of a column as the file has it."""
        return self.letters.get(sheet, {}).get(column, "A")


Cells = list[str]
_Row = TypeVar("_Row")


class _Faults:
    """Collects faults, the first two hundred."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, sheet: str, row: int, column: str, message: str, **values: object) -> None:
        if len(self.found) < MOST_FAULTS:
            self.found.append(Fault(sheet, row, column, message, tuple(values.items())))

    def stop(self) -> None:
        if self.found:
            raise SheetError(self.found)


def fault(sheet: str, message: str, **values: object) -> SheetError:
    """An error about a file or sheet as a whole."""
    return SheetError([Fault(sheet, 0, "", message, tuple(values.items()))])


def read_book(filename: str, raw: bytes) -> Book:
    """Every sheet of an XLSX file, or the one sheet of a CSV file named after it.

    Raises SheetError with every fault found (at most 200).
    """
    if len(raw) > MOST_BYTES:
        raise fault("", N_("文件太大，没有导入。最多 10 MB，请分几次导入。"))
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise fault("", N_("这是旧的 xls 格式。请在表格软件里另存为 xlsx，再来导入。"))
    sheets = _xlsx(raw) if raw.startswith(b"PK") else _csv(filename, raw)
    faults = _Faults()
    rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
    letters: dict[str, dict[str, str]] = {}
    for sheet, lines in sheets:
        if sheet in rows:
            raise fault(sheet, N_("这张表出现了两次，没有导入。请只留一张。"))
        rows[sheet], letters[sheet] = _table(sheet, lines, faults)
    faults.stop()
    book = Book(
        tuple(_rows("units", rows, letters, faults, unit_row)),
        tuple(_rows("members", rows, letters, faults, member_row)),
        tuple(_rows("staff", rows, letters, faults, staff_row)),
        tuple(_rows("contacts", rows, letters, faults, contact_row)),
        letters,
    )
    faults.stop()
    return book


# --- from bytes to cells --------------------------------------------------------------------------


def _csv(filename: str, raw: bytes) -> list[tuple[str, Iterator[Cells]]]:
    sheet = SHEETS.get(PurePath(filename).stem.casefold())
    if sheet is None:
        raise fault(
            "",
            N_(
                "看不出这是哪张表。CSV 文件请叫 units.csv、members.csv、staff.csv 或 contacts.csv。"
            ),
        )
    text = _decoded(sheet, raw)
    first = text.partition("\n")[0]
    delimiter = max(",\t;", key=first.count)
    return [(sheet, _csv_lines(sheet, text, delimiter))]


def _decoded(sheet: str, raw: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise fault(sheet, N_("文件的文字读不出来。请另存为 UTF-8 的 CSV，或 xlsx。"))


def _csv_lines(sheet: str, text: str, delimiter: str) -> Iterator[Cells]:
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error:
        raise fault(sheet, N_("CSV 的引号没有配对，读不下去。请用表格软件另存一次。")) from None


def _xlsx(raw: bytes) -> list[tuple[str, Iterator[Cells]]]:
    _check_zip(raw)
    if not DEFUSEDXML:
        raise RuntimeError("defusedxml is missing: spreadsheets aren't read without it")
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=False)
        found = [(SHEETS[s.title.strip().casefold()], s) for s in book.worksheets
                 if s.title.strip().casefold() in SHEETS]  # fmt: skip
    except SheetError:
        raise
    except Exception:  # noqa: BLE001 (a damaged file fails anywhere inside openpyxl)
        raise _unreadable() from None
    if not found:
        raise fault("", N_("没有找到 units、members、staff 或 contacts 这几张表。请看看表的名字。"))
    return [(name, _xlsx_lines(name, sheet)) for name, sheet in found]


def _unreadable() -> SheetError:
    return fault("", N_("这个文件读不出来，没有导入。请用表格软件打开，另存为 xlsx 再试。"))


def _check_zip(raw: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise _unreadable() from None
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise fault("", N_("文件展开以后太大，没有导入。请把表拆开，分几次导入。"))
    if any("vbaproject" in part.filename.casefold() for part in parts):
        raise fault("", N_("文件里有宏，没有导入。请另存为不带宏的 xlsx。"))


def _xlsx_lines(name: str, sheet: object) -> Iterator[Cells]:
    try:
        for line in sheet.iter_rows(max_col=MOST_COLUMNS):  # type: ignore[attr-defined]
            yield [_cell_text(cell.value, cell.data_type) for cell in line]
    except SheetError:
        raise
    except Exception:  # noqa: BLE001 (as above; the sheet is read lazily)
        raise fault(name, N_("这张表读不下去，没有导入。请用表格软件另存一次。")) from None


def _cell_text(value: object, data_type: str) -> str:
    if value is None:
        return ""
    if data_type == "f":
        return f"={value}".replace("==", "=", 1)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


# --- from cells to named values -------------------------------------------------------------------


def _table(
    sheet: str, lines: Iterable[Cells], faults: _Faults
) -> tuple[list[tuple[int, dict[str, str]]], dict[str, str]]:
    numbered = enumerate(lines, 1)
    header = next((cells for _, cells in numbered), [])
    names = [HEADERS[sheet].get(cell.strip().casefold(), "") for cell in header[:MOST_COLUMNS]]
    letters = {name: _letter(index) for index, name in enumerate(names) if name}
    for wanted in REQUIRED[sheet]:
        if wanted not in letters:
            faults.add(sheet, 1, "A", N_("缺少“%(wanted)s”这一列。"), wanted=wanted)
    rows = []
    for row, cells in numbered:
        if row > MOST_ROWS:
            faults.add(
                sheet, row, "A", N_("行数太多，最多 %(most)d 行。请分几次导入。"), most=MOST_ROWS
            )
            break
        if any(cell.strip() for cell in cells):
            rows.append((row, _named(sheet, row, names, cells, faults)))
    return rows, letters


def _letter(index: int) -> str:
    return str(get_column_letter(index + 1))


def _named(sheet: str, row: int, names: list[str], cells: Cells, faults: _Faults) -> dict[str, str]:
    values = {}
    for index, (name, cell) in enumerate(zip(names, cells, strict=False)):
        if not name:
            continue
        text = unicodedata.normalize("NFC", cell).strip()
        if text.startswith("'") and text[1:2] in _FORMULA:
            text = text[1:]  # as an export writes what looks like a formula
        elif text.startswith(_FORMULA):
            faults.add(sheet, row, _letter(index), N_("这一格是公式，不能导入。请改成文字。"))
        if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in text):
            faults.add(sheet, row, _letter(index), N_("这一格里有看不见的字符，请重新输入。"))
        values[name] = text
    return values


def _rows(
    sheet: str,
    rows: dict[str, list[tuple[int, dict[str, str]]]],
    letters: dict[str, dict[str, str]],
    faults: _Faults,
    make: Callable[[int, dict[str, str], Callable[..., None]], _Row | None],
) -> Iterator[_Row]:
    for row, values in rows.get(sheet, []):

        def complain(column: str, message: str, row: int = row, **parts: object) -> None:
            faults.add(sheet, row, letters[sheet].get(column, "A"), message, **parts)

        made = make(row, values, complain)
        if made is not None:
            yield made
