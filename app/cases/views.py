"""Published answers for everybody; queue, case and moves for the committee."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.cases import answers as published
from app.cases import queue as queues
from app.cases import service, terms
from app.cases.cursor import Cursor
from app.cases.models import Case, DeclineReason
from app.cases.workflow import Move, State
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Invalid
from app.i18n import sentence
from app.staff import audit, guard
from app.staff.models import Role
from app.text import clean, printable
from app.web import STATUS, clock

public = Blueprint("answers", __name__)
desk = Blueprint("cases", __name__, url_prefix="/desk")

# What the filter of the queue offers, each a set of states.
FILTERS = {
    "open": terms.OPEN_STATES,
    "waiting": (State.WAITING,),
    "accepted": (State.ACCEPTED, State.REOPENED),
    "answering": (State.ANSWERING,),
    "asked": (State.ASKED,),
    "done": (
        State.ANSWERED,
        State.CLOSED,
        State.DECLINED,
        State.MERGED,
        State.APPEALED,
        State.UPHELD,
        State.WITHDRAWN,
        State.REMOVED,
    ),
}


@public.get("/answers")
def answers() -> str:
    """Published answers, newest first."""
    after = Cursor.read(request.args.get("after", ""))
    with reading() as session:
        page = published.newest(session, published.PAGE + 1, after=after)
    shown, more = page[: published.PAGE], len(page) > published.PAGE
    last = Cursor(shown[-1].published_on, shown[-1].id) if more else None
    return render_template(
        "cases/answers.html",
        answers=shown,
        next_url=url_for("answers.answers", after=str(last)) if last else None,
    )


def _unlocked() -> queues.Unlocked:
    person = guard.current()
    return queues.Unlocked(person.staff_id, person.box_ids, person.keys)


@desk.get("/queue")
@guard.desk()
def queue() -> str:
    """The queue: what waits, oldest clock first."""
    chosen = request.args.get("state", "open")
    chosen = chosen if chosen in FILTERS else "open"
    after = Cursor.read(request.args.get("after", ""))
    with reading() as session:
        page = queues.queue(
            session, _unlocked(), clock().today(), states=FILTERS[chosen], after=after
        )
    return render_template(
        "cases/queue.html",
        rows=page.rows,
        chosen=chosen,
        filters=tuple(FILTERS),
        next_url=url_for("cases.queue", after=str(page.next), state=chosen) if page.next else None,
        continued=after is not None,
        keeps=bool(guard.current().box_ids),
    )


@desk.get("/cases/<case_id>")
@guard.desk(Role.KEEPER)
def case(case_id: str) -> str:
    """The case: words, thread, moves."""
    return _case_page(case_id)


def _case_page(case_id: str, alert: str | None = None) -> str:
    with reading() as session:
        page = service.case_page(session, _unlocked(), case_id, clock().today())
    return render_template(
        "cases/case.html",
        page=page,
        alert=alert,
        reasons=list(DeclineReason),
        typed={name: printable(value) for name, value in request.form.items()},
        sentence_limit=service.MAX_SENTENCE,
    )


@desk.post("/cases/<case_id>/<any(accept,decline,draft,discard,approve):move>")
@guard.desk(Role.KEEPER)
def move(case_id: str, move: str) -> ResponseReturnValue:
    """One move of a case; refused, the page comes back with the sentence and what was typed."""
    try:
        with transaction() as session:
            found = service.get(session, _unlocked(), case_id, _version())
            MOVES[Move(move)](session, found)
            audit.record(session, clock().now(), guard.current().staff_id, move, case_id)
            session.flush()
    except (Invalid, Conflict) as error:
        return _case_page(case_id, sentence(error)), _status(error)
    except StaleDataError:
        return _case_page(case_id, sentence(Conflict(service.MOVED_MEANWHILE))), 409
    return redirect(url_for("cases.case", case_id=case_id), 303)


def _status(error: DomainError) -> int:
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def _version() -> int | None:
    raw = request.form.get("version", "")
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else None


def _field(name: str, at_most: int) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most)


def _accept(session: Session, found: Case) -> None:
    service.accept(session, found, clock().today())


def _decline(session: Session, found: Case) -> None:
    try:
        reason = DeclineReason(request.form.get("reason", ""))
    except ValueError:
        raise Invalid(N_("还没有选理由，没有改变任何内容。请从列出的理由里选一条。")) from None
    message = _field("message", service.MAX_SENTENCE)
    service.decline(session, _unlocked(), found, reason, message, clock().today())


def _draft(session: Session, found: Case) -> None:
    answer = _field("answer", service.MAX_ANSWER)
    summary = _field("summary", service.MAX_SUMMARY)
    service.draft(session, _unlocked(), found, answer, summary, clock().today())


def _discard(session: Session, found: Case) -> None:
    service.discard(session, found, clock().today())


def _approve(session: Session, found: Case) -> None:
    service.approve(session, _unlocked(), found, clock().today())


MOVES = {
    Move.ACCEPT: _accept,
    Move.DECLINE: _decline,
    Move.DRAFT: _draft,
    Move.DISCARD: _discard,
    Move.APPROVE: _approve,
}
