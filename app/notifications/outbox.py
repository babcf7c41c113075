"""The sink for messages: written with what they tell, sent later, at least once, never lost."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.crypto import random_id
from app.errors import N_, NotFound
from app.notifications.models import Channel, ChannelKind, Delivery, OutboxRow

LEASE = dt.timedelta(minutes=5)
# After each failed try: the next one. Together more than three days: a server may be down for one.
PAUSES = (
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=2),
    dt.timedelta(hours=6),
    dt.timedelta(hours=12),
    dt.timedelta(hours=24),
    dt.timedelta(hours=36),
)
KEPT = dt.timedelta(days=30)
KEPT_DEAD = dt.timedelta(days=90)
GONE = N_("没有这一封，可能已经重发了。")

Plain = Mapping[str, str | int]


@dataclass(frozen=True)
class Message:
    """A message to one recipient; `key` makes a repeat of it the same message."""

    key: str
    kind: str
    values: Plain
    channel_id: str | None = None
    subscription_id: str | None = None


def put(session: Session, now: dt.datetime, messages: Iterable[Message]) -> None:
    """Queue messages, in the transaction of what they tell; a key that is there already stays one.

    One statement, however many: a county has thousands of subscribers. Two workers that put the
    same day's messages at once wait for each other here, and in the same order.
    """
    rows = [
        {
            "id": random_id(),
            "key": message.key,
            "kind": message.kind,
            "channel_id": message.channel_id,
            "subscription_id": message.subscription_id,
            "values": json.dumps(dict(message.values), ensure_ascii=False, sort_keys=True),
            "delivery": Delivery.WAITING,
            "tries": 0,
            "put_at": now,
            "next_at": now,
            "failure": "",
        }
        for message in sorted(messages, key=lambda message: message.key)
    ]
    if rows:
        insert = db.insert(session, OutboxRow)
        session.execute(insert.on_conflict_do_nothing(index_elements=[OutboxRow.key]), rows)


def was_put(session: Session, kind: str, since: dt.datetime) -> bool:
    """Whether any message of a kind was queued since an instant."""
    there = sa.exists().where(OutboxRow.kind == kind, OutboxRow.put_at >= since)
    return bool(session.scalar(sa.select(there)))


def take_back(session: Session, beginning: str) -> None:
    """Forget what still waits under keys that begin so: what it tells is true no more."""
    session.execute(
        sa.delete(OutboxRow).where(
            OutboxRow.key.startswith(beginning, autoescape=True),
            OutboxRow.delivery != Delivery.SENT,
        )
    )


def claim(
    session: Session, now: dt.datetime, *, mail: bool = True, held: Collection[str] = ()
) -> OutboxRow | None:
    """The next message that is due, leased to this worker; None when there is none.

    Without `mail`: one that doesn't go by mail; none of the kinds that are `held` for office
    hours. PostgreSQL: rows that another worker holds are passed over; SQLite has one writer at a
    time.
    """
    query = sa.select(OutboxRow).where(
        OutboxRow.delivery == Delivery.WAITING,
        OutboxRow.next_at <= now,
        OutboxRow.kind.not_in(held),
    )
    if not mail:
        robots = sa.select(Channel.id).where(Channel.kind != ChannelKind.EMAIL)
        query = query.where(OutboxRow.channel_id.in_(robots))
    ordered = query.order_by(OutboxRow.next_at, OutboxRow.id).limit(1)
    row = session.scalar(ordered.with_for_update(skip_locked=True))
    if row is not None:
        row.tries += 1
        row.next_at = now + LEASE
        session.flush()
    return row


def sent(session: Session, row_id: str) -> None:
    """It arrived."""
    row = session.get(OutboxRow, row_id)
    if row is not None:
        row.delivery, row.failure = Delivery.SENT, ""


def failed(session: Session, row_id: str, reason: str, now: dt.datetime, *, final: bool) -> None:
    """It did not: try again after a pause, or, `final` or tried enough, to the dead letters.

    `reason` is a code of at most 64 characters, never an answer's text.
    """
    row = session.get(OutboxRow, row_id)
    if row is None:
        return
    row.failure = reason[:64]
    if final or row.tries > len(PAUSES):
        row.delivery = Delivery.DEAD
    else:
        row.next_at = now + PAUSES[row.tries - 1]


def again(session: Session, row_id: str, now: dt.datetime) -> None:
    """Send a dead letter once more. Raises NotFound."""
    row = _dead(session, row_id)
    row.delivery, row.tries, row.next_at = Delivery.WAITING, 0, now
    session.flush()


def all_again(session: Session, now: dt.datetime) -> None:
    """Send every dead letter once more: whatever was wrong was wrong for all of them."""
    dead = sa.update(OutboxRow).where(OutboxRow.delivery == Delivery.DEAD)
    session.execute(dead.values(delivery=Delivery.WAITING, tries=0, next_at=now))


def drop(session: Session, row_id: str) -> None:
    """Give a dead letter up. Raises NotFound."""
    session.delete(_dead(session, row_id))
    session.flush()


def _dead(session: Session, row_id: str) -> OutboxRow:
    row = session.get(OutboxRow, row_id)
    if row is None or row.delivery is not Delivery.DEAD:
        raise NotFound(GONE)
    return row


def purge(session: Session, now: dt.datetime) -> None:
    """Forget what was sent a month ago, and dead letters that nobody looked after for three."""
    for delivery, kept in ((Delivery.SENT, KEPT), (Delivery.DEAD, KEPT_DEAD)):
        old = (OutboxRow.delivery == delivery) & (OutboxRow.put_at < now - kept)
        session.execute(sa.delete(OutboxRow).where(old))
