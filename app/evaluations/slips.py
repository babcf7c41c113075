"""Slips as numbers on paper and as hashes on a list; pure, for a machine without any network."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from app import crypto
from app.transparency import merkle

SALT_BYTES = 16
MOST_SLIPS = 180_000
SPARES_OF_A_HUNDRED = 10
_MARK = "yanlu-slips/1"
_ORDER = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32})")
_HEAD = re.compile(rf"{_MARK} ([0-9a-f]{{32}}) (\d{{1,6}}) ([0-9a-f]{{64}})")
_HASH = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 500


class ListError(ValueError):
    """Not a list of slips, or one that was changed."""


@dataclass(frozen=True)
class Order:
    """What the machine that makes slips must know: the round's id and salt, typed as one word."""

    round_id: str
    salt: bytes

    def __str__(self) -> str:
        return f"{self.round_id}-{self.salt.hex()}"


def read_order(text: str) -> Order:
    """The order that somebody typed. Raises ListError."""
    found = _ORDER.fullmatch("".join(text.split()).lower())
    if found is None:
        raise ListError
    return Order(found[1], bytes.fromhex(found[2]))


def with_spares(count: int) -> int:
    """So many slips and a tenth more, at least one."""
    return count + max(-(-count * SPARES_OF_A_HUNDRED // 100), 1)


def new_codes(count: int) -> list[str]:
    """So many different codes, from the system's own randomness."""
    payloads: set[int] = set()
    while len(payloads) < count:
        payloads.add(secrets.randbelow(10**20))
    codes = [crypto.format_code(payload) for payload in payloads]
    secrets.SystemRandom().shuffle(codes)
    return codes


def hash_codes(
    codes: Sequence[str], salt: bytes, workers: int, progress: Callable[[int], None]
) -> list[bytes]:
    """The hashes of these codes, sorted: their order says nothing about the order on paper.

    libsodium lets go of the interpreter while it stretches, so threads are enough.
    """
    hashes: list[bytes] = []
    with ThreadPoolExecutor(workers) as pool:
        for part in _parts(codes):
            hashes += pool.map(lambda code: crypto.slip_hash(code, salt), part)
            progress(len(part))
    return sorted(hashes)


def _parts(codes: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(codes), _AT_ONCE):
        yield codes[start : start + _AT_ONCE]


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The Merkle root over sorted hashes, as the public log makes one."""
    peaks: list[bytes] = []
    for _ in merkle.grow(0, peaks, (merkle.leaf_hash(hashed) for hashed in hashes)):
        pass
    return merkle.fold(peaks)


def write_list(round_id: str, hashes: Sequence[bytes]) -> str:
    """The list that goes to the server: one line of head, one line a hash, no code."""
    head = f"{_MARK} {round_id} {len(hashes)} {root_of(hashes).hex()}"
    return "\n".join([head, *(hashed.hex() for hashed in hashes), ""])


@dataclass(frozen=True)
class SlipList:
    """A list as it was read."""

    round_id: str
    hashes: tuple[bytes, ...]
    root: bytes


def read_list(raw: bytes) -> SlipList:
    """A list, every line of it checked. Raises ListError."""
    lines = raw.decode("ascii", "replace").split()
    found = _HEAD.fullmatch(" ".join(lines[:4]))
    if found is None or len(lines) - 4 != int(found[2]) or not 0 < int(found[2]) <= MOST_SLIPS:
        raise ListError
    if not all(_HASH.fullmatch(line) for line in lines[4:]):
        raise ListError
    hashes = tuple(bytes.fromhex(line) for line in lines[4:])
    if any(first >= second for first, second in pairwise(hashes)):
        raise ListError
    root = root_of(hashes)
    if root.hex() != found[3]:
        raise ListError
    return SlipList(found[1], hashes, root)
