"""What gives a speaker away, by kind; pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a finding is."""

    PHONE = "phone"
    IDENTITY = "identity"
    BANK_CARD = "bank_card"
    PLATE = "plate"
    EMAIL = "email"
    ACCOUNT = "account"
    NAME = "name"
    ADDRESS = "address"
    POST = "post"
    KIN = "kin"


class Span(NamedTuple):
    """A finding in folded text."""

    start: int
    end: int
    kind: Kind
