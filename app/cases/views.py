"""Published answers for everybody; queue, case and moves for the committee."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import escape
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.cases import answers as published
from app.cases import (
    case_page,
    enclosed,
    merging,
    phrases,
    precedents,
    recourse,
    referral,
    search,
    service,
)
from app.cases import queue as queues
from app.cases.cursor import Cursor
from app.cases.models import Case, DeclineReason, RecourseGround, RecourseOutcome
from app.cases.recourse import Noted
from app.cases.workflow import DESK_MOVES, Move
from app.clock import knows_year
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Invalid
from app.i18n import a_page, sentence
from app.notifications.feed import Entry
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.sealing import service as sealing
from app.staff import audit, guard
from app.staff import service as accounts
from app.staff.models import Role
from app.text import clean, printable, rich_text
from app.web import STATUS, clock, feed_response, site_url

public = Blueprint("answers", __name__)
desk = Blueprint("cases", __name__, url_prefix="/desk")
HOLDERS = (Role.KEEPER, Role.SUPERVISOR)
FILTERS = (*queues.FILTERS, "overdue", "recourse")
MAX_SOUGHT = 100
MOST_CLOSED = 50
# No move of the opinion: a word of the supervision group to whoever was blamed.
RESPOND = "respond"
MOVE_NAMES = (*(m for m in Move if m in DESK_MOVES), *case_page.GROUP_MOVES, RESPOND)


@public.get("/answers")
def answers() -> str:
    """Published answers, newest first; with `q` those in which every word stands."""
    after = Cursor.read(request.args.get("after", ""))
    q = printable(request.args.get("q", "")).strip()[:MAX_SOUGHT]
    most = a_page(published.PAGE)
    with reading() as session:
        page = (
            published.find(session, q, most + 1, after=after)
            if q
            else published.newest(session, most + 1, after=after)
        )
    shown, more = page[:most], len(page) > most
    last = Cursor(shown[-1].published_on, shown[-1].id) if more else None
    return render_template(
        "cases/answers.html",
        answers=shown,
        q=q,
        next_url=url_for("answers.answers", after=str(last), q=q or None) if last else None,
    )


@public.get("/answers.atom")
def answers_feed() -> Response:
    """The newest answers as a feed."""
    with reading() as session:
        page = published.newest(session, published.PAGE)
    entries = [
        Entry(
            answer.id,
            f"{answer.branch_name}：{queues.excerpt(answer.summary)}",
            answer.published_on,
            f"<p>{escape(answer.summary)}</p>{rich_text(answer.answer)}",
            site_url(url_for("answers.answers") + f"#a{answer.id}"),
        )
        for answer in page
    ]
    return feed_response("answers.answers_feed", "answers.answers", N_("公开的答复"), entries)


def unlocked() -> queues.Unlocked:
    """The person at the desk, as services know them."""
    person = guard.current()
    return queues.Unlocked(person.staff_id, person.box_ids, person.keys)


@desk.get("/queue")
@guard.desk()
def queue() -> str:
    """The queue: what waits, oldest clock first."""
    after = Cursor.read(request.args.get("after", ""))
    with reading() as session:
        first = accounts.queue_filter(session, guard.current().staff_id)
        chosen = request.args.get("state") or first
        chosen = chosen if chosen in FILTERS else "open"
        page = queues.queue(session, unlocked(), clock().today(), chosen=chosen, after=after)
        around = _around(session)
    return render_template(
        "cases/queue.html",
        rows=page.rows,
        chosen=chosen,
        first=first or "open",
        filters=FILTERS,
        next_url=url_for("cases.queue", after=str(page.next), state=chosen) if page.next else None,
        continued=after is not None,
        keeps=bool(guard.current().box_ids),
        done=number(request.args.get("done", "")),
        left=number(request.args.get("left", "")),
        reasons=list(DeclineReason),
        unknown_year=_unknown_year(),
        **around,
    )


def _around(session: Session) -> dict[str, object]:
    """What stands around the rows, whichever of them were chosen."""
    return {
        "behind": len(referral.left_behind(session, unlocked())),
        "counts": queues.counts(session, unlocked(), clock().today()),
        "most_counted": queues.MOST_COUNTED,
        "closed": _closed_boxes(session),
        "most_closed": MOST_CLOSED,
        "office": guard.current().has(Role.OFFICE),
        "first_day": not queues.ever_moved(session, unlocked().box_ids),
    }


def _closed_boxes(session: Session) -> list[Branch]:
    """Boxes that nobody keeps: for the office all, for a supervisor those that they watch."""
    person = guard.current()
    if person.has(Role.OFFICE):
        return sealing.closed_boxes(session, MOST_CLOSED)
    groups = [unit_id for unit_id in person.units_as(Role.SUPERVISOR) if unit_id]
    return sealing.closed_boxes(session, MOST_CLOSED, group_ids=groups) if groups else []


def _unknown_year() -> int | None:
    """A year that terms of today run into and whose holidays nobody told."""
    today = clock().today()
    years = {today.year, (today + dt.timedelta(days=30)).year}
    return next((year for year in sorted(years) if not knows_year(year)), None)


def number(text: str) -> int | None:
    """A small number from an address; None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@desk.get("/cases/<case_id>")
@guard.desk(*HOLDERS)
def case(case_id: str) -> str:
    """The case: words, thread, moves."""
    return _case_page(case_id)


def _case_page(case_id: str, alert: str | None = None) -> str:
    typed = {name: printable(value) for name, value in request.form.items()}
    with reading() as session:
        kept_phrases = phrases.phrases(session, unlocked().box_ids)
        for phrase in kept_phrases:
            if phrase.id == typed.get("insert"):
                typed["answer"] = f"{typed.get('answer', '')}{phrase.words}"
        page = case_page.case_page(session, unlocked(), case_id, clock().today())
        similar = []
        if Move.MERGE in page.moves and page.content:
            found = service.get(session, unlocked(), case_id)
            similar = search.alike(session, unlocked(), found, page.content.text)
        return render_template(
            "cases/case.html",
            page=page,
            alert=alert,
            reasons=list(DeclineReason),
            typed=typed,
            typed_move=(request.view_args or {}).get("move"),
            sentence_limit=service.MAX_SENTENCE,
            similar=similar,
            grounds=precedents.GROUNDS,
            gist_limit=precedents.MAX_GIST,
            phrases=kept_phrases,
        )


@desk.get("/cases/<case_id>/pictures/<picture_id>")
@guard.desk(*HOLDERS)
def picture(case_id: str, picture_id: str) -> Response:
    """A picture enclosed with the opinion, opened in this session and kept nowhere."""
    with reading() as session:
        found = enclosed.picture_at_desk(session, unlocked(), case_id, picture_id)
    return Response(
        found,
        mimetype="image/jpeg",
        headers={"Content-Disposition": "inline; filename=picture.jpg"},
    )


@desk.post(f"/cases/<case_id>/<any({','.join(MOVE_NAMES)}):move>")
@guard.desk(*HOLDERS)
def move(case_id: str, move: str) -> ResponseReturnValue:
    """One move of a case; refused, the page comes back with the sentence and what was typed."""
    if "insert" in request.form:  # a phrase into the draft: nothing is stored yet
        return _case_page(case_id)
    try:
        with transaction() as session:
            found = service.get(
                session, unlocked(), case_id, number(request.form.get("version", ""))
            )
            MOVES[move](session, found)
            audit.record(session, clock().now(), guard.current().staff_id, move, case_id)
            session.flush()
            here = found.box_id in unlocked().box_ids or move != Move.REFER
    except (Invalid, Conflict) as error:
        return _case_page(case_id, sentence(error)), _status(error)
    except StaleDataError:
        return _case_page(case_id, sentence(Conflict(service.MOVED_MEANWHILE))), 409
    return redirect(url_for("cases.case", case_id=case_id) if here else url_for("cases.queue"), 303)


def _status(error: DomainError) -> int:
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def _field(name: str, at_most: int) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most)


def _kept(found: Case) -> None:
    service.require_kept(unlocked(), found)


def _accept(session: Session, found: Case) -> None:
    _kept(found)
    service.accept(session, found, clock().today())


def _ask(session: Session, found: Case) -> None:
    _kept(found)
    service.ask(session, found, _field("message", service.MAX_SENTENCE), clock().today())


def chosen_reason() -> DeclineReason:
    """The reason of the short list that was chosen. Raises Invalid."""
    try:
        return DeclineReason(request.form.get("reason", ""))
    except ValueError:
        raise Invalid(N_("还没有选理由，什么都没有改变。请从列出的理由里选一条。")) from None


def _decline(session: Session, found: Case) -> None:
    _kept(found)
    message = _field("message", service.MAX_SENTENCE)
    service.decline(session, unlocked(), found, chosen_reason(), message, clock().today())


def _refer(session: Session, found: Case) -> None:
    _kept(found)
    to = organisation.named(session, _field("unit", 120))
    if to is None:
        raise Invalid(
            N_("没有找到这个单位，没有转出去。请写全称，或从列出来的里面选。"), field="unit"
        )
    message = _field("message", service.MAX_SENTENCE)
    about = service.about(session, unlocked(), found)
    referral.refer(session, unlocked(), found, to, message, about, clock().today())


def _merge(session: Session, found: Case) -> None:
    _kept(found)
    into = session.get(Case, _field("into", 32).strip())
    merging.merge(session, unlocked(), found, into, clock().today())


def _split(session: Session, found: Case) -> None:
    _kept(found)
    merging.split(session, found, clock().today())


def _draft(session: Session, found: Case) -> None:
    _kept(found)
    answer = _field("answer", service.MAX_ANSWER)
    summary = _field("summary", service.MAX_SUMMARY)
    service.draft(session, unlocked(), found, answer, summary, clock().today())


def _discard(session: Session, found: Case) -> None:
    _kept(found)
    service.discard(session, found, clock().today())


def _approve(session: Session, found: Case) -> None:
    _kept(found)
    service.approve(session, unlocked(), found, clock().today())


def _noted() -> Noted:
    ground = request.form.get("ground", RecourseGround.OTHER)
    if ground not in list(RecourseGround):
        raise Invalid(N_("还没有选是哪一类，什么都没有改变。请选一类。"), field="ground")
    return Noted(RecourseGround(ground), _field("gist", precedents.MAX_GIST))


def _rule(session: Session, found: Case, step: Move) -> None:
    message = _field("message", service.MAX_SENTENCE)
    recourse.rule(session, unlocked(), found, step, message, clock().today(), _noted())


def _respond(session: Session, found: Case) -> None:
    message, today = _field("message", service.MAX_SENTENCE), clock().today()
    outcome = request.form.get("outcome", "")
    if outcome in ("confirmed", "not_found"):
        ended = RecourseOutcome(outcome)
        recourse.respond(
            session, unlocked(), found, message, today, done=True, outcome=ended, noted=_noted()
        )
        return
    recourse.respond(session, unlocked(), found, message, today, done=False)


MOVES: dict[str, Callable[[Session, Case], None]] = {
    Move.ACCEPT: _accept,
    Move.ASK: _ask,
    Move.DECLINE: _decline,
    Move.REFER: _refer,
    Move.MERGE: _merge,
    Move.SPLIT: _split,
    Move.DRAFT: _draft,
    Move.DISCARD: _discard,
    Move.APPROVE: _approve,
    Move.UPHOLD: partial(_rule, step=Move.UPHOLD),
    Move.OVERTURN: partial(_rule, step=Move.OVERTURN),
    RESPOND: _respond,
}
