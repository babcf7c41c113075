"""Counting: what one place's cases come to, with the working days that they took; pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from app.cases import terms
from app.cases.workflow import Move, State
from app.clock import is_working_day
from app.suppression import FEWEST

# Out of what there is to be answered: taken back, removed by law, or answered with another case.
_NOT_VALID = (State.WITHDRAWN, State.REMOVED, State.MERGED)
HALTS = (Move.ASK, Move.REFER, Move.SPLIT)
_ENDS = (Move.APPROVE, Move.DECLINE)


class Workdays:
    """Working days between two dates of a span, counted once for all cases of a page."""

    def __init__(self, first: dt.date, last: dt.date) -> None:
        self._first, self._last = first.toordinal(), max(first, last).toordinal()
        self._sums = [0]
        for number in range(self._first + 1, self._last + 1):
            self._sums.append(self._sums[-1] + is_working_day(dt.date.fromordinal(number)))

    def between(self, start: dt.date, end: dt.date) -> int:
        """Working days after `start` up to and including `end`; 0 when `end` is not later."""
        return max(self._until(end) - self._until(start), 0)

    def _until(self, day: dt.date) -> int:
        return self._sums[min(max(day.toordinal(), self._first), self._last) - self._first]


class Cases(NamedTuple):
    """Cases of one box that are alike; `halted` has the events of a single one whose clock stood
    still or was started anew."""

    box_id: str
    opened_on: dt.date
    state: State
    reason: str
    answered_on: dt.date | None
    declined_on: dt.date | None
    number: int
    halted: tuple[tuple[Move, dt.date], ...] = ()

    @property
    def decided_on(self) -> dt.date | None:
        """The day of the first decision."""
        if self.answered_on is None or self.declined_on is None:
            return self.answered_on or self.declined_on
        return min(self.answered_on, self.declined_on)


class Measured(NamedTuple):
    """Working days until the first decision or today; whether it is open; whether it is late."""

    waited: int
    open: bool
    late: bool


@dataclass(frozen=True)
class Rate:
    """So many of so many; a percentage from ten on."""

    part: int
    whole: int

    @property
    def percent(self) -> int | None:
        """Whole percent, rounded half up; None: too few to say (样本不足)."""
        if self.whole < FEWEST:
            return None
        return (self.part * 200 + self.whole) // (2 * self.whole)


@dataclass(frozen=True)
class Days:
    """A number of working days that so many didn't exceed; `at_least`: open ones may push it up."""

    days: int
    at_least: bool


@dataclass
class Tally:
    """What the cases of a place come to.

    `answered` and `declined` count every opinion that ever was: they agree with the public log. An
    opinion that was declined, appealed and then answered is in both.
    """

    received: int = 0
    valid: int = 0
    answered: int = 0
    answered_valid: int = 0
    declined: int = 0
    withdrawn: int = 0
    removed: int = 0
    merged: int = 0
    in_hand: int = 0
    overdue: int = 0
    on_time: int = 0
    due: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    waits: Counter[tuple[int, bool]] = field(default_factory=Counter)

    def add(self, cases: Cases, time: Measured) -> None:
        """Count these cases in."""
        n = cases.number
        self.received += n
        self.answered += n * (cases.answered_on is not None)
        if cases.declined_on is not None:
            self.declined += n
            self.reasons[cases.reason] += n
        if cases.state in _NOT_VALID:
            self.withdrawn += n * (cases.state is State.WITHDRAWN)
            self.removed += n * (cases.state is State.REMOVED)
            self.merged += n * (cases.state is State.MERGED)
            return
        self.valid += n
        self.answered_valid += n * (cases.answered_on is not None)
        self.waits[time.waited, time.open] += n
        self.in_hand += n * time.open
        self.overdue += n * (time.open and time.late)
        if time.late or not time.open:  # what still has time left is neither
            self.due += n
            self.on_time += n * (not time.late)

    def take(self, other: Tally) -> None:
        """Count in everything that another tally counted."""
        for own in fields(self):
            mine = getattr(self, own.name)
            setattr(self, own.name, mine + getattr(other, own.name))

    def quantile(self, percent: int) -> Days | None:
        """Working days to the first decision that `percent` of the valid cases didn't exceed.

        What is still open counts with the days that it has waited so far. None below ten.
        """
        whole = self.waits.total()
        if whole < FEWEST:
            return None
        rank, seen = -(-whole * percent // 100), 0
        for (day, _), number in sorted(self.waits.items()):
            seen += number
            if seen >= rank:
                return Days(day, any(open_ and had <= day for had, open_ in self.waits))
        raise RuntimeError("no such rank")

    @property
    def answer_rate(self) -> Rate:
        """Answered of what was valid."""
        return Rate(self.answered_valid, self.valid)

    @property
    def on_time_rate(self) -> Rate:
        """Decided in time of what was decided or is overdue."""
        return Rate(self.on_time, self.due)


def _counted(cases: Cases, end: dt.date, days: Workdays) -> int:
    """Working days on the committee's own clock: it stands still while the speaker is asked, and
    begins anew where the case is referred to."""
    start, stood, asked_on = cases.opened_on, 0, None
    for move, on in cases.halted:
        if move in _ENDS:
            break
        if move in (Move.REFER, Move.SPLIT):
            start, stood = on, 0
        elif move is Move.ASK:
            asked_on = on
        elif asked_on is not None:
            stood, asked_on = stood + days.between(asked_on, on), None
    if asked_on is not None:
        stood += days.between(asked_on, end)
    return days.between(start, end) - stood


def measured(cases: Cases, today: dt.date, days: Workdays) -> Measured:
    """How long these cases waited for a first decision, by today."""
    decided = cases.decided_on
    end = decided or today
    waited = days.between(cases.opened_on, end)
    counted = _counted(cases, end, days) if cases.halted else waited
    return Measured(waited, decided is None, counted > terms.current().answer)


def gather(
    rows: Sequence[Cases], today: dt.date, keys: dict[str, str]
) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """A tally for each key that boxes are given (`keys`), and for each month of opening."""
    days = Workdays(min((row.opened_on for row in rows), default=today), today)
    places: dict[str, Tally] = defaultdict(Tally)
    months: dict[str, Tally] = defaultdict(Tally)
    for row in rows:
        time = measured(row, today, days)
        places[keys[row.box_id]].add(row, time)
        months[row.opened_on.isoformat()[:7]].add(row, time)
    return places, months


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole.take(tally)
    return whole
