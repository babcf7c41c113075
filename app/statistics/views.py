"""The public figures: a page, CSV, XLSX."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from app.db import reading
from app.statistics import chart, sheet
from app.statistics import service as statistics
from app.statistics.service import Figures
from app.text import printable
from app.web import clock, config, limit

blueprint = Blueprint("figures", __name__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _asked() -> tuple[str, str]:
    slug, month = (printable(request.args.get(name, ""))[:64] for name in ("unit", "month"))
    return slug, month


def _read() -> Figures:
    slug, month = _asked()
    limit("figures", 3)
    with reading() as session:
        return statistics.figures(session, clock().today(), slug=slug, month=month)


@blueprint.get("/figures")
def figures() -> str:
    """The figures of the county, of a unit or of a branch, drawn and as tables."""
    found = _read()
    told = [line for line in found.below if line.tally.answer_rate.percent is not None]
    return render_template(
        "statistics/figures.html",
        figures=found,
        name=found.place.name if found.place else config().county_name,
        slug=found.place.slug if found.place else None,
        columns=chart.columns(
            [(month, tally.received, tally.answered) for month, tally in found.months]
        ),
        bars=chart.bars(
            [
                (
                    chart.short(line.name),
                    line.tally.answered_valid,
                    line.tally.valid,
                    f"{line.tally.answer_rate.percent}%",
                )
                for line in told
            ]
        ),
        chart=chart,
        told=sheet.told,
    )


def _tables() -> dict[str, sheet.Table]:
    found = _read()
    return sheet.sheets(found, found.place.name if found.place else config().county_name)


@blueprint.get("/figures.csv")
def figures_csv() -> Response:
    """The tables of the page, one after the other."""
    return _file(sheet.as_csv(_tables()), "text/csv", "csv")


@blueprint.get("/figures.xlsx")
def figures_xlsx() -> Response:
    """The tables of the page, a sheet each."""
    return _file(sheet.as_xlsx(_tables()), XLSX, "xlsx")


def _file(content: bytes, mimetype: str, ending: str) -> Response:
    response = Response(content, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="yanlu-figures.{ending}"'
    return response
