"""Finding cases by their words: opened and scanned inside the unlocked session, never indexed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import queue, record, terms
from app.cases.models import Case, ItemKind, ThreadItem
from app.cases.queue import Unlocked
from app.cases.workflow import State
from app.sealing import service as sealing

MOST_FOUND = 50
MOST_COMPARED = 600
_BATCH = 500
LIKE = 0.3
MOST_SUGGESTED = 3


@dataclass(frozen=True)
class Likeness:
    """Another case that says something like it; `score` from 0 to 1."""

    case_id: str
    excerpt: str
    state: State
    score: float


def find(session: Session, desk: Unlocked, typed: str) -> list[str]:
    """Ids of the newest cases of this person's boxes in whose thread every typed word stands."""
    words = [_plain(word) for word in typed.split()[:8]]
    if not words:
        return []
    query = (
        sa.select(ThreadItem.case_id, ThreadItem.item_id)
        .join(Case, Case.id == ThreadItem.case_id)
        .where(Case.box_id.in_(desk.box_ids))
        .order_by(Case.opened_on.desc(), Case.id, ThreadItem.position)
    )
    pairs = [(case_id, item_id) for case_id, item_id in session.execute(query)]
    found: list[str] = []
    for case_id, items in groupby(_opened(session, desk, pairs), itemgetter(0)):
        text = "\n".join(_plain(record.text_of(raw)) for _, raw in items)
        if all(word in text for word in words):
            found.append(case_id)
            if len(found) == MOST_FOUND:
                break
    return found


def _opened(
    session: Session, desk: Unlocked, pairs: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(pairs), _BATCH):
        batch = pairs[start : start + _BATCH]
        opened = sealing.open_items_at_desk(session, [item for _, item in batch], desk.keys)
        for case_id, item_id in batch:
            if item_id in opened:
                yield case_id, opened[item_id]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def alike(session: Session, desk: Unlocked, case: Case, text: str) -> list[Likeness]:
    """The newest cases of the same box that say most nearly the same, by pairs of characters.

    Answered ones are looked at too: the same answer may serve. Nothing is stored.
    """
    states = (*terms.OPEN_STATES, State.ASKED, State.ANSWERED, State.CLOSED)
    newest = queue.newest(case.box_id, states, MOST_COMPARED)
    query = (
        sa.select(Case.id, ThreadItem.item_id, Case.state)
        .join(newest, newest.c.id == Case.id)
        .join(ThreadItem, ThreadItem.case_id == Case.id)
        .where(Case.id != case.id, ThreadItem.kind == ItemKind.OPINION)
        .order_by(*queue.NEWEST_FIRST)
        .limit(MOST_COMPARED)
    )
    own = _pairs(text)
    rows = session.execute(query).all()
    states_of = {row.id: row.state for row in rows}
    scored = []
    for case_id, raw in _opened(session, desk, [(row.id, row.item_id) for row in rows]):
        other = record.text_of(raw)
        if (score := _likeness(own, _pairs(other))) >= LIKE:
            scored.append((score, case_id, other))
    best = sorted(scored, key=lambda row: (-row[0], row[1]))[:MOST_SUGGESTED]
    return [Likeness(i, queue.excerpt(words), states_of[i], score) for score, i, words in best]


def _pairs(text: str) -> frozenset[str]:
    letters = [c for c in _plain(text) if c.isalnum()]
    return frozenset(a + b for a, b in pairwise(letters))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Twice the shared pairs over all pairs of both (Dice)."""
    if not one or not other:
        return 0.0
    shared = len(one & other)
    return 2 * shared / (len(one) + len(other))
