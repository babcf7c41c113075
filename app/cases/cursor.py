"""Where a page of a list ends: the next one begins after it, however long the list; pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Cursor:
    """The date and the id of the last row shown, as they stand in an address."""

    on: dt.date
    id: str

    def __str__(self) -> str:
        return f"{self.on.isoformat()}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """A cursor from an address; None when it is none."""
        day, _, row_id = text.partition(".")
        try:
            return cls(dt.date.fromisoformat(day), row_id)
        except ValueError:
            return None
