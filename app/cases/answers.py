"""Published answers: given to the public, taken back, read and found by anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import wordindex
from app.cases.cursor import Cursor
from app.cases.models import Answer
from app.organisation import service as organisation
from app.wordindex import Found, Published

PAGE = 20


@dataclass(frozen=True)
class PublishedAnswer:
    """An answer as the public reads it; `answer` is Markdown."""

    id: str
    branch_name: str
    published_on: dt.date
    summary: str
    answer: str


def publish(session: Session, answer: Answer) -> None:
    """Give an answer to the public, in place of the one that its case had before."""
    retract(session, answer.case_id)
    session.add(answer)
    session.flush()
    texts = (answer.summary, answer.answer)
    wordindex.put(session, Published.ANSWER, answer.id, answer.published_on, texts)


def retract(session: Session, case_id: str) -> None:
    """Take a case's answers from the public, and out of what can be found."""
    ids = list(session.scalars(sa.select(Answer.id).where(Answer.case_id == case_id)))
    wordindex.remove(session, ids)
    session.execute(sa.delete(Answer).where(Answer.id.in_(ids)))


def find(
    session: Session, typed: str, most: int, *, after: Cursor | None = None
) -> list[PublishedAnswer]:
    """The newest answers in which every typed word stands, by keyset; three queries."""
    last = Found(after.id, after.on) if after else None
    found = wordindex.find(session, Published.ANSWER, typed, most, last)
    rows = session.scalars(sa.select(Answer).where(Answer.id.in_([hit.id for hit in found])))
    return _shown(session, sorted(rows, key=lambda row: (row.published_on, row.id), reverse=True))


def newest(
    session: Session,
    most: int,
    *,
    box_ids: Collection[str] | None = None,
    after: Cursor | None = None,
) -> list[PublishedAnswer]:
    """The newest answers, of some boxes or of all, by keyset; two queries."""
    query = sa.select(Answer).order_by(Answer.published_on.desc(), Answer.id.desc()).limit(most)
    if box_ids is not None:
        query = query.where(Answer.box_id.in_(box_ids))
    if after is not None:
        query = query.where(
            sa.tuple_(Answer.published_on, Answer.id) < sa.tuple_(after.on, after.id)
        )
    return _shown(session, list(session.scalars(query)))


def _shown(session: Session, rows: Sequence[Answer]) -> list[PublishedAnswer]:
    branches = organisation.branches_of_boxes(session, {row.box_id for row in rows})
    return [
        PublishedAnswer(
            row.id, branches[row.box_id].name, row.published_on, row.summary, row.answer
        )
        for row in rows
    ]
