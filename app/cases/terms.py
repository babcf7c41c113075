"""The clocks of a case: computed from dates and the working-day calendar, never stored; pure."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from app.cases.workflow import State
from app.clock import add_working_days, working_days_between

ACCEPT_DAYS = 5
ANSWER_DAYS = 15
REOPENED_DAYS = 10
ASKED_DAYS = 10
SILENCE_DAYS = 30
RECOURSE_DAYS = 15

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

    Accept or decline within 5 working days of the opening, answer within 15; a reopened case
    within 10 of its reopening (`restarts`: reopened by a rating or an appeal); an appeal within 15.
    """
    if state is State.WAITING:
        return add_working_days(clock_on, ACCEPT_DAYS)
    if state in (State.ACCEPTED, State.ANSWERING, State.REOPENED):
        return add_working_days(clock_on, REOPENED_DAYS if restarts else ANSWER_DAYS)
    if state is State.APPEALED:
        return add_working_days(clock_on, ANSWER_DAYS)
    return None


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
    return add_working_days(raised_on, RECOURSE_DAYS)


def recourse_overdue_since(today: dt.date) -> dt.date:
    """The newest day on which a recourse was raised that is overdue today."""
    raised_on = today
    while recourse_due_on(raised_on) >= today:
        raised_on -= dt.timedelta(days=1)
    return raised_on
