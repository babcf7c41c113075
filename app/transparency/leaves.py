"""What a leaf of the log can be, and how each is built; pure.

Two letters tell the kind. A leaf names nobody, no box and no time: what it commits to is hashed,
with a nonce wherever the content could be guessed. Leaves of drops and decisions are built in
`crypto` (`drop_leaf`, `decision_leaf`), because a receipt must be able to build them too. Whoever
has another kind builds it here and hands it to `log.append` in the transaction of what it tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from app import crypto

DROP, DECISION, SLIPS = b"S1", b"D1", b"B1"
UNUSED_SLIPS, VOIDED_SLIPS = b"B2", b"B3"
RECOVERY, START_ANEW = b"R1", b"R2"
OUTCOMES = ("answered", "declined", "removed", "upheld", "overturned")


def removal_leaf(commitment: bytes, ground: str) -> bytes:
    """A removal: "D1" || C || removed || H(ground). The ground is law, no secret: no nonce."""
    return crypto.decision_leaf(commitment, "removed", ground, b"")


def slip_batch_leaf(round_id: str, count: int, root: bytes) -> bytes:
    """A batch of evaluation slips before the draw: "B1" || round || count || root of their hashes.

    `round_id` is the round's public id (32 hex digits).
    """
    return _slips_leaf(SLIPS, round_id, count, root)


def unused_slips_leaf(round_id: str, count: int, root: bytes) -> bytes:
    """The slips that nobody used, at the close: "B2" || round || count || root of their hashes."""
    return _slips_leaf(UNUSED_SLIPS, round_id, count, root)


def voided_slips_leaf(round_id: str, count: int, root: bytes) -> bytes:
    """The slips that were voided, at the close: "B3" || round || count || root of their hashes."""
    return _slips_leaf(VOIDED_SLIPS, round_id, count, root)


def _slips_leaf(kind: bytes, round_id: str, count: int, root: bytes) -> bytes:
    return kind + bytes.fromhex(round_id) + count.to_bytes(4, "big") + root


def recovery_leaf(
    use: str, recovery_public_key: bytes, keeper_public_key: bytes, box_key_ids: Iterable[str]
) -> bytes:
    """A use of a unit's recovery key: "R1" || H(use || that key || the keeper's || box keys).

    `use` is random and stands in the record of acts: whoever reads that can check the leaf, nobody
    else learns whose keys they were.
    """
    told = bytes.fromhex(use) + recovery_public_key + keeper_public_key
    return RECOVERY + hashlib.sha256(told + "".join(box_key_ids).encode()).digest()


def start_anew_leaf(use: str, box_id: str) -> bytes:
    """A box whose keys nobody held any more got a new pair: "R2" || H(use || box)."""
    return START_ANEW + hashlib.sha256(bytes.fromhex(use) + box_id.encode()).digest()


def decision_prefix(commitment: bytes) -> bytes:
    """How the leaf of every decision on this commitment begins."""
    return DECISION + commitment


def outcome_of(leaf: bytes) -> str:
    """The outcome that a decision's leaf tells, empty for another leaf."""
    found = leaf[34:-32].decode("ascii", "replace") if leaf.startswith(DECISION) else ""
    return found if found in OUTCOMES else ""


@dataclass(frozen=True)
class Counts:
    """How many leaves of each kind the log has: what published figures are held against."""

    drops: int = 0
    answered: int = 0
    declined: int = 0
    removed: int = 0
    other: int = 0

    def plus(self, leaf: bytes) -> Self:
        """With one leaf more."""
        name = "drops" if leaf.startswith(DROP) else outcome_of(leaf)
        name = name if hasattr(self, name) else "other"
        return replace(self, **{name: getattr(self, name) + 1})
