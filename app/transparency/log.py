"""The sink of the public log: pending leaves, and the signed promise that a receipt carries."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.transparency.models import PendingLeaf

_PROMISE = re.compile(
    r"yanlu-promise/1 (?P<origin>\S+) (?P<by>\d{4}-\d{2}-\d{2})"
    r" (?P<c>[0-9a-f]{64}) (?P<s>[0-9a-f]{128})"
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
    """A promise as typed or scanned, if it is one and the signature is the county's."""
    found = _PROMISE.fullmatch(" ".join(text.split()))
    if not found:
        return None
    try:
        by = dt.date.fromisoformat(found["by"])
    except ValueError:
        return None
    read = Promise(found["origin"], by, bytes.fromhex(found["c"]), bytes.fromhex(found["s"]))
    valid = crypto.verify(public_key, read.signed_text().encode(), read.signature)
    return read if valid else None


def append(session: Session, leaves: list[bytes]) -> None:
    """Queue leaves for the next run of the log, in the transaction of what they tell.

    They are written in the order of their hashes, so that their place on disk tells nothing.
    """
    rows = sorted(
        ({"leaf_hash": hashlib.sha256(b"\0" + leaf).digest(), "leaf": leaf} for leaf in leaves),
        key=lambda row: row["leaf_hash"],
    )
    if rows:
        session.execute(sa.insert(PendingLeaf), rows)
