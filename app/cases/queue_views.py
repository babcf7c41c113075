"""What a keeper does with many cases at once: search, bulk, passing on; and the phrases."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.cases import phrases, queue, referral, search, service
from app.cases.models import Case, DeclineReason
from app.cases.views import FILTERS, HOLDERS, chosen_reason, unlocked
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Invalid
from app.i18n import sentence
from app.organisation import service as organisation
from app.staff import audit, guard
from app.staff import service as accounts
from app.text import clean
from app.web import clock

blueprint = Blueprint("worklist", __name__, url_prefix="/desk")

MOST_AT_ONCE = 100
MAX_SOUGHT = 100


@blueprint.post("/queue/search")
@guard.desk(*HOLDERS)
def find() -> str:
    """Cases by their words; posted, so that what is looked for stands in no address and no log."""
    q = clean(request.form.get("q", ""), field="q", at_most=MAX_SOUGHT)
    with reading() as session:
        ids = search.find(session, unlocked(), q)
        cases = queue.cases_by_id(session, unlocked(), ids)
        rows = queue.rows_of(session, unlocked(), cases, clock().today())
    return render_template("cases/search.html", rows=rows, q=q, most=search.MOST_FOUND)


@blueprint.post("/queue/<any(accept,decline):move>")
@guard.desk(*HOLDERS)
def many(move: str) -> ResponseReturnValue:
    """One move for the chosen cases; those that somebody moved meanwhile are left and counted."""
    ids = list(dict.fromkeys(request.form.getlist("case")))[:MOST_AT_ONCE]
    if not ids:
        raise Invalid(N_("还没有选办件，什么都没有改变。请先在前面打勾。"))
    done = 0
    for case_id in ids:
        done += _one(case_id, move)
    return redirect(url_for("cases.queue", done=done, left=len(ids) - done), 303)


def _one(case_id: str, move: str) -> bool:
    try:
        with transaction() as session:
            case = service.get(session, unlocked(), case_id)
            service.require_kept(unlocked(), case)
            if move == "accept":
                service.accept(session, case, clock().today())
            else:
                _decline(session, case)
            audit.record(session, clock().now(), guard.current().staff_id, move, case_id, "bulk")
            session.flush()
    except (Conflict, StaleDataError):
        return False
    return True


def _decline(session: Session, case: Case) -> None:
    message = clean(request.form.get("message", ""), field="message", at_most=service.MAX_SENTENCE)
    reason: DeclineReason = chosen_reason()
    service.decline(session, unlocked(), case, reason, message, clock().today())


@blueprint.post("/queue/forward")
@guard.desk(*HOLDERS)
def forward() -> ResponseReturnValue:
    """Pass on what speakers wrote here after their case had gone elsewhere."""
    with transaction() as session:
        done = referral.forward(session, unlocked())
        audit.record(session, clock().now(), guard.current().staff_id, "forward")
    return redirect(url_for("cases.queue", done=done), 303)


@blueprint.post("/queue/first")
@guard.desk(*HOLDERS)
def show_first() -> ResponseReturnValue:
    """Begin with this part of the queue from now on; a filter's name is all that is kept."""
    name = request.form.get("state", "")
    if name not in FILTERS:
        raise Invalid(N_("没有这样的一类，什么都没有改变。请回到办件再选一次。"))
    with transaction() as session:
        accounts.keep_queue_filter(session, guard.current().staff_id, name)
    return redirect(url_for("cases.queue"), 303)


@blueprint.get("/phrases")
@guard.desk(*HOLDERS)
def phrase_list() -> str:
    """The turns of phrase of this person's boxes."""
    return _phrase_page()


def _phrase_page(alert: str | None = None) -> str:
    with reading() as session:
        boxes = organisation.branches_of_boxes(session, unlocked().box_ids)
        return render_template(
            "cases/phrases.html",
            phrases=phrases.phrases(session, unlocked().box_ids),
            boxes=sorted(boxes.values(), key=lambda branch: branch.name),
            names={box_id: branch.name for box_id, branch in boxes.items()},
            max_phrase=phrases.MAX_PHRASE,
            alert=alert,
        )


@blueprint.post("/phrases")
@guard.desk(*HOLDERS)
def add_phrase() -> ResponseReturnValue:
    """Keep a phrase."""
    box_id = request.form.get("box", "")
    try:
        if box_id not in unlocked().box_ids:
            raise Invalid(N_("还没有选意见箱，什么都没有存。请先选一个。"))
        words = clean(request.form.get("words", ""), field="words", at_most=phrases.MAX_PHRASE)
        with transaction() as session:
            phrases.add(session, box_id, words)
    except DomainError as error:
        return _phrase_page(sentence(error)), 422
    return redirect(url_for("worklist.phrase_list"), 303)


@blueprint.post("/phrases/<phrase_id>/delete")
@guard.desk(*HOLDERS)
def delete_phrase(phrase_id: str) -> ResponseReturnValue:
    """Forget a phrase."""
    with transaction() as session:
        phrases.delete(session, unlocked().box_ids, phrase_id)
    return redirect(url_for("worklist.phrase_list"), 303)
