"""The log itself: the daily run that appends and signs, and the proofs read from stored hashes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.transparency import merkle, note
from app.transparency.leaves import Counts
from app.transparency.merkle import Node, Span
from app.transparency.models import LogCosignature, LogHead, LogLeaf, LogNode, PendingLeaf
from app.transparency.note import Checkpoint, VerifierKey

_LOCK = 7250118
_BATCH = 5000


@dataclass(frozen=True)
class Head:
    """A signed head as pages show it."""

    made_on: dt.date
    size: int
    root: bytes
    note: str
    counts: Counts

    @property
    def root_words(self) -> str:
        """The root in hex, in fours: to be compared with paper, or read over a telephone."""
        digits = self.root.hex()
        return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))


@dataclass(frozen=True)
class Evidence:
    """What proves offline that a leaf is in the log."""

    index: int
    proof: tuple[bytes, ...]


# --- the daily run ------------------------------------------------------------------------------


def run(session: Session, seed: bytes, origin: str, today: dt.date) -> Head:
    """Append all pending leaves, sorted by hash, and sign the day's head; an empty day too.

    One run at a time: PostgreSQL by an advisory lock, SQLite by the transaction's write lock. A
    leaf that is already in the log isn't added again.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    last = newest_head(session)
    size, counts = (last.size, last.counts) if last else (0, Counts())
    peaks = _hashes(session, merkle.cover((0, size)))
    fresh = _take_pending(session)
    leaves = [
        {"position": size + n, "leaf_hash": hashed, "leaf": leaf}
        for n, (hashed, leaf) in enumerate(fresh)
    ]
    grown = merkle.grow(size, peaks, [hashed for hashed, _ in fresh])
    nodes = [{"place": node.place, "node_hash": hashed} for node, hashed in grown]
    for model, rows in ((LogLeaf, leaves), (LogNode, nodes)):
        for start in range(0, len(rows), _BATCH):
            session.execute(sa.insert(model), rows[start : start + _BATCH])
    for _, leaf in fresh:
        counts = counts.plus(leaf)
    checkpoint = Checkpoint(origin, size + len(fresh), merkle.fold(peaks))
    head = Head(today, checkpoint.size, checkpoint.root, note.sign(checkpoint, seed), counts)
    if session.get(LogHead, (head.size, today)) is None:
        row = {"made_on": today, "size": head.size, "root": head.root, "note": head.note}
        session.execute(sa.insert(LogHead).values(**row, **asdict(counts)))
    return head


def _take_pending(session: Session) -> list[tuple[bytes, bytes]]:
    """The pending leaves that aren't in the log yet, in the order of their hashes."""
    taken = session.execute(
        sa.delete(PendingLeaf).returning(PendingLeaf.leaf_hash, PendingLeaf.leaf)
    )
    pending = sorted((hashed, leaf) for hashed, leaf in taken)
    known: set[bytes] = set()
    for start in range(0, len(pending), _BATCH):
        hashes = [hashed for hashed, _ in pending[start : start + _BATCH]]
        known.update(positions(session, hashes))
    return [pair for pair in pending if pair[0] not in known]


def rename(session: Session, seed: bytes, origin: str) -> None:
    """Sign every head anew under another name: what went on under the old one is another log.

    Cosignatures go: nobody but the county signed under this name.
    """
    session.execute(sa.delete(LogCosignature))
    for head in session.scalars(sa.select(LogHead)):
        head.note = note.sign(Checkpoint(origin, head.size, head.root), seed)
    session.flush()


# --- heads --------------------------------------------------------------------------------------


def _head(row: LogHead) -> Head:
    counts = Counts(row.drops, row.answered, row.declined, row.removed, row.other)
    return Head(row.made_on, row.size, row.root, row.note, counts)


def heads(session: Session, limit: int) -> list[Head]:
    """The newest heads, newest first; by size, so that a clock set back confuses nothing."""
    query = sa.select(LogHead).order_by(LogHead.size.desc(), LogHead.made_on.desc())
    return [_head(row) for row in session.scalars(query.limit(limit))]


def newest_head(session: Session) -> Head | None:
    """The newest head; None before the first run."""
    return next(iter(heads(session, 1)), None)


def checkpoint_text(session: Session, head: Head) -> str:
    """The head as the county signed it, with the lines of those who signed after it."""
    query = sa.select(LogCosignature.line).where(LogCosignature.size == head.size)
    lines = session.scalars(query.order_by(LogCosignature.key_name))
    return head.note + "".join(f"{line}\n" for line in lines)


def add_cosignatures(session: Session, text: str, keys: Sequence[VerifierKey]) -> list[str]:
    """Add the lines of known cosigners on one of our heads; the names whose lines were valid.

    Only keys of the county's own list count: else anybody could hang lines under our heads.
    """
    read = note.read_checkpoint(text)
    found = session.scalar(
        sa.select(LogHead.note).where(LogHead.size == (read.size if read else -1)).limit(1)
    )
    if found is None or found.partition("\n\n")[0] != text.partition("\n\n")[0]:
        return []
    body = found.partition("\n\n")[0] + "\n\n"
    named = []
    for line in note.signature_lines(text):
        for key in keys:
            if note.is_signed(body + line, key) and read is not None:
                row = {"size": read.size, "key_name": key.name}
                session.execute(sa.delete(LogCosignature).filter_by(**row))
                session.execute(sa.insert(LogCosignature).values(**row, line=line))
                named.append(key.name)
    return named


# --- proofs -------------------------------------------------------------------------------------


def _hashes(session: Session, nodes: Sequence[Node]) -> list[bytes]:
    """The stored hashes of complete subtrees; two queries."""
    leaves = [node.index for node in nodes if node.level == 0]
    inner = [node.place for node in nodes if node.level]
    low = sa.select(LogLeaf.position, LogLeaf.leaf_hash).where(LogLeaf.position.in_(leaves))
    high = sa.select(LogNode.place, LogNode.node_hash).where(LogNode.place.in_(inner))
    at_leaf = {row.position: row.leaf_hash for row in session.execute(low)}
    at_node = {row.place: row.node_hash for row in session.execute(high)}
    return [at_node[node.place] if node.level else at_leaf[node.index] for node in nodes]


def _span_hashes(session: Session, spans: Sequence[Span]) -> tuple[bytes, ...]:
    covers = [merkle.cover(span) for span in spans]
    nodes = [node for nodes in covers for node in nodes]
    found = dict(zip(nodes, _hashes(session, nodes), strict=True))
    return tuple(merkle.fold([found[node] for node in nodes]) for nodes in covers)


def inclusion(session: Session, index: int, size: int) -> tuple[bytes, ...]:
    """The proof that leaf `index` is in the log of `size` leaves; ValueError where it can't be."""
    return _span_hashes(session, merkle.inclusion_spans(index, size))


def consistency(session: Session, old: int, new: int) -> tuple[bytes, ...]:
    """The proof that the log of `new` leaves begins with that of `old`."""
    return _span_hashes(session, merkle.consistency_spans(old, new))


def positions(session: Session, leaf_hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Where the leaves of these hashes stand; those that aren't in the log are left out."""
    query = sa.select(LogLeaf.leaf_hash, LogLeaf.position)
    rows = session.execute(query.where(LogLeaf.leaf_hash.in_(list(leaf_hashes))))
    return {row.leaf_hash: row.position for row in rows}


def entries(session: Session, start: int, end: int) -> list[bytes]:
    """The leaves from `start` up to but not including `end`."""
    query = sa.select(LogLeaf.leaf).where(LogLeaf.position >= start, LogLeaf.position < end)
    return list(session.scalars(query.order_by(LogLeaf.position)))


def evidence(session: Session, leaves: Sequence[bytes]) -> tuple[str, dict[bytes, Evidence]]:
    """The newest checkpoint, and the proofs under it of those leaves that are in the log."""
    head = newest_head(session)
    if head is None:
        return "", {}
    places = positions(session, [merkle.leaf_hash(leaf) for leaf in leaves])
    at = {leaf: places.get(merkle.leaf_hash(leaf), head.size) for leaf in leaves}
    spans = {
        leaf: merkle.inclusion_spans(index, head.size)
        for leaf, index in at.items()
        if index < head.size
    }
    hashes = iter(_span_hashes(session, [span for found in spans.values() for span in found]))
    proofs = {
        leaf: Evidence(at[leaf], tuple(next(hashes) for _ in found))
        for leaf, found in spans.items()
    }
    return checkpoint_text(session, head), proofs
