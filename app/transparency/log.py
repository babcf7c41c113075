"""The sink of the public log: pending leaves, the signed promise, and how a promise stands."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto, db
from app.transparency import leaves as kinds
from app.transparency import merkle
from app.transparency.models import LogLeaf, PendingLeaf

_MOST_DECISIONS = 20
_PROMISE = re.compile(
    r"yanlu-promise/1 (?P<origin>\S+) (?P<by>\d{4}-\d{2}-\d{2}) (?P<hex>[0-9a-fA-F ]{192,600})"
)


@dataclass(frozen=True)
class Promise:
    """ "C will be in the log by this Friday", signed by the county's Ed25519 key."""

    origin: str
    by: dt.date
    commitment: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{self.signed_text()} {self.signature.hex()}"

    def signed_text(self) -> str:
        """What the signature covers."""
        return f"yanlu-promise/1 {self.origin} {self.by.isoformat()} {self.commitment.hex()}"


def promise(seed: bytes, origin: str, commitment: bytes, by: dt.date) -> Promise:
    """The signed promise of inclusion. It accuses: whoever holds it can show what was owed."""
    unsigned = Promise(origin, by, commitment, b"")
    return Promise(origin, by, commitment, crypto.sign(seed, unsigned.signed_text().encode()))


def read_promise(text: str, public_key: bytes) -> Promise | None:
    """A promise as typed or scanned, if it is one and the signature is the county's.

    Full width, capitals and lines broken inside the digits, as paper breaks them, are accepted.
    """
    typed = " ".join(unicodedata.normalize("NFKC", text[:2000]).split())
    found = _PROMISE.fullmatch(typed)
    digits = found["hex"].replace(" ", "") if found else ""
    if not found or len(digits) != 192:
        return None
    try:
        by = dt.date.fromisoformat(found["by"])
    except ValueError:
        return None
    raw = bytes.fromhex(digits)
    read = Promise(found["origin"], by, raw[:32], raw[32:])
    valid = crypto.verify(public_key, read.signed_text().encode(), read.signature)
    return read if valid else None


def append(session: Session, leaves: list[bytes]) -> None:
    """Queue leaves for the next run of the log, in the transaction of what they tell.

    Any room may call it with any leaf that `crypto` or `leaves` builds. A leaf that waits already
    isn't queued twice. They are written in the order of their hashes, so that their place on disk
    tells nothing.
    """
    rows = [
        {"leaf_hash": hashed, "leaf": leaf}
        for hashed, leaf in sorted((merkle.leaf_hash(leaf), leaf) for leaf in leaves)
    ]
    if rows:
        session.execute(db.insert(session, PendingLeaf).on_conflict_do_nothing(), rows)


# --- how a promise stands -----------------------------------------------------------------------


class Standing(StrEnum):
    """What the log says of a commitment."""

    INCLUDED = "included"
    PENDING = "pending"
    MISSING = "missing"
    UNKNOWN = "unknown"


def logged(session: Session, leaves: Iterable[bytes]) -> frozenset[bytes]:
    """Those of these leaves that stand in the log; one query, whatever is asked."""
    by_hash = {merkle.leaf_hash(leaf): leaf for leaf in leaves}
    query = sa.select(LogLeaf.leaf_hash).where(LogLeaf.leaf_hash.in_(list(by_hash)))
    return frozenset(by_hash[hashed] for hashed in session.scalars(query))


def standing(*, in_log: bool, by: dt.date | None, today: dt.date) -> Standing:
    """How a drop stands; missing once the promised day has passed without its leaf.

    A leaf that merely waits doesn't excuse: the promise says "in the log".
    """
    if in_log:
        return Standing.INCLUDED
    return Standing.MISSING if by is not None and today > by else Standing.PENDING


def outcomes(session: Session, commitment: bytes) -> tuple[str, ...]:
    """The decisions on this commitment that the log tells; everybody may read them there."""
    prefix = kinds.decision_prefix(commitment)
    query = sa.select(LogLeaf.leaf).where(LogLeaf.leaf > prefix, LogLeaf.leaf < prefix + b"\xff")
    found = session.scalars(query.order_by(LogLeaf.position).limit(_MOST_DECISIONS))
    return tuple(outcome for leaf in found if (outcome := kinds.outcome_of(leaf)))
