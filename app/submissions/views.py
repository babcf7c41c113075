"""Speaking: the form, the warning, the receipt. No cookie, no session, no script."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from app import crypto, layouts, qr
from app.cases import terms, thread
from app.db import reading, reading_past_the_orm, transaction
from app.errors import N_, Conflict, DomainError, Invalid, TooMany
from app.i18n import gettext, ngettext, sentence
from app.organisation.service import Branch
from app.organisation.views import BranchCard, box_card
from app.pictures import cleaning
from app.sealing.front import Front, front
from app.submissions import service
from app.submissions.form_views import Typed, blank_page, form_page
from app.submissions.forms import STALE_PAGE, OpinionForm
from app.submissions.models import SpeakerGroup
from app.submissions.receipt_views import opens_by, thread_ticket, todays_pen
from app.submissions.self_identification import check
from app.submissions.service import About, Aspect, Opinion, Publish, Receipt, Recipient
from app.submissions.ticket import Ticket
from app.text import clean, printable
from app.web import STATUS, clock, config, keep_secret, limit

blueprint = Blueprint("submissions", __name__)

SECONDS_TO_READ = 3


# --- the form -----------------------------------------------------------------------------------


@blueprint.route("/box/<slug>", methods=["GET", "POST"])
def box(slug: str) -> ResponseReturnValue:
    """The box's form; posted, it answers with the receipt or with the form and a sentence."""
    with reading_past_the_orm() as connection:
        found = front(connection, slug)
        card, branch = box_card(connection, found), found.branch
    if request.method != "POST":
        return blank_page(card, found) if card.open else form_page(card, Typed())
    limit("drop")
    form = OpinionForm()
    typed = _typed(form)
    if not card.open or branch.box_id is None:
        return _form_page(card, typed), 409
    try:
        ticket = form.check()
        if ticket is None or ticket.place != slug:
            return _form_page(card, typed, gettext(STALE_PAGE)), 422
        opinion = _opinion(form, card, branch, ticket)
        if (decided := _decided(opinion)) is None:
            return _undecided_page(card, typed, opinion.text, form.ticket.data)
        opinion = _with_files(decided)
        receipt = _drop(ticket, opinion)
    except (Conflict, Invalid, TooMany) as error:
        return _refused_form(card, typed, error, form.ticket.data)
    holder = card.superior_name if opinion.place else card.name
    return _receipt_page(slug, holder, receipt, sum(map(len, opinion.files)), found)


def _refused_form(
    card: BranchCard, typed: Typed, error: DomainError, ticket: str | None
) -> ResponseReturnValue:
    """The form with a sentence; its ticket stays good unless the boxes were opened meanwhile."""
    fresh = isinstance(error, Conflict | service.StaleTicketError)
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return _form_page(card, typed, sentence(error), None if fresh else ticket), status


def _typed(form: OpinionForm) -> Typed:
    return Typed(
        opinion=printable(form.opinion.data or ""),
        speaker=form.speaker.data or "",
        aspect=form.aspect.data or "",
        about=form.about.data or "",
        recipient=form.recipient.data or "",
        publish=form.publish.data or "",
    )


def _opinion(form: OpinionForm, card: BranchCard, branch: Branch, ticket: Ticket) -> Opinion:
    text = clean(form.opinion.data or "", field="opinion", at_most=service.MAX_OPINION)
    if not text.strip():
        raise Invalid(
            N_("意见还是空的，没有投进去。请写上您想说的话，再点“投进意见箱”。"), field="opinion"
        )
    if crypto.contains_code(text):
        raise Invalid(
            N_("文字里好像有一个回执码。回执码请不要告诉任何人：删去它再投，别的都还在下面。"),
            field="opinion",
        )
    past_the_branch = form.recipient.data == Recipient.SUPERIOR
    box_id = card.superior_box_id if past_the_branch else branch.box_id
    if box_id is None:
        raise Invalid(
            N_("监督组的意见箱现在没有人保管，没有投进去。请改选“本支部”，或打电话。"),
            field="recipient",
        )
    if config().limits and ticket.age(clock().now()) < SECONDS_TO_READ:
        raise Invalid(N_("交得太快了。您写的还在下面，请等三秒，再点一次“投进意见箱”。"))
    return Opinion(
        box_id=box_id,
        unit_id=branch.id,
        text=text,
        place=f"{branch.path} {branch.name}".strip() if past_the_branch else "",
        speaker=SpeakerGroup(form.speaker.data or ""),
        aspect=Aspect(form.aspect.data or ""),
        about=About(form.about.data or ""),
        publish=Publish(form.publish.data or ""),
    )


def _with_files(opinion: Opinion) -> Opinion:
    """With what was chosen to go along: read from memory, developed anew, its name left behind."""
    chosen = _chosen()
    if not chosen:
        return opinion
    limit("files", 3.0 * len(chosen))
    sent = [file.stream.read() for file in chosen]
    return replace(
        opinion,
        uploads=tuple(hashlib.sha256(content).hexdigest() for content in sent),
        files=cleaning.develop(sent),
    )


def _chosen() -> list[FileStorage]:
    """The files of the form; a browser sends an empty one where none was chosen."""
    return [file for file in request.files.getlist("files") if file.filename]


def _decided(opinion: Opinion) -> Opinion | None:
    """What goes into the box, None while the speaker has to be asked.

    The decision itself goes nowhere: the same words, the same receipt.
    """
    decision = request.form.get("decision", "")
    if decision == "mask":
        return replace(opinion, text=check.mask(opinion.text))
    if decision == "edit":
        return None
    asked = decision != "as-is" and check.find(opinion.text)
    return None if asked else opinion


def _drop(ticket: Ticket, opinion: Opinion) -> Receipt:
    pen = todays_pen()
    first = service.receipt_of(pen, ticket, opinion)
    try:
        with transaction() as session:
            return service.drop(session, pen, ticket, opinion, first)
    except service.StaleTicketError:
        with reading() as session:  # the same form, sent again after its opening
            if thread.known(session, first.keys):
                return first
        raise


def _form_page(
    card: BranchCard, typed: Typed, alert: str | None = None, ticket: str | None = None
) -> str:
    return form_page(card, typed, alert, ticket, files_chosen=bool(_chosen()))


def _undecided_page(card: BranchCard, typed: Typed, text: str, ticket: str | None) -> str:
    """The form again, with what would give the speaker away unless they went back to edit."""
    if request.form.get("decision") == "edit":
        return _form_page(card, typed, ticket=ticket)
    keep_secret()
    return render_template(
        "submissions/self_identification.html",
        branch=card,
        typed=typed,
        choices={name: value for name, value in asdict(typed).items() if name != "opinion"},
        pieces=check.excerpt(text),
        ticket=ticket,
        files_chosen=bool(_chosen()),
    )


def _receipt_page(slug: str, holder: str, receipt: Receipt, pictures: int, found: Front) -> str:
    keep_secret()
    promise = str(receipt.promise)
    opens_next = opens_by(found.locked_on, clock().today())
    own = {
        "slug": slug,
        "holder": holder,
        "code": crypto.display_code(receipt.code),
        "promise": promise,
        "enclosed": ngettext("附了 %(num)d 张图", "附了 %(num)d 张图", pictures),
        "qr": qr.picture(promise, gettext(N_("承诺的二维码"))),
        "ticket": thread_ticket(found.lock_id, receipt.keys),
    }

    def receipt_page(marks: dict[str, str]) -> str:
        return render_template(
            "submissions/dropped.html",
            own=marks,
            by=receipt.promise.by,
            opens_next=opens_next,
            enclosed=bool(pictures),
            terms=terms.current(),
        )

    alike = (receipt.promise.by, opens_next, bool(pictures), terms.current())
    return layouts.filled("/box/{slug}", alike, own, receipt_page)
