"""Published answers, for anybody to read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases.cursor import Cursor
from app.cases.models import Answer
from app.organisation import service as organisation

PAGE = 20


@dataclass(frozen=True)
class PublishedAnswer:
    """An answer as the public reads it; `answer` is Markdown."""

    id: str
    branch_name: str
    published_on: dt.date
    summary: str
    answer: str


def newest(
    session: Session, most: int, *, box_id: str | None = None, after: Cursor | None = None
) -> list[PublishedAnswer]:
    """The newest answers, of one box or of all, by keyset; two queries."""
    query = sa.select(Answer).order_by(Answer.published_on.desc(), Answer.id.desc()).limit(most)
    if box_id is not None:
        query = query.where(Answer.box_id == box_id)
    if after is not None:
        query = query.where(
            sa.tuple_(Answer.published_on, Answer.id) < sa.tuple_(after.on, after.id)
        )
    rows = list(session.scalars(query))
    branches = organisation.branches_of_boxes(session, {row.box_id for row in rows})
    return [
        PublishedAnswer(
            row.id, branches[row.box_id].name, row.published_on, row.summary, row.answer
        )
        for row in rows
    ]
