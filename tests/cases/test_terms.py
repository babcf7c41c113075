"""The terms: the county may set its own, and each is a day that both sides can read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from app.cases import terms
from app.cases.terms import Terms
from app.cases.workflow import State

MONDAY = dt.date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _usual_terms() -> Iterator[None]:
    yield
    terms.use(Terms())


@pytest.mark.parametrize(
    ("state", "restarts", "due"),
    [
        (State.WAITING, 0, dt.date(2026, 11, 30)),
        (State.ACCEPTED, 0, dt.date(2026, 12, 14)),
        (State.ANSWERING, 1, dt.date(2026, 12, 7)),
        (State.REOPENED, 1, dt.date(2026, 12, 7)),
        (State.APPEALED, 0, dt.date(2026, 12, 14)),
        (State.ANSWERED, 0, None),
        (State.CLOSED, 0, None),
    ],
)
def test_a_term_ends_on_the_working_day_that_it_says(
    state: State, restarts: int, due: dt.date | None
) -> None:
    assert terms.due_on(state, MONDAY, restarts) == due


def test_a_county_sets_its_own_terms() -> None:
    terms.use(Terms(accept=2, answer=7, appeal=20))
    assert terms.due_on(State.WAITING, MONDAY, 0) == dt.date(2026, 11, 25)
    assert terms.due_on(State.ACCEPTED, MONDAY, 0) == dt.date(2026, 12, 2)
    assert terms.due_on(State.APPEALED, MONDAY, 0) == dt.date(2026, 12, 21)
    assert terms.due_on(State.REOPENED, MONDAY, 1) == dt.date(2026, 12, 7)


@pytest.mark.parametrize("state", terms.OPEN_STATES)
@pytest.mark.parametrize("restarts", [0, 1])
def test_what_counts_as_overdue_is_what_a_clock_shows_as_overdue(
    state: State, restarts: int
) -> None:
    """The filter's condition and the badge on the row are computed on two ways: they agree."""
    today = dt.date(2026, 10, 12)  # after a holiday with make-up days
    since = terms.overdue_since(state, today, restarts)
    assert since is not None
    for back in range(60):
        clock_on = today - dt.timedelta(days=back)
        due = terms.due_on(state, clock_on, restarts)
        assert due is not None
        assert (clock_on <= since) == (due < today)
        assert (terms.days_left(due, today) or 0) >= 0 or due < today
