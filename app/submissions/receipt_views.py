"""Coming back with a receipt: the thread, its acts, its ends. No cookie, no session, no script."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from app import crypto
from app.cases import enclosed, expiry, terms, thread
from app.cases.models import Rating
from app.cases.receipt_file import receipt_file
from app.cases.workflow import State
from app.clock import FRIDAY
from app.crypto import ReceiptKeys
from app.db import reading, transaction, truncate_journal
from app.errors import N_, Conflict, DomainError, Invalid
from app.i18n import gettext, sentence
from app.sealing import service as sealing
from app.submissions import service
from app.submissions.forms import ActForm
from app.submissions.service import Pen, Publish
from app.submissions.ticket import new_ticket, write_ticket
from app.text import clean, printable
from app.web import clock, config, keep_level, keep_secret, limit

blueprint = Blueprint("receipts", __name__)


def todays_pen() -> Pen:
    """What writes and reads receipts here, today."""
    settings = config()
    return Pen(settings.secrets, settings.origin, clock().today())


def opens_by(made_on: dt.date, today: dt.date) -> dt.date:
    """By when every box will have been opened: the next Friday whose opening is to come."""
    days = (FRIDAY - today.weekday()) % 7
    if days == 0 and made_on >= today:
        days = 7
    return today + dt.timedelta(days=days)


def thread_ticket(opening_key_id: str, keys: ReceiptKeys) -> str:
    """The ticket that acts of a thread page carry."""
    ticket = new_ticket("thread", opening_key_id, clock().now(), keys)
    return write_ticket(ticket, config().secrets.instance_secret)


@blueprint.route("/receipt", methods=["GET", "POST"])
def receipt() -> ResponseReturnValue:
    """Enter a receipt code; posted, it answers with the thread."""
    if request.method != "POST":
        return _code_page()
    limit("receipt")
    try:
        code = crypto.parse_code(request.form.get("code", ""))
    except crypto.MistypedCodeError:
        return _code_page("mistyped")
    keep_level()
    return _thread_page(todays_pen().receipt_keys(code))


def _code_page(error: str | None = None) -> str:
    return render_template("submissions/receipt.html", error=error)


def _thread_page(
    keys: ReceiptKeys,
    alert: str | None = None,
    notice: str | None = None,
    typed: str = "",
    typed_in: str = "message",
) -> str:
    keep_secret()
    with reading() as session:
        page = thread.open_thread(session, todays_pen(), keys)
        key = sealing.opening_key(session)
    if page is None:
        return _code_page("unknown")
    return render_template(
        "submissions/thread.html",
        page=page,
        ticket=thread_ticket(key.id, keys),
        alert=alert,
        notice=notice,
        typed=printable(typed),
        typed_in=typed_in,
        opens_next=opens_by(key.made_on, clock().today()),
        kept_until=expiry.kept_until(page, config().thread_months),
        terms=terms.current(),
    )


def _act(kind: str, form: ActForm, value: str, text: str, notice: str) -> ResponseReturnValue:
    """One act of the thread page: it waits in the box, and the page shows it lying there."""
    limit("act")
    ticket = form.check()
    if ticket is None or ticket.keys is None:
        return _code_page("ticket"), 422
    try:
        if crypto.contains_code(text):
            raise Invalid(N_("文字里好像有一个回执码，请删去它再发。您写的还在下面。"))
        with transaction() as session:
            thread.act(session, todays_pen(), ticket, kind, value, clean_message(text))
    except DomainError as error:
        status = 409 if isinstance(error, Conflict) else 422
        where = "reason" if form.reason.data else "message"
        typed = form.reason.data or form.message.data or ""
        return _thread_page(ticket.keys, sentence(error), typed=typed, typed_in=where), status
    return _thread_page(ticket.keys, notice=notice)


def clean_message(text: str) -> str:
    """A message of the speaker, by the same rules as an opinion."""
    return clean(text, field="message", at_most=service.MAX_MESSAGE)


@blueprint.post("/receipt/reply")
def reply() -> ResponseReturnValue:
    """A message to the committee, or the answer to its question."""
    form = ActForm()
    text = form.message.data or ""
    if not text.strip():
        return _refused(form, N_("还没有写字，什么都没有发出。请写好再发。"))
    return _act("reply", form, "", text, gettext(N_("已经放进意见箱，下次开箱时送到。")))


@blueprint.post("/receipt/rate")
def rate() -> ResponseReturnValue:
    """Satisfied, basically, or not."""
    form = ActForm()
    value = form.rating.data or ""
    if value not in list(Rating):
        return _refused(form, N_("还没有选。请在满意、基本满意、不满意里选一个。"))
    return _act("rate", form, value, value, gettext(N_("评价收到了，下次开箱时送到。")))


@blueprint.post("/receipt/appeal")
def appeal() -> ResponseReturnValue:
    """To the supervision group: look at this decision again."""
    return _to_group("appeal", gettext(N_("申诉已经放进监督组的箱子，下次开箱时送到。")))


@blueprint.post("/receipt/blamed")
def blamed() -> ResponseReturnValue:
    """To the supervision group, past the branch: I was blamed for speaking."""
    return _to_group("blamed", gettext(N_("已经放进监督组的箱子，下次开箱时送到，支部看不到。")))


def _to_group(kind: str, notice: str) -> ResponseReturnValue:
    form = ActForm()
    text = form.reason.data or ""
    if not text.strip():
        return _refused(form, N_("还没有写字，什么都没有发出。请写好再发。"))
    return _act(kind, form, "", text, notice)


@blueprint.post("/receipt/publish")
def publish() -> ResponseReturnValue:
    """Change what may be published."""
    form = ActForm()
    value = form.publish.data or ""
    if value not in list(Publish):
        return _refused(form, N_("还没有选。请选一种公开的方式。"))
    return _act("publish", form, value, value, gettext(N_("记下了，下次开箱时送到。")))


def _refused(form: ActForm, message: str) -> ResponseReturnValue:
    ticket = form.check()
    if ticket is None or ticket.keys is None:
        return _code_page("ticket"), 422
    return _thread_page(ticket.keys, alert=gettext(message), typed=form.message.data or ""), 422


@blueprint.post("/receipt/withdraw")
def withdraw() -> ResponseReturnValue:
    """Take the opinion back, at once."""
    return _end(
        thread.withdraw,
        gettext(N_("已经撤回")),
        gettext(
            N_("您的意见和往来文字已经销毁，谁也打不开了。公开日志里只留下一个看不出内容的印记。")
        ),
    )


@blueprint.post("/receipt/burn")
def burn() -> ResponseReturnValue:
    """Burn the receipt, at once: the opinion stays, nobody can come back to it."""
    return _end(
        thread.burn,
        gettext(N_("回执已经烧毁")),
        gettext(
            N_("意见还会照常办理，但这个回执码从此什么也打不开，也没有人能再找到您和它的联系。")
        ),
    )


def _end(ending: thread.Ending, heading: str, text: str) -> ResponseReturnValue:
    limit("act")
    form = ActForm()
    ticket = form.check()
    if ticket is None or ticket.keys is None:
        return _code_page("ticket"), 422
    if form.confirm.data != "yes":
        return _refused(form, N_("还没有打勾确认，什么都没有改变。想好了，请先打勾，再点按钮。"))
    try:
        with transaction() as session:
            ending(session, todays_pen(), ticket)
    except Conflict as error:
        return _thread_page(ticket.keys, alert=sentence(error)), 409
    truncate_journal()
    keep_secret()
    state = State.WITHDRAWN if ending is thread.withdraw else None
    return render_template("submissions/ended.html", heading=heading, sentence=text, state=state)


@blueprint.post("/receipt/picture")
def picture() -> ResponseReturnValue:
    """A picture of one's own, by the ticket of the thread page."""
    limit("act")
    form = ActForm()
    ticket = form.check()
    if ticket is None or ticket.keys is None:
        return _code_page("ticket"), 422
    with reading() as session:
        picture_id = form.picture.data or ""
        found = enclosed.picture_of_receipt(session, todays_pen(), ticket.keys, picture_id)
    return Response(
        found,
        mimetype="image/jpeg",
        headers={"Content-Disposition": "inline; filename=picture.jpg"},
    )


@blueprint.post("/receipt/file")
def file() -> ResponseReturnValue:
    """The receipt as a file: one HTML page with everything that an offline check needs."""
    limit("act")
    ticket = ActForm().check()
    if ticket is None or ticket.keys is None:
        return _code_page("ticket"), 422
    with reading() as session:
        page = thread.open_thread(session, todays_pen(), ticket.keys)
        saved = receipt_file(session, todays_pen(), page) if page else None
    if saved is None:
        return _code_page("unknown")
    keep_secret()
    response = Response(render_template("submissions/file.html", saved=saved))
    response.headers["Content-Disposition"] = 'attachment; filename="yanlu-receipt.html"'
    return response
