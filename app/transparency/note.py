"""Signed notes and checkpoints as C2SP lays them down (signed-note, tlog-checkpoint); pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from app import crypto

ED25519, COSIGNATURE = 1, 4
_SIGNATURE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+=*)")


@dataclass(frozen=True)
class VerifierKey:
    """A public key with its name: the county's (ED25519) or a cosigner's (COSIGNATURE)."""

    name: str
    algorithm: int
    public_key: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        seed = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public_key
        return hashlib.sha256(seed).digest()[:4]

    def __str__(self) -> str:
        packed = base64.b64encode(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.id.hex()}+{packed}"


def read_key(text: str) -> VerifierKey | None:
    """A key as `str(VerifierKey)` wrote it; None when it isn't one."""
    name, _, rest = text.strip().partition("+")
    hashed, _, packed = rest.partition("+")
    try:
        raw = base64.b64decode(packed, validate=True)
    except binascii.Error:
        return None
    if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        return None
    key = VerifierKey(name, raw[0], raw[1:])
    return key if name and key.id.hex() == hashed else None


def county_key(seed: bytes, origin: str) -> VerifierKey:
    """The county's key, whose name is the log's origin."""
    return VerifierKey(origin, ED25519, crypto.verify_key(seed))


@dataclass(frozen=True)
class Checkpoint:
    """A head of the log: so many leaves under this root."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign(checkpoint: Checkpoint, seed: bytes) -> str:
    """The checkpoint as a note signed by the county."""
    body = checkpoint.body()
    key = county_key(seed, checkpoint.origin)
    signed = base64.b64encode(key.id + crypto.sign(seed, body.encode())).decode()
    return f"{body}\n— {key.name} {signed}\n"


def read_checkpoint(text: str) -> Checkpoint | None:
    """The checkpoint of a note's body, whoever signed it; None when it isn't one."""
    lines = text.partition("\n\n")[0].split("\n")
    if len(lines) < 3 or not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]):
        return None
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        return None
    return Checkpoint(lines[0], int(lines[1]), root) if len(root) == 32 else None


def signature_lines(text: str) -> list[str]:
    """The signature lines of a note."""
    return [line for line in text.partition("\n\n")[2].split("\n") if _SIGNATURE.fullmatch(line)]


def is_signed(text: str, key: VerifierKey) -> bool:
    """Whether one of the note's lines is a valid signature by this key."""
    body = text.partition("\n\n")[0] + "\n"
    return any(_is_signature(line, body, key) for line in signature_lines(text))


def _is_signature(line: str, body: str, key: VerifierKey) -> bool:
    name, packed = line.split(" ")[1:]
    try:
        raw = base64.b64decode(packed, validate=True)
    except binascii.Error:
        return False
    if name != key.name or raw[:4] != key.id:
        return False
    if key.algorithm == ED25519:
        return crypto.verify(key.public_key, body.encode(), raw[4:])
    # tlog-cosignature: eight bytes of time, then a signature over that time and the body.
    at = int.from_bytes(raw[4:12], "big")
    message = f"cosignature/v1\ntime {at}\n{body}"
    return crypto.verify(key.public_key, message.encode(), raw[12:])
