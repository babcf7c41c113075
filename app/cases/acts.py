"""What an opening does to cases: the speaker's acts first, then the terms that end by silence."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import record, recourse, terms
from app.cases.models import Author, Case, ItemKind, Rating, RecourseKind
from app.cases.thread import KINDS
from app.cases.workflow import Move, State, legal
from app.clock import add_working_days, working_days_between
from app.submissions.lying import LyingAct

_ENDED = (State.WITHDRAWN, State.REMOVED)


def apply(session: Session, act: LyingAct, today: dt.date) -> None:
    """Carry out an act that waited in the box. One no longer legal moves nothing, but is kept."""
    case = session.get(Case, act.case_id)
    if case is None or case.state in _ENDED:
        return  # withdrawn or removed in between: its text was asked to be destroyed
    kind = KINDS.get(act.act, ItemKind.MESSAGE)
    if act.act == "rate" and case.state is State.ANSWERED:
        _rate(session, case, Rating(act.value), today)
    elif act.act == "appeal" and legal(case.state, Move.APPEAL) and not case.appeals:
        record.move(session, case, Move.APPEAL, today)
        case.appeals, case.clock_on = 1, today
        recourse.raise_recourse(session, case, RecourseKind.APPEAL, act, today)
    elif act.act == "blamed":
        recourse.raise_recourse(session, case, RecourseKind.BLAMED, act, today)
    elif act.act == "reply" and case.state is State.ASKED:
        restart_after_question(case, today)
        record.move(session, case, Move.REPLY, today)
    record.add_item(session, case, kind, Author.SPEAKER, act.sealed, today)


def _rate(session: Session, case: Case, rating: Rating, today: dt.date) -> None:
    case.rating = rating
    if rating is not Rating.DISSATISFIED:
        record.move(session, case, Move.RATE_CONTENT, today)
        return
    record.move(session, case, Move.RATE_DISSATISFIED, today)
    if case.state is State.REOPENED:
        case.reopenings += 1
        case.clock_on = today
        session.flush()


def restart_after_question(case: Case, today: dt.date) -> None:
    """The clock stood still while the question was open: what was used before it counts on."""
    used = working_days_between(case.clock_on, case.state_on)
    start = today
    while working_days_between(start, today) < used:
        start -= dt.timedelta(days=1)
    case.clock_on = start


def end_terms(session: Session, today: dt.date) -> None:
    """Close answers after 30 days' silence; let questions lapse after 10 working days.

    On Fridays alone, so that a date of an end tells nothing about a speaker.
    """
    silent = today - dt.timedelta(days=terms.SILENCE_DAYS)
    answered = sa.select(Case).where(Case.state == State.ANSWERED, Case.state_on <= silent)
    for case in session.scalars(answered.order_by(Case.id)):
        record.move(session, case, Move.SILENCE, today)
    asked = sa.select(Case).where(Case.state == State.ASKED).order_by(Case.id)
    for case in session.scalars(asked):
        if legal(case.state, Move.LAPSE) and today > add_working_days(
            case.state_on, terms.ASKED_DAYS
        ):
            restart_after_question(case, today)
            record.move(session, case, Move.LAPSE, today)
