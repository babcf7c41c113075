"""The desks of the other channels: paper, the telephone, a meeting.

Here alone a person at the desk and a drop are in one place, and nothing is kept that joins them:
the record says that somebody keyed in for a box on a day, once, and neither when nor how much.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from app import crypto
from app.cases.models import Channel
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Invalid
from app.i18n import gettext, sentence
from app.intake import forms, rights, service
from app.intake.forms import Boxes, Row
from app.intake.rights import Reach
from app.intake.service import Destination, Entry
from app.organisation.service import Branch, search
from app.organisation.views import BranchCard, box_card
from app.sealing import service as sealing
from app.sealing.front import front
from app.staff import audit, guard
from app.staff.models import Role
from app.submissions.forms import STALE_PAGE
from app.submissions.receipt_views import opens_by, todays_pen
from app.submissions.service import Receipt, StaleTicketError
from app.submissions.ticket import ForgedTicketError, Ticket, new_ticket, read_ticket, write_ticket
from app.web import clock, config, keep_secret

blueprint = Blueprint("intake", __name__, url_prefix="/desk/intake")

WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE)
_CLOSED = N_("这个意见箱现在没有人保管，暂时关着，录不进去。纸和记录请锁好，等有人保管了再录。")


def reach() -> Reach:
    """What the person at the desk may key in for."""
    return Reach(guard.current().roles)


@dataclass(frozen=True)
class Desk:
    """One branch's desk of one channel."""

    branch: Branch
    card: BranchCard
    channel: Channel

    @property
    def boxes(self) -> Boxes:
        """Where its opinions may go. Raises Conflict while nobody keeps the box."""
        if not self.card.open or self.branch.box_id is None:
            raise Conflict(_CLOSED)
        superior = None
        if self.card.superior_box_id is not None:
            place = f"{self.branch.path} {self.branch.name}".strip()
            superior = Destination(self.branch.id, self.card.superior_box_id, place)
        return Boxes(Destination(self.branch.id, self.branch.box_id), superior)

    @property
    def place(self) -> str:
        """What its tickets are good for."""
        return f"intake {self.channel} {self.branch.slug}"


def _desk(slug: str, channel: str) -> Desk:
    with reading() as session:
        branch = rights.require(session, reach(), slug)
        connection = session.connection()
        return Desk(branch, box_card(connection, front(connection, slug)), Channel(channel))


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """The branches within reach, and the three desks of each; who has many looks one up."""
    q = request.args.get("q", "").strip()[:100]
    within = reach()
    with reading() as session:
        listed = (
            []
            if within.everywhere
            else rights.boxes(session, within, at_most=rights.MOST_LISTED + 1)
        )
        looked_up = within.everywhere or len(listed) > rights.MOST_LISTED
        return render_template(
            "intake/index.html",
            q=q,
            looked_up=looked_up,
            branches=search(session, q, within=within.within()) if looked_up else listed,
            most_forms=service.MOST_FORMS,
        )


# --- keying in ------------------------------------------------------------------------------------


@blueprint.route("/<slug>/<any(paper,phone,meeting):channel>", methods=["GET", "POST"])
@guard.desk(*WHO)
def keying(slug: str, channel: str) -> ResponseReturnValue:
    """A page of rows; posted, it stores them all in any order, or none and says why."""
    desk = _desk(slug, channel)
    if request.method != "POST":
        return _form(desk, forms.blank(desk.channel))
    if "more" in request.form:
        return _form(desk, forms.with_more(forms.typed()), ticket=request.form.get("ticket"))
    try:
        ticket = _ticket(desk)
        made = _decided(forms.entries(forms.typed(), desk.boxes, desk.channel))
        if made is None:
            return _undecided(desk)
        receipts = _key_in(desk, ticket, made)
    except (Conflict, Invalid) as error:
        return _refused(desk, error)
    return _done(desk, receipts)


def _ticket(desk: Desk) -> Ticket:
    try:
        ticket = read_ticket(request.form.get("ticket", ""), config().secrets.instance_secret)
    except ForgedTicketError:
        raise StaleTicketError(STALE_PAGE) from None
    if ticket.place != desk.place:
        raise StaleTicketError(STALE_PAGE)
    return ticket


def _decided(made: list[Entry | None]) -> list[Entry | None] | None:
    """What goes into the boxes, None while it has to be asked; as for a speaker themselves."""
    decision = request.form.get("decision", "")
    if decision == "mask":
        return forms.masked(made)
    return made if decision == "as-is" or not forms.telling(made) else None


def _key_in(desk: Desk, ticket: Ticket, made: Sequence[Entry | None]) -> list[Receipt]:
    pen = todays_pen()
    batch = service.prepare(pen, ticket, desk.channel, made)
    _note_the_day(desk)
    try:
        with transaction() as session:
            return service.key_in(session, pen, batch)
    except StaleTicketError:
        with reading() as session:
            if service.opened_before(session, batch):
                return [keyed.receipt for keyed in batch]
        raise


def _note_the_day(desk: Desk) -> None:
    """Keep that this person keyed in for this branch today: once a day, at no hour.

    In a transaction of its own: what one transaction wrote, a dump shows as belonging together.
    """
    zone = config().timezone
    midnight = dt.datetime.combine(clock().today(), dt.time(), zone).astimezone(dt.UTC)
    noted = (guard.current().staff_id, "key_in", desk.branch.id, desk.channel.value)
    row = audit.AuditRow
    known = sa.select(row.id).where(
        row.at == midnight, row.staff_id == noted[0], row.action == noted[1],
        row.subject == noted[2], row.detail == noted[3],
    )  # fmt: skip
    with transaction() as session:
        if session.scalar(known) is None:
            audit.record(session, midnight, *noted)


# --- pages ----------------------------------------------------------------------------------------


def _form(
    desk: Desk, rows: Sequence[Row], alert: str | None = None, ticket: str | None = None
) -> str:
    keep_secret()
    with reading() as session:
        key = sealing.opening_key(session)
    fresh = new_ticket(desk.place, key.id, clock().now())
    return render_template(
        "intake/keying.html",
        branch=desk.card,
        channel=desk.channel,
        rows=forms.shown(rows),
        alert=alert or (None if desk.card.open else gettext(_CLOSED)),
        ticket=ticket or write_ticket(fresh, config().secrets.instance_secret),
        most=service.MOST_ENTRIES,
    )


def _refused(desk: Desk, error: DomainError) -> ResponseReturnValue:
    fresh = isinstance(error, StaleTicketError)
    ticket = None if fresh else request.form.get("ticket")
    status = 409 if isinstance(error, Conflict) else 422
    return _form(desk, forms.typed(), sentence(error), ticket), status


def _undecided(desk: Desk) -> str:
    if request.form.get("decision") == "edit":
        return _form(desk, forms.typed(), ticket=request.form.get("ticket"))
    keep_secret()
    made = forms.entries(forms.typed(), desk.boxes, desk.channel)
    return render_template(
        "intake/undecided.html",
        branch=desk.card,
        channel=desk.channel,
        telling=forms.telling(made),
        again=forms.again(),
    )


def _done(desk: Desk, receipts: Sequence[Receipt], alert: str | None = None) -> str:
    keep_secret()
    with reading() as session:
        made_on = sealing.opening_key(session).made_on
    code = receipts[0].code
    return render_template(
        "intake/done.html",
        branch=desk.card,
        channel=desk.channel,
        number=len(receipts),
        fours=[code[place : place + 4] for place in range(0, crypto.CODE_DIGITS, 4)],
        again=forms.again() + _decision(),
        opens_next=opens_by(made_on, clock().today()),
        alert=alert,
    )


def _decision() -> list[tuple[str, str]]:
    """Goes along with what is sent once more: other words would be another opinion."""
    decision = request.form.get("decision")
    return [("decision", decision)] if decision in ("mask", "as-is") else []


# --- what follows on the page of receipts ---------------------------------------------------------


def sent_again(desk: Desk) -> list[Receipt]:
    """The receipts of a page that was stored a moment ago; the same form, the same receipts."""
    made = _decided(forms.entries(forms.typed(), desk.boxes, desk.channel))
    if made is None:
        raise Invalid(STALE_PAGE)
    return _key_in(desk, _ticket(desk), made)


@blueprint.post("/<slug>/phone/read-back")
@guard.desk(*WHO)
def read_back(slug: str) -> ResponseReturnValue:
    """What the caller read back, held against the code: which group of four was heard wrong."""
    desk = _desk(slug, Channel.PHONE)
    try:
        receipts = sent_again(desk)
    except (Conflict, Invalid) as error:
        return _refused(desk, error)
    wrong = service.differing_group(receipts[0].code, request.form.get("read_back", ""))
    if wrong is not None:
        words = gettext(N_("第 %(group)d 组对不上。请再念一遍这一组。"), group=wrong)
        return _done(desk, receipts, words), 422
    keep_secret()
    return render_template("intake/read_back.html", branch=desk.card)


def meeting(slug: str) -> tuple[Desk, list[Receipt], list[int]]:
    """A meeting that was just written down: its receipts, and the numbers of their rows."""
    desk = _desk(slug, Channel.MEETING)
    receipts = sent_again(desk)
    numbers = [place for place, row in enumerate(forms.typed(), start=1) if row.opinion.strip()]
    return desk, receipts, numbers
