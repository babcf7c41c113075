"""Spans of days that figures are asked for: a month, or what else has a first and a last day."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from app.errors import N_, NotFound


@dataclass(frozen=True)
class Period:
    """Opinions opened from `first` to `last`, both counted; `name` as its page shows it."""

    key: str
    name: str
    first: dt.date
    last: dt.date


def is_month(text: str) -> bool:
    """Whether an address names a month so."""
    return bool(re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text, re.ASCII))


def month_of(text: str) -> Period:
    """A month as an address names it (2026-11). Raises NotFound."""
    if not is_month(text):
        raise NotFound(N_("月份要写成 2026-11 这样。请从列出来的里面选。"))
    first = dt.date(int(text[:4]), int(text[5:]), 1)
    following = (first + dt.timedelta(days=31)).replace(day=1)
    return Period(text, text, first, following - dt.timedelta(days=1))
