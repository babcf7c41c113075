"""Voting with a slip, and what came of it, for everybody: no cookie, no draft, no script."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app import crypto
from app.cases.cursor import Cursor
from app.db import reading, transaction
from app.errors import N_, Conflict, Invalid
from app.evaluations import published, voting
from app.evaluations.published import ShownRound
from app.evaluations.sheet import result_sheet
from app.evaluations.ticket import BallotTicket, ForgedTicketError, read_ticket, write_ticket
from app.evaluations.voting import Paper, Standing
from app.i18n import a_page, day, gettext, sentence
from app.statistics import chart
from app.suppression import Figure
from app.text import clean, printable
from app.web import clock, config, keep_secret, limit, site_url

blueprint = Blueprint("evaluations", __name__)


# --- voting ---------------------------------------------------------------------------------------


@blueprint.route("/slip", methods=["GET", "POST"])
def slip() -> ResponseReturnValue:
    """Enter a slip; posted, it answers with its ballot; the ballot posted, it is counted."""
    if request.method != "POST":
        return _slip_page()
    if "ticket" in request.form:  # a ballot, behind a slip that was good: a village votes at once
        return _cast()
    limit("slip")
    try:
        code = crypto.parse_code(request.form.get("slip", ""))
    except crypto.MistypedCodeError:
        return _slip_page("mistyped"), 422
    standing, ticket = find(code)
    if standing is not Standing.GOOD or ticket is None:
        return _slip_page(standing), 409 if standing is Standing.LATE else 422
    return _ballot_page(ticket)


def find(code: str) -> tuple[Standing, BallotTicket | None]:
    """How the slip of a code stands, and the ticket of its ballot where there is one."""
    with reading() as session:
        salts = voting.salts(session)
    hashes = [crypto.slip_hash(code, salt) for salt in salts]
    with reading() as session:
        standing, round_id, slip_hash = voting.standing(session, hashes, clock().today())
    return standing, BallotTicket(round_id, slip_hash) if round_id else None


def _slip_page(error: str = "", alert: str = "") -> str:
    return render_template("evaluations/slip.html", error=error, alert=alert)


def _ballot_page(ticket: BallotTicket, alert: str = "") -> str:
    keep_secret()
    with reading() as session:
        paper = voting.paper(session, ticket.round_id)
    return render_template(
        "evaluations/ballot.html",
        paper=paper,
        ticket=write_ticket(ticket, config().secrets.instance_secret),
        alert=alert,
        typed={name: printable(value) for name, value in request.form.items()},
        most_comment=voting.MAX_COMMENT,
    )


def _cast() -> ResponseReturnValue:
    try:
        ticket = read_ticket(request.form["ticket"], config().secrets.instance_secret)
    except ForgedTicketError:
        return _slip_page("ticket"), 422
    try:
        cast(ticket, request.form)
    except Invalid as error:
        return _ballot_page(ticket, sentence(error)), 422
    except Conflict as error:
        return _slip_page("unknown", sentence(error)), 409
    return render_template("evaluations/counted.html")


def cast(ticket: BallotTicket, form: Mapping[str, str], *, paper: bool = False) -> None:
    """Put the ballot that a form says. Raises Invalid (the slip stays good), Conflict."""
    if form.get("website"):
        raise Invalid(N_("有一项没有选对，还没有投出去，票签还是好的。请再交一次。"))
    with reading() as session:
        sheet = voting.paper(session, ticket.round_id)
    chosen = {one.id: form.get(f"grade-{one.id}", "") for one in sheet.subjects}
    marks = voting.marks_of(sheet, chosen)
    comments = _comments(sheet, form)
    today = clock().today()
    with transaction() as session:
        voting.vote(session, ticket.round_id, ticket.slip_hash, marks, comments, today, paper=paper)


def _comments(sheet: Paper, form: Mapping[str, str]) -> dict[int, str]:
    if not sheet.with_comments:
        return {}
    typed = {
        place: clean(
            form.get(f"comment-{one.id}", ""), field="comment", at_most=voting.MAX_COMMENT
        ).strip()
        for place, one in enumerate(sheet.subjects)
    }
    if any(crypto.contains_code(text) for text in typed.values()):
        raise Invalid(
            N_("留言里好像有一个票签号码或回执码，还没有投出去。请删去它再交，别的都还在。")
        )
    if sum(map(len, typed.values())) > voting.MAX_COMMENTS:
        raise Invalid(
            N_("留言加起来太长了，一共最多 %(most)d 个字。还没有投出去，请删短一些再交。"),
            most=voting.MAX_COMMENTS,
        )
    return {place: text for place, text in typed.items() if text}


# --- results --------------------------------------------------------------------------------------


@blueprint.get("/results")
def results() -> str:
    """Rounds that came to a result or to nothing, the newest first."""
    after = Cursor.read(request.args.get("after", ""))
    most = a_page(published.PAGE)
    with reading() as session:
        found = published.newest(session, most + 1, (after.on, after.id) if after else None)
    shown, more = found[:most], len(found) > most
    last = str(Cursor(shown[-1].on, shown[-1].id)) if more else None
    return render_template(
        "evaluations/results.html",
        rounds=shown,
        next_url=url_for("evaluations.results", after=last) if last else None,
    )


def _one(round_id: str) -> ShownRound:
    with reading() as session:
        return published.one(session, round_id)


@blueprint.get("/results/<round_id>")
def result(round_id: str) -> str:
    """One round: its slips before the draw, its figures once published."""
    found = _one(round_id)
    return render_template("evaluations/result.html", round=found, spans=_spans(found), chart=chart)


def _spans(found: ShownRound) -> tuple[chart.Span, ...]:
    rows = [(one.name, *_reach(one.whole), said(one.whole)) for one in found.subjects]
    return chart.spans([row for row in rows if row[2]])


def _reach(figure: Figure) -> tuple[float, float]:
    """From where to where the rate of the two good grades may lie, in percent."""
    if figure.band is not None:
        return figure.band
    if figure.shares is None:
        return (0, 0)
    good = sum(figure.shares[:2]) * 100 / figure.per
    return (good, good)


def said(figure: Figure) -> str:
    """The rate in words, as far as it may be told."""
    if figure.band is not None:
        return f"{figure.band[0]}–{figure.band[1]}%"
    if figure.shares is not None:
        return f"{sum(figure.shares[:2]) * 100 / figure.per:g}%"
    return gettext(N_("样本不足"))


@blueprint.get("/results/<round_id>.pdf")
def result_pdf(round_id: str) -> Response:
    """The same as a sheet to be printed."""
    found = _one(round_id)
    address = site_url(url_for("evaluations.result", round_id=found.id))
    content = result_sheet(found, config().county_name, address, said, gettext, day)
    return Response(content, mimetype="application/pdf")


@blueprint.get("/results/<round_id>/slips")
def slip_list(round_id: str) -> Response:
    """The slips that were voided and never used, as hashes: for everybody to look theirs up."""
    limit("slip list", 10)
    with reading() as session:
        text = published.slip_list(session, round_id)
    return Response(text, mimetype="text/plain")
