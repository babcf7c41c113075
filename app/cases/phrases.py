"""Turns of phrase that a box's keepers use often: put into a draft, never a whole answer."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases.models import Phrase
from app.errors import N_, Invalid, NotFound

MOST = 30
MAX_PHRASE = 200


def phrases(session: Session, box_ids: frozenset[str]) -> list[Phrase]:
    """The phrases of these boxes."""
    query = sa.select(Phrase).where(Phrase.box_id.in_(box_ids))
    return list(session.scalars(query.order_by(Phrase.words)))


def add(session: Session, box_id: str, words: str) -> None:
    """Keep a phrase for a box; at most thirty. Raises Invalid (field `words`)."""
    if not words.strip():
        raise Invalid(N_("还没有写字，什么都没有存。"), field="words")
    kept = phrases(session, frozenset({box_id}))
    if len(kept) >= MOST:
        raise Invalid(N_("已经有三十句了，请先删去用不着的。"), field="words")
    if all(phrase.words != words for phrase in kept):
        session.add(Phrase(box_id=box_id, words=words))
        session.flush()


def delete(session: Session, box_ids: frozenset[str], phrase_id: str) -> None:
    """Forget a phrase. Raises NotFound for another box's."""
    phrase = session.get(Phrase, phrase_id)
    if phrase is None or phrase.box_id not in box_ids:
        raise NotFound(N_("没有这一句，可能已经删了。"))
    session.delete(phrase)
    session.flush()
