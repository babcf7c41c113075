"""The Merkle tree of RFC 9162 (section 2.1): hashes, proofs and how they are checked; pure.

A complete subtree is a `Node` (level, index) over the leaves index * 2^level and the 2^level - 1
after it. Its hash never changes once it is full, so it is stored for good; every proof and every
root is put together from O(log n) of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
Span = tuple[int, int]


@dataclass(frozen=True)
class Node:
    """A complete subtree; level 0 is a leaf."""

    level: int
    index: int

    @property
    def place(self) -> int:
        """Where an inner node is stored: inner nodes are counted from 1 as they become full."""
        before = ((self.index + 1) << self.level) - 1
        return before - before.bit_count() + self.level


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf: 0x00 keeps it apart from an inner node."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def cover(span: Span) -> list[Node]:
    """The complete subtrees, left to right, of a subtree over the leaves start to end - 1."""
    at, end = span
    nodes = []
    while at < end:
        level = (end - at).bit_length() - 1
        nodes.append(Node(level, at >> level))
        at += 1 << level
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash of a subtree from those of its complete subtrees, left to right."""
    if not hashes:
        return EMPTY_ROOT
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def grow(
    size: int, peaks: list[bytes], leaf_hashes: Iterable[bytes]
) -> Iterator[tuple[Node, bytes]]:
    """Append leaves: yields each inner node that becomes full, in the order of their `place`.

    `peaks` are the hashes of `cover((0, size))`; they are brought up to date in place.
    """
    for hashed in leaf_hashes:
        level, index = 0, size
        while index & 1:
            hashed = node_hash(peaks.pop(), hashed)  # noqa: PLW2901 (climbs from the leaf)
            level, index = level + 1, index >> 1
            yield Node(level, index), hashed
        peaks.append(hashed)
        size += 1


# --- proofs -------------------------------------------------------------------------------------


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees whose hashes prove that leaf `index` is in the tree of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of this size")
    start, end = 0, size
    spans = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The subtrees whose hashes prove that the tree of `new` leaves only added to that of `old`."""
    if not 0 <= old <= new:
        raise ValueError("a tree never shrinks")
    if old in (0, new):
        return []
    start, end = 0, new
    spans = []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:
        spans.append((start, end))
    return spans[::-1]


def verify_inclusion(
    hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the proof shows this leaf hash at `index` under `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, result = index, size - 1, hashed
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            result = node_hash(step, result)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, step)
        at, last = at >> 1, last >> 1
    return last == 0 and result == root


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the new tree begins with the old one (RFC 9162, 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return new > 0 and not proof and old_root == EMPTY_ROOT
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not 0 < old < new or not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
