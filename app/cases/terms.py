"""The clocks of a case: computed from dates and the working-day calendar, never stored; pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from app.cases.workflow import State
from app.clock import add_working_days, working_days_between

REOPENED_DAYS = 10
ASKED_DAYS = 10
# Calendar days: silence after an answer closes it; what was decided may be appealed.
SILENCE_DAYS = 30
APPEAL_WITHIN_DAYS = 30


@dataclass(frozen=True)
class Terms:
    """The county's own terms in working days: to accept or decline, to answer, to decide."""

    accept: int = 5
    answer: int = 15
    appeal: int = 15


# Set once at the start of a process, from the settings; as the calendar is.
_terms = [Terms()]


def use(terms: Terms) -> None:
    """Let these terms count."""
    _terms[:] = [terms]


def current() -> Terms:
    """The terms that count."""
    return _terms[0]


# States that wait for the committee.
OPEN_STATES = (State.WAITING, State.ACCEPTED, State.ANSWERING, State.REOPENED)


class Clocked(Protocol):
    """What the clocks of a case are computed from."""

    state: State
    clock_on: dt.date
    state_on: dt.date
    reopenings: int
    appeals: int


def case_due_on(case: Clocked) -> dt.date | None:
    """The last day of a case's present term; in `asked` it is the speaker's."""
    if case.state is State.ASKED:
        return add_working_days(case.state_on, ASKED_DAYS)
    return due_on(case.state, case.clock_on, case.reopenings + case.appeals)


def due_on(state: State, clock_on: dt.date, restarts: int) -> dt.date | None:
    """The last day of the present term, None where nobody has a clock running.

    Accept or decline within 5 working days of the opening, answer within 15, decide an appeal
    within 15, or as the county set it; answer a reopened case within 10 of its reopening
    (`restarts`: reopened by a rating or an appeal).
    """
    if state is State.WAITING:
        return add_working_days(clock_on, current().accept)
    if state in (State.ACCEPTED, State.ANSWERING, State.REOPENED):
        return add_working_days(clock_on, REOPENED_DAYS if restarts else current().answer)
    if state is State.APPEALED:
        return add_working_days(clock_on, current().appeal)
    return None


def closes_on(case: Clocked) -> dt.date | None:
    """From when on silence closes an answered case; None in every other state."""
    if case.state is not State.ANSWERED:
        return None
    return case.state_on + dt.timedelta(days=SILENCE_DAYS)


def appeal_until(case: Clocked) -> dt.date:
    """The last day on which an appeal against what was decided is heard."""
    return case.state_on + dt.timedelta(days=APPEAL_WITHIN_DAYS)


def days_left(due: dt.date | None, today: dt.date) -> int | None:
    """Working days until `due`: 0 on the day itself, negative when overdue."""
    if due is None:
        return None
    if today <= due:
        return working_days_between(today, due)
    return -working_days_between(due, today)


def overdue_since(state: State, today: dt.date, restarts: int) -> dt.date | None:
    """The newest clock date with which a case in this state is overdue today; None: no clock."""
    clock_on = today
    while (due := due_on(state, clock_on, restarts)) is not None and due >= today:
        clock_on -= dt.timedelta(days=1)
    return None if due is None else clock_on


def recourse_due_on(raised_on: dt.date) -> dt.date:
    """The last day by which the supervision group answers an appeal or "I was blamed"."""
    return add_working_days(raised_on, current().appeal)


def recourse_overdue_since(today: dt.date) -> dt.date:
    """The newest day on which a recourse was raised that is overdue today."""
    raised_on = today
    while recourse_due_on(raised_on) >= today:
        raised_on -= dt.timedelta(days=1)
    return raised_on
