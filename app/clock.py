"""The only source of time and of working days."""

from __future__ import annotations

import calendar
import datetime as dt
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

import chinese_calendar

FRIDAY = 4


class CalendarWarning(UserWarning):
    """The calendar of a year isn't known: Monday to Friday are counted as working days."""


class Clock:
    """Time as the county reads it; tests give `now` a fixed source.

    `now` returns an aware UTC instant. Everything that a speaker's table keeps comes from
    `today`, which is a date in the county's time zone.
    """

    def __init__(self, timezone: ZoneInfo, now: Callable[[], dt.datetime] | None = None) -> None:
        self.timezone = timezone
        self._now = now or (lambda: dt.datetime.now(dt.UTC))

    def now(self) -> dt.datetime:
        """The present instant, UTC."""
        return self._now()

    def local(self) -> dt.datetime:
        """The present instant in the county's time zone."""
        return self._now().astimezone(self.timezone)

    def today(self) -> dt.date:
        """The county's date."""
        return self.local().date()


# The operator's own days: set once at the start of a process, from `Config.calendar`.
_own_days: dict[dt.date, bool] = {}


def use_calendar(days: Mapping[dt.date, bool]) -> None:
    """Let these days count as the operator says (True: offices work); they go before the library.

    A year in which at least one day is given is known: its other days are Monday to Friday.
    """
    _own_days.clear()
    _own_days.update(days)


def is_working_day(day: dt.date) -> bool:
    """Whether offices of the People's Republic work on this day, make-up days included.

    Source: the operator's file; else the calendar that the State Council publishes each year, as
    kept by `chinese_calendar`; for a year that neither knows, Monday to Friday, with a warning.
    """
    if day in _own_days:
        return _own_days[day]
    published = _published(day)
    if published is None:
        if not knows_year(day.year):
            _warn_unknown_year(day.year)
        return day.weekday() <= FRIDAY
    return published


@lru_cache(maxsize=4096)
def _published(day: dt.date) -> bool | None:
    # A queue of overdue cases asks for the same few hundred days again and again.
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return None


def knows_year(year: int) -> bool:
    """Whether the holidays of a year are known, by the library or by the operator's file."""
    return _published(dt.date(year, 1, 1)) is not None or any(day.year == year for day in _own_days)


@lru_cache(maxsize=64)
def _warn_unknown_year(year: int) -> None:
    warnings.warn(
        f"the working days of {year} are not known; counting Monday to Friday",
        CalendarWarning,
        stacklevel=3,
    )


def add_working_days(start: dt.date, days: int) -> dt.date:
    """The last day of a term of `days` working days that begins the day after `start`."""
    day = start
    while days > 0:
        day += dt.timedelta(days=1)
        days -= is_working_day(day)
    return day


def working_days_between(start: dt.date, end: dt.date) -> int:
    """Working days after `start` up to and including `end`; 0 when `end` is not later."""
    span = max((end - start).days, 0)
    return sum(is_working_day(start + dt.timedelta(days=n)) for n in range(1, span + 1))


def first_friday_after(day: dt.date) -> dt.date:
    """The first Friday strictly after `day`: by then every box has been opened once."""
    return day + dt.timedelta(days=(FRIDAY - day.weekday() - 1) % 7 + 1)


def shift_months(day: dt.date, months: int) -> dt.date:
    """The same day so many months later or earlier; the month's last where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return dt.date(year, month + 1, min(day.day, last))


def quarter_of(day: dt.date) -> str:
    """The calendar quarter, as `2026Q4`."""
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


def iso_week(day: dt.date) -> str:
    """The ISO week, as `2026-W48`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"
