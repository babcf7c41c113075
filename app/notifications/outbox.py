"""The sink for messages: written with what they tell, sent later, at least once, never lost."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, NotFound
from app.notifications.models import Delivery, OutboxRow

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

Plain = Mapping[str, str | int]


def put(
    session: Session,
    now: dt.datetime,
    *,
    key: str,
    kind: str,
    values: Plain,
    channel_id: str | None = None,
    subscription_id: str | None = None,
) -> None:
    """Queue a message to one recipient, in the transaction of what it tells; the same key once."""
    if session.scalar(sa.select(sa.exists().where(OutboxRow.key == key))):
        return
    session.add(
        OutboxRow(
            key=key,
            kind=kind,
            channel_id=channel_id,
            subscription_id=subscription_id,
            values=json.dumps(dict(values), ensure_ascii=False, sort_keys=True),
            delivery=Delivery.WAITING,
            put_at=now,
            next_at=now,
        )
    )
    session.flush()


def claim(session: Session, now: dt.datetime) -> OutboxRow | None:
    """The next message that is due, leased to this worker; None when there is none.

    PostgreSQL: rows that another worker holds are passed over; SQLite has one writer at a time.
    """
    row = session.scalar(
        sa.select(OutboxRow)
        .where(OutboxRow.delivery == Delivery.WAITING, OutboxRow.next_at <= now)
        .order_by(OutboxRow.next_at, OutboxRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
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
    row = session.get(OutboxRow, row_id)
    if row is None or row.delivery is not Delivery.DEAD:
        raise NotFound(N_("没有这一封，可能已经重发了。"))
    row.delivery, row.tries, row.next_at = Delivery.WAITING, 0, now
    session.flush()


def drop(session: Session, row_id: str) -> None:
    """Give a dead letter up. Raises NotFound."""
    row = session.get(OutboxRow, row_id)
    if row is None or row.delivery is not Delivery.DEAD:
        raise NotFound(N_("没有这一封，可能已经重发了。"))
    session.delete(row)
    session.flush()


def purge(session: Session, now: dt.datetime) -> None:
    """Forget what was sent a month ago."""
    session.execute(
        sa.delete(OutboxRow).where(
            OutboxRow.delivery == Delivery.SENT, OutboxRow.put_at < now - KEPT
        )
    )
