"""Working days as the People's Republic has them, and the promise's Friday."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.clock import CalendarWarning

D = dt.date
DAYS = st.dates(D(2020, 1, 1), D(2025, 12, 31))


def test_the_national_day_week_is_no_working_time_and_its_make_up_day_is() -> None:
    assert not clock.is_working_day(D(2025, 10, 1))
    assert not clock.is_working_day(D(2025, 10, 8))
    assert clock.is_working_day(D(2025, 10, 11))  # a Saturday on which offices work
    assert not clock.is_working_day(D(2025, 11, 1))


def test_a_term_over_the_holiday_ends_after_it() -> None:
    assert clock.add_working_days(D(2025, 9, 30), 5) == D(2025, 10, 14)


@given(DAYS, st.integers(1, 20))
def test_adding_and_counting_agree(start: dt.date, days: int) -> None:
    assert clock.working_days_between(start, clock.add_working_days(start, days)) == days


def test_an_unknown_year_counts_monday_to_friday_and_warns() -> None:
    clock._warn_unknown_year.cache_clear()
    with pytest.warns(CalendarWarning, match="2099"):
        assert clock.is_working_day(D(2099, 1, 1))
    assert not clock.is_working_day(D(2099, 1, 3))


def test_the_operators_days_go_before_the_library_and_make_a_year_known() -> None:
    assert not clock.knows_year(2098)
    clock.use_calendar({D(2098, 1, 1): False, D(2098, 1, 4): True})
    try:
        assert clock.knows_year(2098)
        assert not clock.is_working_day(D(2098, 1, 1))
        assert clock.is_working_day(D(2098, 1, 4))  # a Saturday on which offices work
        assert clock.is_working_day(D(2098, 1, 2))
        assert not clock.is_working_day(D(2098, 1, 5))
    finally:
        clock.use_calendar({})


@given(DAYS)
def test_the_promised_friday_is_strictly_later_and_within_a_week(day: dt.date) -> None:
    friday = clock.first_friday_after(day)
    assert friday.weekday() == clock.FRIDAY
    assert 1 <= (friday - day).days <= 7


def test_months_are_counted_to_the_same_day_or_the_months_last() -> None:
    assert clock.shift_months(D(2026, 11, 23), -24) == D(2024, 11, 23)
    assert clock.shift_months(D(2026, 8, 31), 6) == D(2027, 2, 28)
    assert clock.shift_months(D(2028, 2, 29), -24) == D(2026, 2, 28)
    assert clock.shift_months(D(2026, 12, 31), 1) == D(2027, 1, 31)
