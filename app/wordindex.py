"""The sink that finds published texts by their words: pairs of characters in a table, no service.

Chinese has no spaces and its words mostly two characters, so every pair of neighbours is a row.
A pair is one number: no collation of a database has a say in what is found. Only what is public
comes in here, and it goes out in the transaction that withdraws it.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.crypto import random_id
from app.db import UNORDERED, Base, enum_type

MOST_WORDS = 8
MOST_PAIRS = 12
_SHIFT = 21  # a character's number has at most 21 bits


class Published(StrEnum):
    """What can be found."""

    ANSWER = "answer"
    BULLETIN = "bulletin"


class IndexedText(Base):
    """A published text as it is searched: `number` stands for it in the table of pairs."""

    __tablename__ = "indexed_text"

    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[Published] = mapped_column(enum_type(Published, "kind"))
    published_id: Mapped[str] = mapped_column(sa.String(32), unique=True)
    published_on: Mapped[dt.date]
    words: Mapped[str] = mapped_column(sa.Text)

    __table_args__ = (UNORDERED,)


class IndexedPair(Base):
    """Two neighbouring characters of a text, or its last one alone."""

    __tablename__ = "indexed_pair"

    pair: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(
        sa.ForeignKey("indexed_text.number", ondelete="CASCADE"), primary_key=True, index=True
    )

    __table_args__ = (UNORDERED,)


@dataclass(frozen=True)
class Found:
    """A text that was found."""

    id: str
    on: dt.date


def plain(text: str) -> str:
    """A text as it is compared: one width, one case, no spaces doubled."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def pairs_of(words: str) -> frozenset[int]:
    """Every pair of neighbours in a plain text; a run's last character stands alone too."""
    found = set()
    for run in words.split():
        found |= {ord(a) << _SHIFT | ord(b) for a, b in pairwise(run)}
        found.add(ord(run[-1]) << _SHIFT)
    return frozenset(found)


def put(
    session: Session, kind: Published, published_id: str, on: dt.date, texts: Iterable[str]
) -> None:
    """Let a text be found from now on, in the transaction that publishes it."""
    remove(session, [published_id])
    words = plain("\n".join(texts))
    number = int(random_id()[:15], 16)
    session.add(
        IndexedText(
            number=number, kind=kind, published_id=published_id, published_on=on, words=words
        )
    )
    session.flush()
    rows = [{"pair": pair, "number": number} for pair in sorted(pairs_of(words))]
    if rows:
        session.execute(sa.insert(IndexedPair), rows)


def remove(session: Session, published_ids: Iterable[str]) -> None:
    """Let texts be found no more, in the transaction that withdraws them."""
    numbers = sa.select(IndexedText.number).where(IndexedText.published_id.in_(list(published_ids)))
    found = list(session.scalars(numbers))
    session.execute(sa.delete(IndexedPair).where(IndexedPair.number.in_(found)))
    session.execute(sa.delete(IndexedText).where(IndexedText.number.in_(found)))


def find(
    session: Session, kind: Published, typed: str, most: int, after: Found | None = None
) -> list[Found]:
    """The newest texts in which every typed word stands, by keyset; one query.

    A word may be a single character. Whatever the pairs bring up is held against the text itself.
    """
    words = plain(typed[:200]).split()[:MOST_WORDS]
    if not words:
        return []
    query = (
        sa.select(IndexedText.published_id, IndexedText.published_on)
        .where(IndexedText.kind == kind, *_conditions(words))
        .order_by(IndexedText.published_on.desc(), IndexedText.published_id.desc())
        .limit(most)
    )
    if after is not None:
        place = sa.tuple_(IndexedText.published_on, IndexedText.published_id)
        query = query.where(place < sa.tuple_(after.on, after.id))
    return [Found(row.published_id, row.published_on) for row in session.execute(query)]


def _conditions(words: list[str]) -> list[sa.ColumnElement[bool]]:
    asked = [_holds(IndexedPair.pair.between(ord(w) << _SHIFT, (ord(w) + 1 << _SHIFT) - 1))
             for w in words if len(w) == 1]  # fmt: skip
    pairs = sorted({ord(a) << _SHIFT | ord(b) for word in words for a, b in pairwise(word)})
    asked += [_holds(IndexedPair.pair == pair) for pair in pairs[:MOST_PAIRS]]
    return asked + [IndexedText.words.contains(word, autoescape=True) for word in words]


def _holds(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return IndexedText.number.in_(sa.select(IndexedPair.number).where(condition))
