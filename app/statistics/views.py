"""The public figures: a page, CSV, XLSX."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.cases import terms
from app.db import reading
from app.statistics import chart, sheet
from app.statistics import service as statistics
from app.statistics.periods import Period, is_month, month_of
from app.statistics.service import Figures
from app.text import printable
from app.web import clock, config, limit

blueprint = Blueprint("figures", __name__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _read() -> tuple[Figures, list[Period]]:
    """The figures asked for, and the campaigns that one could ask for."""
    names = ("unit", "month", "campaign")
    slug, month, campaign = (printable(request.args.get(name, ""))[:64] for name in names)
    limit("figures", 3)
    with reading() as session:
        period = month_of(month) if month else None
        if campaign:
            period = _span(campaigns.started(session, campaign))
        spans = [_span(found) for found in campaigns.all_of(session, drafts=False)]
        return statistics.figures(session, clock().today(), slug=slug, period=period), spans


def _span(campaign: Campaign) -> Period:
    return Period(campaign.id, campaign.name, campaign.starts_on, campaign.ends_on)


@blueprint.get("/figures")
def figures() -> str:
    """The figures of the county, of a unit or of a branch, drawn and as tables."""
    found, spans = _read()
    months = [(month, tally.received, tally.answered) for month, tally in found.months]
    return render_template(
        "statistics/figures.html",
        figures=found,
        name=_name(found),
        slug=found.place.slug if found.place else None,
        asked=_asked(found),
        campaigns=spans,
        columns=chart.columns(months),
        bars=_bars(found),
        chart=chart,
        terms=terms.current(),
    )


def _asked(found: Figures) -> dict[str, str]:
    """The period in an address, to be kept in the page's links."""
    if found.period is None:
        return {}
    return {"month" if is_month(found.period.key) else "campaign": found.period.key}


def _name(found: Figures) -> str:
    return found.place.name if found.place else config().county_name


def _bars(found: Figures) -> tuple[chart.Bar, ...]:
    """The places below with ten or more."""
    rows = [(line.name, line.tally.answer_rate) for line in found.below]
    return chart.bars(
        [
            (chart.short(name), rate.part, rate.whole, f"{rate.percent}%")
            for name, rate in rows
            if rate.percent is not None
        ]
    )


def _tables() -> dict[str, sheet.Table]:
    found, _ = _read()
    return sheet.sheets(found, _name(found))


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
