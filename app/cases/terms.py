"""The clocks of a case: computed from dates and the working-day calendar, never stored; pure."""

from __future__ import annotations

import datetime as dt

from app.cases.workflow import State
from app.clock import add_working_days, working_days_between

ACCEPT_DAYS = 5
ANSWER_DAYS = 15
REOPENED_DAYS = 10
ASKED_DAYS = 10
SILENCE_DAYS = 30

# States that wait for the committee.
OPEN_STATES = (State.WAITING, State.ACCEPTED, State.ANSWERING, State.REOPENED)


def due_on(state: State, clock_on: dt.date, reopenings: int) -> dt.date | None:
    """The last day of the present term, None where the committee has no clock running.

    Accept or decline within 5 working days of the opening, answer within 15; a reopened case
    within 10 of its reopening; an appeal within 15.
    """
    if state is State.WAITING:
        return add_working_days(clock_on, ACCEPT_DAYS)
    if state in (State.ACCEPTED, State.ANSWERING, State.REOPENED):
        return add_working_days(clock_on, REOPENED_DAYS if reopenings else ANSWER_DAYS)
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
