"""Appraisals at the desk: occasions, the members and where each stands, links to hand out."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.appraisals import (
    feedback,
    links,
    occasions,
    progress,
    questions,
    record,
    self_appraisal,
    sheet,
)
from app.appraisals.links import Issued
from app.appraisals.models import Appraisal, Occasion, Purpose
from app.appraisals.views import address_of
from app.cases.queue import Unlocked
from app.db import reading, transaction
from app.errors import N_, Conflict, Invalid
from app.i18n import day, gettext, sentence
from app.organisation import service as organisation
from app.staff import audit, guard
from app.staff.models import Role
from app.text import clean, printable
from app.web import clock, config, keep_secret

blueprint = Blueprint("appraisals", __name__, url_prefix="/desk/appraisals")

WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE)


def unlocked() -> Unlocked:
    """The person at the desk, as services know them."""
    person = guard.current()
    return Unlocked(person.staff_id, person.box_ids, person.keys)


def note(session: Session, action: str, subject: str, detail: str = "") -> None:
    """Keep what was done in the record of acts: ids and codes, no name, no word."""
    audit.record(session, clock().now(), guard.current().staff_id, action, subject, detail)


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """A keeper's members and where each stands; for those who watch, numbers alone."""
    return _index()


@dataclass
class Typed:
    """What was refused, to be shown again."""

    alert: str | None = None
    unit: str = ""
    name: str = ""
    questions: str = field(default="", repr=False)


def _index(typed: Typed | None = None) -> str:
    with reading() as session:
        listed = occasions.listed(session, unlocked())
        branches = occasions.branches(session, unlocked())
        template = "\n".join(gettext(question) for question in questions.NINE)
        return render_template(
            "appraisals/index.html",
            occasions=listed,
            branches=branches,
            typed=typed or Typed(),
            template=template,
            longest=occasions.MAX_NAME,
            **_members(session, [occasion for occasion, _ in listed]),
            **_progress(session),
        )


def _members(session: Session, listed: list[Occasion]) -> dict[str, object]:
    wanted = request.args.get("occasion", "")
    chosen = request.args.get("state", "all")
    chosen = chosen if chosen in occasions.FILTERS else "all"
    occasion = next((one for one in listed if one.id == wanted), listed[0] if listed else None)
    if occasion is None:
        return {"occasion": None}
    after = printable(request.args.get("after", ""))[:32]
    page = occasions.members(
        session, occasion, clock().now(), clock().today(), chosen=chosen, after=after
    )
    return {
        "occasion": occasion,
        "page": page,
        "chosen": chosen,
        "filters": occasions.FILTERS,
        "newcomers": len(occasions.missing(session, occasion)),
        "next_url": _next(occasion.id, chosen, page.next) if page.next else None,
        "continued": bool(after),
    }


def _next(occasion_id: str, chosen: str, after: str) -> str:
    return url_for(".index", occasion=occasion_id, state=chosen, after=after)


def _progress(session: Session) -> dict[str, object]:
    person, today = guard.current(), clock().today()
    groups = sorted(unit for unit in person.units_as(Role.SUPERVISOR) if unit)
    return {
        "watched": progress.of_branches(session, groups, today) if groups else [],
        "watches": bool(groups),
        "units": progress.of_units(session, today) if person.has(Role.OFFICE) else [],
        "office": person.has(Role.OFFICE),
    }


@blueprint.post("")
@guard.desk(Role.KEEPER)
def begin() -> ResponseReturnValue:
    """Begin an occasion with every member of a branch."""
    typed = Typed(
        unit=request.form.get("unit", ""),
        name=printable(request.form.get("name", "")),
        questions=printable(request.form.get("questions", "")),
    )
    try:
        with transaction() as session:
            made_id = _begin(session, typed)
    except (Invalid, Conflict) as error:
        typed.alert = sentence(error)
        return _index(typed), 422 if isinstance(error, Invalid) else 409
    return redirect(url_for(".index", occasion=made_id), 303)


def _begin(session: Session, typed: Typed) -> str:
    name = clean(request.form.get("name", ""), field="name", at_most=occasions.MAX_NAME * 4)
    lines = clean(request.form.get("questions", ""), field="questions", at_most=4000)
    if "\n".join(map(gettext, questions.NINE)).split() == lines.split():
        lines = ""  # the template as it is, in whatever language it was shown
    branch = organisation.branch(session, typed.unit)
    made = occasions.begin(session, unlocked(), branch.box_id or "", name, lines, clock().today())
    note(session, "begin_appraisals", branch.id, made.id)
    return made.id


@blueprint.post("/<occasion_id>/members")
@guard.desk(Role.KEEPER)
def add_members(occasion_id: str) -> ResponseReturnValue:
    """Bring in members who came to the branch since the occasion began."""
    with transaction() as session:
        found = occasions.get(session, unlocked(), occasion_id)
        if occasions.add_members(session, found):
            note(session, "begin_appraisals", found.id)
    return redirect(url_for(".index", occasion=occasion_id), 303)


# --- links on one sheet ---------------------------------------------------------------------------


@blueprint.post("/<any(self,feedback):purpose>/cards")
@guard.desk(Role.KEEPER)
def cards(purpose: str) -> ResponseReturnValue:
    """Links for everybody chosen, as one sheet to be cut apart: shown in this answer alone."""
    with transaction() as session:
        every = request.form.get("every", "")
        ids = occasions.ids_of(session, every) if every else request.form.getlist("appraisal")
        found = occasions.chosen_of(session, unlocked(), ids)
        issued, left_out = [], []
        for appraisal in found:
            one = _issue(session, appraisal, Purpose(purpose))
            issued += [one] if one else []
            left_out += [] if one else [record.member_of(session, appraisal).name]
        names = _branch_names(session, found)
    if not issued:
        return _index(Typed(alert=gettext(_NONE[Purpose(purpose)]))), 409
    return _cards(issued, Purpose(purpose), left_out, names)


_NONE = {
    Purpose.SELF: N_("选中的人里没有要发自评链接的：先勾上还没交自评的人。什么都没有改变。"),
    Purpose.FEEDBACK: N_("选中的人里没有要送的：先勾上已经定稿的人。什么都没有改变。"),
}


def _issue(session: Session, appraisal: Appraisal, purpose: Purpose) -> Issued | None:
    """A link where there is something to do; others are left as they are."""
    now, today, secrets = clock().now(), clock().today(), config().secrets
    if not links.may_issue_to_many(session, appraisal, purpose, now):
        return None
    if purpose is Purpose.SELF:
        issued = self_appraisal.ask(session, unlocked(), appraisal, now, today, secrets)
    else:
        issued = feedback.deliver(session, unlocked(), appraisal, now, today, secrets)
    note(session, f"link_{purpose}", appraisal.id)
    return issued


def _branch_names(session: Session, found: list[Appraisal]) -> str:
    boxes = {record.occasion_of(session, appraisal).box_id for appraisal in found}
    return "、".join(b.name for b in organisation.branches_of_boxes(session, boxes).values())


def _cards(issued: list[Issued], purpose: Purpose, left_out: list[str], names: str) -> Response:
    keep_secret()
    listed = [(one, address_of(one.token)) for one in issued]
    until = clock().today() + links.LIFETIME
    content = sheet.link_cards(names, listed, purpose, left_out, until, gettext, day)
    return pdf(content, "links.pdf")


def pdf(content: bytes, name: str) -> Response:
    """A sheet to be printed."""
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
