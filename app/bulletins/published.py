"""Bulletins as they are read: the newest, one, found by their words; public ones by anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import wordindex
from app.bulletins import promises, service
from app.bulletins.models import Audience, Bulletin, BulletinState, Promise, PromiseRating
from app.bulletins.promises import Standing
from app.cases.cursor import Cursor
from app.errors import NotFound
from app.organisation.models import Unit
from app.wordindex import Found, Published

PAGE = 20


@dataclass(frozen=True)
class ShownPromise:
    """A promise and how it stands today."""

    id: str
    words: str
    owner: str
    due_on: dt.date
    standing: Standing
    done_on: dt.date | None
    evidence: str
    rating: PromiseRating | None
    reopenings: int


@dataclass(frozen=True)
class ShownBulletin:
    """A bulletin as a page, a sheet or a feed tells it; a withdrawn one has no parts."""

    id: str
    unit_name: str
    unit_slug: str
    title: str
    state: BulletinState
    audience: Audience
    published_on: dt.date | None
    withdrawn_on: dt.date | None
    withdrawn_because: str
    parts: tuple[tuple[str, str], ...]
    promises: tuple[ShownPromise, ...]

    def number(self, *standings: Standing) -> int:
        """How many promises stand so."""
        return sum(promise.standing in standings for promise in self.promises)


def _public() -> sa.ColumnElement[bool]:
    return (Bulletin.audience == Audience.PUBLIC) & (Bulletin.state != BulletinState.DRAFT)


def newest(
    session: Session,
    most: int,
    today: dt.date,
    *,
    unit_id: str | None = None,
    after: Cursor | None = None,
    withdrawn: bool = True,
) -> list[ShownBulletin]:
    """The newest public bulletins by keyset; two queries.

    With `unit_id` those of one unit and of the branches below it.
    """
    query = sa.select(Bulletin.id).where(_public())
    if not withdrawn:
        query = query.where(Bulletin.state == BulletinState.PUBLISHED)
    if unit_id is not None:
        below = sa.select(Unit.id).where((Unit.id == unit_id) | (Unit.parent_id == unit_id))
        query = query.where(Bulletin.unit_id.in_(below))
    if after is not None:
        place = sa.tuple_(Bulletin.published_on, Bulletin.id)
        query = query.where(place < sa.tuple_(after.on, after.id))
    query = query.order_by(Bulletin.published_on.desc(), Bulletin.id.desc()).limit(most)
    return shown(session, list(session.scalars(query)), today)


def find(
    session: Session, typed: str, most: int, today: dt.date, *, after: Cursor | None = None
) -> list[ShownBulletin]:
    """The newest public bulletins in which every typed word stands; three queries."""
    last = Found(after.id, after.on) if after else None
    found = wordindex.find(session, Published.BULLETIN, typed, most, last)
    return shown(session, [hit.id for hit in found], today)


def one(session: Session, bulletin_id: str, today: dt.date) -> ShownBulletin:
    """A public bulletin, withdrawn or not. Raises NotFound for everything else."""
    there = session.scalar(sa.select(Bulletin.id).where(Bulletin.id == bulletin_id, _public()))
    if there is None:
        raise NotFound(service.GONE)
    return shown(session, [there], today)[0]


def shown(session: Session, ids: Sequence[str], today: dt.date) -> list[ShownBulletin]:
    """These bulletins, in this order; two queries."""
    query = (
        sa.select(Bulletin, Unit.name, Unit.slug)
        .join(Unit, Unit.id == Bulletin.unit_id)
        .where(Bulletin.id.in_(ids))
    )
    pledges = _pledges(session, ids, today)
    made = {
        row.id: _shown(row, name, slug, pledges.get(row.id, ()))
        for row, name, slug in session.execute(query)
    }
    return [made[i] for i in ids if i in made]


def _shown(row: Bulletin, name: str, slug: str, pledges: Sequence[ShownPromise]) -> ShownBulletin:
    gone = row.state is BulletinState.WITHDRAWN
    return ShownBulletin(
        id=row.id,
        unit_name=name,
        unit_slug=slug,
        title=row.title,
        state=row.state,
        audience=row.audience,
        published_on=row.published_on,
        withdrawn_on=row.withdrawn_on,
        withdrawn_because=row.withdrawn_because,
        parts=() if gone else tuple((part, getattr(row, part)) for part in service.PARTS),
        promises=() if gone else tuple(pledges),
    )


def _pledges(session: Session, ids: Iterable[str], today: dt.date) -> dict[str, list[ShownPromise]]:
    query = sa.select(Promise).where(Promise.bulletin_id.in_(list(ids))).order_by(Promise.position)
    found: dict[str, list[ShownPromise]] = {}
    for row in session.scalars(query):
        found.setdefault(row.bulletin_id, []).append(
            ShownPromise(
                id=row.id,
                words=row.words,
                owner=row.owner,
                due_on=row.due_on,
                standing=promises.standing(row, today),
                done_on=row.done_on,
                evidence=row.evidence,
                rating=row.rating,
                reopenings=row.reopenings,
            )
        )
    return found
