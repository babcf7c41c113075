"""The log replayed from its leaves to its heads: names the first fault there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.transparency import merkle, note
from app.transparency.leaves import Counts
from app.transparency.models import LogCosignature, LogHead, LogLeaf, LogNode
from app.transparency.note import Checkpoint, VerifierKey

_BATCH = 5000


class Fault(Exception):
    """What is wrong with the log, in one sentence for whoever looks after it."""


@dataclass(frozen=True)
class PaperHead:
    """A head as it hangs on a notice board."""

    size: int
    root: bytes


def read_paper(line: str) -> PaperHead:
    """A head typed in from paper: size, then the root in hex, spaces anywhere; raises Fault."""
    size, _, digits = line.strip().partition(" ")
    try:
        head = PaperHead(int(size), bytes.fromhex(digits))
    except ValueError:
        head = PaperHead(-1, b"")
    if head.size < 0 or len(head.root) != 32:
        raise Fault("the head from paper isn't 'SIZE ROOT' with 64 hex digits")
    return head


@dataclass(frozen=True)
class Replayed:
    """What the leaves amount to."""

    size: int
    root: bytes
    counts: Counts


def replay(
    session: Session,
    key: VerifierKey,
    paper: Sequence[PaperHead] = (),
    cosigners: Sequence[VerifierKey] = (),
) -> Replayed:
    """Hash every leaf anew and hold it against everything stored and signed; raises Fault.

    Found: a leaf dropped, edited or moved, a stored hash or a head replaced; and with `paper` or a
    line of one of the `cosigners` also a whole log forked and signed anew with the county's key.
    """
    _check_cosignatures(session, cosigners)
    nodes = _nodes(session)
    heads = _Heads(_signed_heads(session, key), paper)
    peaks: list[bytes] = []
    size, counts, before = 0, Counts(), b""
    heads.check(size, peaks, counts)
    for position, hashed, leaf in _leaves(session):
        if position != size:
            raise Fault(f"leaf {size} is missing")
        if merkle.leaf_hash(leaf) != hashed:
            raise Fault(f"leaf {position} was changed: it doesn't have its hash")
        if hashed <= before and size not in heads.sizes:
            raise Fault(f"leaf {position} stands out of order within its run")
        for node, made in merkle.grow(size, peaks, [hashed]):
            if next(nodes, None) != (node.place, made):
                raise Fault(f"the stored hash {node.place}, over leaf {position}, is wrong")
        size, counts, before = size + 1, counts.plus(leaf), hashed
        heads.check(size, peaks, counts)
    if next(nodes, None) is not None:
        raise Fault("there are stored hashes of leaves that are missing")
    heads.check_end(size)
    return Replayed(size, merkle.fold(peaks), counts)


def _leaves(session: Session) -> Iterator[tuple[int, bytes, bytes]]:
    query = sa.select(LogLeaf.position, LogLeaf.leaf_hash, LogLeaf.leaf).order_by(LogLeaf.position)
    after = -1
    while rows := session.execute(query.where(LogLeaf.position > after).limit(_BATCH)).all():
        yield from ((row.position, row.leaf_hash, row.leaf) for row in rows)
        after = rows[-1].position


def _nodes(session: Session) -> Iterator[tuple[int, bytes]]:
    query = sa.select(LogNode.place, LogNode.node_hash).order_by(LogNode.place)
    after = 0
    while rows := session.execute(query.where(LogNode.place > after).limit(_BATCH)).all():
        yield from ((row.place, row.node_hash) for row in rows)
        after = rows[-1].place


def _signed_heads(session: Session, key: VerifierKey) -> list[LogHead]:
    found = list(session.scalars(sa.select(LogHead).order_by(LogHead.size, LogHead.made_on)))
    if not found:
        raise Fault("there is no signed head")
    for head in found:
        if note.read_checkpoint(head.note) != Checkpoint(key.name, head.size, head.root):
            raise Fault(f"the head {_name(head.made_on, head.size)} doesn't say what is stored")
        if not note.is_signed(head.note, key):
            raise Fault(f"the head {_name(head.made_on, head.size)} isn't signed by the county")
    return found


def _check_cosignatures(session: Session, cosigners: Sequence[VerifierKey]) -> None:
    """What a group signed is still the head of that size; only its own key could sign another."""
    by_name = {key.name: key for key in cosigners}
    query = sa.select(LogCosignature.size, LogCosignature.key_name, LogCosignature.line)
    named = query.where(LogCosignature.key_name.in_(list(by_name))).order_by(LogCosignature.size)
    for size, name, line in session.execute(named):
        found = sa.select(LogHead.note).where(LogHead.size == size).limit(1)
        body = (session.scalar(found) or "").partition("\n\n")[0]
        if not note.is_signed(f"{body}\n\n{line}", by_name[name]):
            raise Fault(f"{name} signed another head over {size} leaves than the one stored")


def _name(made_on: dt.date, size: int) -> str:
    return f"of {made_on.isoformat()} over {size} leaves"


class _Heads:
    """The heads that the growing tree must meet, each at its size."""

    def __init__(self, signed: list[LogHead], paper: Sequence[PaperHead]) -> None:
        self.last = signed[-1].size
        self.sizes = {head.size for head in signed}
        self._signed = signed
        self._at: dict[int, list[LogHead | PaperHead]] = {}
        both: list[LogHead | PaperHead] = [*signed, *paper]
        for head in both:
            self._at.setdefault(head.size, []).append(head)

    def check(self, size: int, peaks: list[bytes], counts: Counts) -> None:
        """Hold the tree of this size against every head of this size."""
        for head in self._at.pop(size, []):
            if isinstance(head, PaperHead):
                if head.root != merkle.fold(peaks):
                    raise Fault(f"the log forked: paper has another head over {size} leaves")
                continue
            if head.root != merkle.fold(peaks):
                raise Fault(
                    f"the head {_name(head.made_on, size)} has another root than its leaves"
                )
            stored = (head.drops, head.answered, head.declined, head.removed, head.other)
            if Counts(*stored) != counts:
                raise Fault(f"the head {_name(head.made_on, size)} counts other leaves than it has")

    def check_end(self, size: int) -> None:
        """Every head was met, and the newest one covers every leaf."""
        if self._at:
            longest = max(self._at)
            raise Fault(f"a head is over {longest} leaves, but the log has only {size}")
        if self.last != size:
            raise Fault(f"the newest head is over {self.last} leaves, but the log has {size}")
