"""What is asked of the board, and where a page of it ends; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PAGE, PRINTED = 20, 1000


class Show(StrEnum):
    """Which branches are shown."""

    ALL = "all"
    CLOSED = "closed"
    NOTHING = "nothing"
    OVERDUE = "overdue"
    UNMET = "unmet"
    MET = "met"


class Sort(StrEnum):
    """What comes first."""

    URGENT = "urgent"
    OVERDUE = "overdue"
    WAITING = "waiting"
    ACTIONS = "actions"
    NAME = "name"


@dataclass(frozen=True)
class Cursor:
    """Where a page ends, as it stands in an address: the weight and the id of its last row."""

    weight: int
    id: str

    def __str__(self) -> str:
        return f"{self.weight}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """A cursor from an address; None when it is none."""
        weight, _, row_id = text.partition(".")
        digits = weight.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 17):
            return None
        return cls(int(weight), row_id[:32])


@dataclass(frozen=True)
class Asked:
    """What is asked of the board."""

    show: Show = Show.ALL
    sort: Sort = Sort.URGENT
    unit_id: str = ""
    leader_id: str = ""
    q: str = ""
    after: Cursor | None = None
    most: int = PAGE
