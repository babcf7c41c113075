"""The figures as rows for CSV and XLSX: every rate beside its denominator, no formula."""

from __future__ import annotations

import csv
import io

from openpyxl import Workbook

from app.organisation.exporting import defused, saved
from app.statistics.service import Figures
from app.statistics.tally import Rate, Tally
from app.suppression import Figure

Cell = str | int
Table = list[list[Cell]]
HEAD = (
    "name", "received", "valid", "answered", "answered_valid", "answered_percent", "declined",
    "withdrawn", "removed", "merged", "in_hand", "overdue", "on_time", "due", "on_time_percent",
    "median_days", "p90_days",
)  # fmt: skip
TOO_FEW = "n<10"


def percent(rate: Rate) -> Cell:
    """A rate in whole percent, or that there are too few."""
    return TOO_FEW if rate.percent is None else rate.percent


def days(tally: Tally, quantile: int) -> Cell:
    """Working days; at least so many while open ones may push it up."""
    found = tally.quantile(quantile)
    if found is None:
        return TOO_FEW
    return f"≥{found.days}" if found.at_least else found.days


def told(figure: Figure) -> str:
    """A rating as it may be told: a band, a share, or nothing."""
    if figure.shares is not None:
        return f"{figure.shares[0] * 100 / figure.per:g} %"
    if figure.band is not None:
        return f"{figure.band[0]}–{figure.band[1]} %"
    return TOO_FEW


def _line(name: str, tally: Tally) -> list[Cell]:
    return [
        name, tally.received, tally.valid, tally.answered, tally.answered_valid,
        percent(tally.answer_rate), tally.declined, tally.withdrawn, tally.removed, tally.merged,
        tally.in_hand, tally.overdue, tally.on_time, tally.due, percent(tally.on_time_rate),
        days(tally, 50), days(tally, 90),
    ]  # fmt: skip


def sheets(figures: Figures, name: str) -> dict[str, Table]:
    """The tables of a page by their names."""
    coverage = figures.coverage
    places: Table = [list(HEAD), _line(name, figures.whole)]
    months: Table = [["month", *HEAD[1:]]]
    declined: Table = [["reason", "declined"]]
    places += [_line(line.name, line.tally) for line in figures.below]
    months += [_line(month, tally) for month, tally in figures.months]
    declined += [[reason, number] for reason, number in sorted(figures.whole.reasons.items())]
    made: dict[str, Table] = {
        "places": places,
        "months": months,
        "declined": declined,
        "coverage": [
            ["branches", "open", "spoken_to", "answering"],
            [coverage.branches, coverage.open, coverage.spoken_to, coverage.answering],
        ],
    }
    made["channels"] = [["channel", "received"]]
    made["channels"] += [[channel, number] for channel, number in figures.channels]
    if figures.rated:
        made["rated"] = [["quarter", "answers", "rated", "satisfied_or_basically", "told_with"]]
        made["rated"] += [
            [row.quarter, row.answers, row.rated, told(row.figure), row.together]
            for row in figures.rated
        ]
    return made


def as_csv(tables: dict[str, Table]) -> bytes:
    """One table after the other, an empty line between; with the mark that Excel wants."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, (name, rows) in enumerate(tables.items()):
        if number:
            writer.writerow([])
        writer.writerow([f"[{name}]"])
        writer.writerows(_safe(rows))
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(tables: dict[str, Table]) -> bytes:
    """A sheet for each table."""
    book = Workbook(write_only=True)
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in _safe(rows):
            sheet.append(row)
    return saved(book)


def _safe(rows: Table) -> Table:
    return [[defused(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
