"""Where the bars of a drawing stand; pure. The page beneath it has the same numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDE, HIGH, FOOT, ROW = 360, 150, 34, 22
_LABEL, _END = 118, 44
SPAN = WIDE - _LABEL - 64


@dataclass(frozen=True)
class Column:
    """A month: how far received and answered reach; `name` below, `number` above."""

    x: float
    wide: float
    top: float
    high: float
    inner_top: float
    inner_high: float
    name: str
    number: int

    @property
    def middle(self) -> float:
        """Where its words stand."""
        return round(self.x + self.wide / 2, 1)


def columns(rows: Sequence[tuple[str, int, int]]) -> tuple[Column, ...]:
    """Columns for (name, whole, part), side by side; the part is drawn inside the whole."""
    most = max((whole for _, whole, _ in rows), default=0) or 1
    step = WIDE / max(len(rows), 4)
    made = []
    for place, (name, whole, part) in enumerate(rows):
        high, inner = (round(number * (HIGH - 20) / most, 1) for number in (whole, part))
        wide = round(step * 0.62, 1)
        x = round(place * step + step * 0.19, 1)
        made.append(
            Column(x, wide, round(HIGH - high, 1), high, round(HIGH - inner, 1), inner, name, whole)
        )
    return tuple(made)


@dataclass(frozen=True)
class Bar:
    """A row: its words, how far it reaches, what stands at its end."""

    y: int
    name: str
    x: int
    wide: float
    said: str


def bars(rows: Sequence[tuple[str, int, int, str]]) -> tuple[Bar, ...]:
    """Rows for (name, part, whole, words at the end); all begin on one line."""
    room = WIDE - _LABEL - _END
    return tuple(
        Bar(place * ROW, name, _LABEL, round(part * room / (whole or 1), 1), said)
        for place, (name, part, whole, said) in enumerate(rows)
    )


@dataclass(frozen=True)
class Span:
    """A row whose end is known to lie somewhere: drawn full so far, outlined so far at most."""

    y: int
    name: str
    x: int
    sure: float
    most: float
    said: str


def spans(rows: Sequence[tuple[str, float, float, str]]) -> tuple[Span, ...]:
    """Rows for (name, from percent, to percent, words at the end); `SPAN` is a hundred percent."""
    return tuple(
        Span(
            place * ROW,
            short(name, 8),
            _LABEL,
            round(low * SPAN / 100, 1),
            round(high * SPAN / 100, 1),
            said,
        )
        for place, (name, low, high, said) in enumerate(rows)
    )


def short(name: str, most: int = 10) -> str:
    """A name that fits beside its bar; the table has it whole."""
    return name if len(name) <= most else name[: most - 1] + "…"
