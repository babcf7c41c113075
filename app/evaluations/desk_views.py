"""Rounds at the desk: drafted, frozen, opened, called off, published."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Forbidden, Invalid
from app.evaluations import batches, desk_page, reach, service, voting
from app.evaluations.counting import Scale
from app.evaluations.models import Round, SubjectKind
from app.evaluations.reach import Place
from app.evaluations.rounds import State, moves
from app.evaluations.service import Asked, Plan
from app.evaluations.sheet import ballot_sheet
from app.i18n import day, gettext, sentence
from app.organisation.models import Unit
from app.staff import audit, guard
from app.staff.models import Role
from app.text import clean, printable
from app.web import STATUS, clock, site_url

blueprint = Blueprint("rounds", __name__, url_prefix="/desk/rounds")

WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE)
A_PAGE = 40
USUAL_DAYS = 7


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """The rounds within one's reach, unfinished ones first; where to begin a new one."""
    after = Place.read(request.args.get("after", ""))
    with reading() as session:
        rows = reach.at_desk(session, guard.actor(), A_PAGE + 1, after)
        last = str(reach.place_of(rows[A_PAGE - 1][0])) if len(rows) > A_PAGE else None
        return render_template(
            "evaluations/desk.html",
            rows=rows[:A_PAGE],
            next_url=url_for(".index", after=last) if last else None,
            units=[(unit.slug, unit.name) for unit in reach.led_units(session, guard.actor())],
        )


# --- drafts ---------------------------------------------------------------------------------------


def _led_unit(session: Session, slug: str) -> Unit:
    units = {unit.slug: unit for unit in reach.led_units(session, guard.actor())}
    if slug not in units:
        raise Forbidden(N_("请先选一个由您来办评议的单位。"))
    return units[slug]


@blueprint.get("/new")
@guard.desk(*WHO)
def new() -> str:
    """A round to be drafted; nothing is stored before it is saved."""
    slug = request.args.get("unit", "")
    with reading() as session:
        unit = _led_unit(session, slug)
        return _form(session, unit, action=url_for(".create", unit=slug))


def _form(
    session: Session, unit: Unit, *, action: str, alert: str = "", held: Round | None = None
) -> str:
    filled = desk_page.filled(session, unit, held, clock().today() + dt.timedelta(USUAL_DAYS))
    if request.method == "POST" and "title" in request.form:
        filled |= {name: printable(value) for name, value in request.form.items()}
        for name in ("member", "scrutineer", "ask"):
            filled[name] = [printable(value) for value in request.form.getlist(name)]
        for name in ("capped", "comments", "names_public"):
            filled[name] = name in request.form
    return render_template(
        "evaluations/draft.html",
        unit_name=unit.name,
        filled=filled,
        members=service.roll(session, unit.id),
        people=service.eligible(session, unit.id),
        action=action,
        alert=alert,
        held=held,
        version=request.form.get("version") or (held.version if held else ""),
        limits={"title": service.MAX_TITLE, "subjects": service.MOST_SUBJECTS},
    )


def _field(name: str, at_most: int) -> str:
    typed = " ".join(request.form.get(name, "").split())
    return clean(typed, field=name, at_most=at_most)


def _typed(session: Session, unit: Unit) -> Plan:
    scale, ends = request.form.get("scale", ""), request.form.get("closes_on", "").strip()
    if scale not in list(Scale):
        raise Invalid(N_("还没有选评哪一种等次，没有存下。您填的都还在。"), field="scale")
    try:
        closes_on = dt.date.fromisoformat(ends)
    except ValueError:
        raise Invalid(N_("还没有写哪天截止，没有存下。您填的都还在。"), field="closes_on") from None
    lines = clean(request.form.get("groups", ""), field="groups", at_most=1000).splitlines()
    groups = [name for line in lines if (name := " ".join(line.split()))]
    return Plan(
        title=_field("title", service.MAX_TITLE),
        scale=Scale(scale),
        closes_on=closes_on,
        subjects=_asked(session, unit),
        groups=[clean(name, field="groups", at_most=service.MAX_GROUP) for name in groups],
        scrutineers=request.form.getlist("scrutineer"),
        capped="capped" in request.form,
        names_public="names_public" in request.form,
        comments="comments" in request.form,
    )


def _asked(session: Session, unit: Unit) -> list[Asked]:
    asked = []
    if "branch" in request.form.getlist("ask"):
        asked.append(Asked(SubjectKind.BRANCH, unit.name))
    if "committee" in request.form.getlist("ask"):
        name = gettext(N_("%(unit)s委员会"), unit=unit.name)[: service.MAX_NAME]
        asked.append(Asked(SubjectKind.COMMITTEE, name))
    if stage := _field("stage", service.MAX_NAME):
        asked.append(Asked(SubjectKind.STAGE, stage))
    chosen = set(request.form.getlist("member"))
    asked += [
        Asked(SubjectKind.MEMBER, member.name, member.id)
        for member in service.roll(session, unit.id)
        if member.id in chosen
    ]
    return asked


@blueprint.post("")
@guard.desk(*WHO)
def create() -> ResponseReturnValue:
    """Keep a new draft; refused, everything typed comes back."""
    slug = request.args.get("unit", "")
    try:
        with transaction() as session:
            unit = _led_unit(session, slug)
            plan = _typed(session, unit)
            made = service.draft(session, guard.actor(), unit.id, plan, clock().today())
            note(session, "draft_round", made.id)
            made_id = made.id
    except Invalid as error:
        with reading() as session:
            unit = _led_unit(session, slug)
            action = url_for(".create", unit=slug)
            return _form(session, unit, action=action, alert=sentence(error)), 422
    return to(made_id)


def note(session: Session, action: str, round_id: str, detail: str = "") -> None:
    """Keep a step in the record of acts."""
    audit.record(session, clock().now(), guard.current().staff_id, action, round_id, detail)


def to(round_id: str, done: str = "") -> ResponseReturnValue:
    """Back to the round's page."""
    return redirect(url_for("rounds.page", round_id=round_id, done=done or None), 303)


# --- one round ------------------------------------------------------------------------------------


@blueprint.get("/<round_id>")
@guard.desk(*WHO)
def page(round_id: str) -> str:
    """A draft to be changed and frozen, or a round with the steps that come next."""
    return show(round_id)


def show(round_id: str, alert: str = "") -> str:
    """A round's page, with what was refused."""
    with reading() as session:
        held = reach.get(session, guard.actor(), round_id)
        if held.state is State.DRAFT and reach.leads(guard.actor(), held):
            unit = session.get_one(Unit, held.unit_id)
            action = url_for("rounds.step", round_id=held.id, step="save")
            return _form(session, unit, action=action, alert=alert, held=held)
        return render_template(
            "evaluations/desk_round.html",
            page=desk_page.page(session, guard.actor(), held, guard.current().box_ids),
            moves=moves(held.state),
            alert=alert,
            done=request.args.get("done", ""),
            most_at_desk=batches.MOST_AT_DESK,
            slip_address=site_url(url_for("evaluations.slip")),
        )


@blueprint.get("/<round_id>/comments")
@guard.desk(*WHO)
def comments(round_id: str) -> str:
    """What voters wrote, for the committee, once the count is confirmed."""
    with reading() as session:
        held = reach.get(session, guard.actor(), round_id)
        after = printable(request.args.get("after", ""))
        most = desk_page.COMMENTS_A_PAGE
        found = desk_page.comments(session, held, guard.current().keys, after, most + 1)
        title = held.title
    more = len(found) > most
    next_url = url_for(".comments", round_id=round_id, after=found[most - 1].id) if more else None
    return render_template(
        "evaluations/comments.html",
        round_id=round_id,
        title=title,
        comments=found[:most],
        next_url=next_url,
    )


@blueprint.get("/<round_id>/ballot.pdf")
@guard.desk(*WHO)
def ballot_pdf(round_id: str) -> Response:
    """The ballot on paper, for those who can't use a phone."""
    with reading() as session:
        reach.get(session, guard.actor(), round_id)
        paper = voting.paper(session, round_id)
    return Response(ballot_sheet(paper, gettext, day), mimetype="application/pdf")


def refused(round_id: str, error: DomainError) -> ResponseReturnValue:
    """The page comes back with the sentence."""
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return show(round_id, sentence(error)), status


def version() -> int | None:
    """The version of the round that the page showed."""
    typed = request.form.get("version", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else None


@blueprint.post("/<round_id>/<any(save,freeze,open,discard,void,publish):step>")
@guard.desk(*WHO)
def step(round_id: str, step: str) -> ResponseReturnValue:
    """One step of a round; refused, the page comes back with the sentence and what was typed."""
    try:
        with transaction() as session:
            held = reach.get_locked(session, guard.actor(), round_id, version())
            _STEPS[step](session, held)
            note(session, f"{step}_round", round_id)
    except (Invalid, Conflict, Forbidden) as error:
        return refused(round_id, error)
    return redirect(url_for(".index"), 303) if step == "discard" else to(round_id)


def _save(session: Session, held: Round) -> None:
    unit = session.get_one(Unit, held.unit_id)
    service.rewrite(session, guard.actor(), held, _typed(session, unit), clock().today())


def _freeze(session: Session, held: Round) -> None:
    service.freeze(session, guard.actor(), held)


def _open(session: Session, held: Round) -> None:
    service.begin(session, guard.actor(), held, clock().today())


def _discard(session: Session, held: Round) -> None:
    service.discard(session, guard.actor(), held)


def _void(session: Session, held: Round) -> None:
    words = _field("reason", service.MAX_REASON)
    service.void(session, guard.actor(), held, words, clock().today())


def _publish(session: Session, held: Round) -> None:
    verdicts = {
        subject.id: _field(f"verdict-{subject.id}", service.MAX_VERDICT)
        for subject in service.subjects_of(session, held.id)
    }
    service.publish(session, guard.actor(), held, verdicts, clock().today())


_STEPS = {
    "save": _save,
    "freeze": _freeze,
    "open": _open,
    "discard": _discard,
    "void": _void,
    "publish": _publish,
}
