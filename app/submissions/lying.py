"""What a row of the box holds inside its 24 KiB; pure.

Every kind has the same size and, from outside, the same look: a drop, a later act of a speaker,
the leaf of a withdrawn drop, a speaker's group that waits for its tally, a dummy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from app import crypto
from app.sealing.attachments import Locator
from app.sealing.service import Sealed

_SEALED_BOX_BYTES = 48
_INNER_BYTES = crypto.LYING_BYTES - _SEALED_BOX_BYTES


@dataclass(frozen=True)
class LyingDrop:
    """An opinion: where it goes, how its receipt finds it, who may open it, what is enclosed."""

    kind: ClassVar[str] = "drop"
    box_id: str
    unit_id: str
    channel: str
    speaker: str
    commitment: bytes
    ticket_id: bytes
    lookup_id: bytes | None
    receipt_key: bytes | None
    sealed: Sealed
    attachments: str = ""

    @property
    def locator(self) -> Locator:
        """Where the pieces of its attachments lie."""
        return Locator.read(self.attachments)

    def burnt(self) -> LyingDrop:
        """The same without anything that its receipt opens."""
        return replace(
            self, lookup_id=None, receipt_key=None, sealed=replace(self.sealed, receipt_wrap=None)
        )


@dataclass(frozen=True)
class LyingAct:
    """A later act of a speaker on an opened case; `order` is its place in the week.

    `rewraps` are content keys of the thread, sealed by the speaker to the key `rewraps_to` of the
    supervision group: they wait here, so that no table tells that somebody appealed.
    """

    kind: ClassVar[str] = "act"
    case_id: str
    box_id: str
    act: str
    value: str
    ticket_id: bytes
    order: str
    sealed: Sealed
    rewraps_to: str = ""
    rewraps: Mapping[str, str] = field(default_factory=dict)

    def burnt(self) -> LyingAct:
        """The same without the receipt's key."""
        return replace(self, sealed=replace(self.sealed, receipt_wrap=None))


@dataclass(frozen=True)
class LyingLeaf:
    """What a withdrawn drop leaves behind: its leaf alone."""

    kind: ClassVar[str] = "leaf"
    commitment: bytes


@dataclass(frozen=True)
class LyingGroup:
    """A speaker's group that waits until its unit's tally may tell it."""

    kind: ClassVar[str] = "group"
    unit_id: str
    quarter: str
    speaker: str


@dataclass(frozen=True)
class LyingDummy:
    """Nothing: it keeps the number and the size of rows."""

    kind: ClassVar[str] = "dummy"


Lying = LyingDrop | LyingAct | LyingLeaf | LyingGroup | LyingDummy
_KINDS: dict[str, type[Lying]] = {
    kind.kind: kind for kind in (LyingDrop, LyingAct, LyingLeaf, LyingGroup, LyingDummy)
}


def wrap(lying: Lying, opening_public_key: bytes) -> bytes:
    """The row's ciphertext, always LYING_BYTES long."""
    header: dict[str, Any] = {"kind": lying.kind}
    body = b""
    for part in fields(lying):
        value = getattr(lying, part.name)
        if isinstance(value, Sealed):
            body = value.ciphertext
            header["receipt_wrap"] = _hex(value.receipt_wrap)
            header["wraps"] = {key_id: wrapped.hex() for key_id, wrapped in value.wraps.items()}
        else:
            header[part.name] = _hex(value) if isinstance(value, bytes) else value
    head = json.dumps(header, ensure_ascii=False).encode()
    data = len(head).to_bytes(4, "big") + head + body
    return crypto.seal_to(opening_public_key, crypto.pad(data, _INNER_BYTES))


def unwrap(wrapped: bytes, opening_private_key: bytes) -> Lying:
    """What a row holds; raises crypto.SealError when it wasn't wrapped to this opening key."""
    data = crypto.unpad(crypto.unseal(opening_private_key, wrapped))
    size = int.from_bytes(data[:4], "big")
    header = json.loads(data[4 : 4 + size])
    kind = _KINDS[header["kind"]]
    values: dict[str, Any] = {}
    for part in fields(kind):
        if part.name == "sealed":
            values["sealed"] = Sealed(
                ciphertext=data[4 + size :],
                wraps={key_id: bytes.fromhex(raw) for key_id, raw in header["wraps"].items()},
                receipt_wrap=_bytes(header["receipt_wrap"]),
            )
        elif "bytes" in str(part.type):
            values[part.name] = _bytes(header[part.name])
        elif part.name in header:  # a row from before an upgrade lacks the newest
            values[part.name] = header[part.name]
    return kind(**values)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
