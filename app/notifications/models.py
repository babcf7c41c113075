"""Channels, subscriptions, and what waits to be sent."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import Base, enum_type


class ChannelKind(StrEnum):
    """How a committee is told."""

    EMAIL = "email"
    WECOM = "wecom"
    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    WEBHOOK = "webhook"


class Delivery(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


class Channel(Base):
    """Where a unit's desk is told how much waits: an address or a robot's URL, sealed.

    With `leader_id` it is a contact leader's own address: what is overdue at their branches goes
    there, and nothing else.

    Threat: a robot's URL is a password. It lies under a key of the instance secret, outside the
    database, and is shown to nobody after it was given.
    """

    __tablename__ = "channel"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True)
    kind: Mapped[ChannelKind] = mapped_column(enum_type(ChannelKind, "kind"))
    leader_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("leader.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(sa.String(60))
    sealed_target: Mapped[bytes]


class Subscription(Base):
    """Somebody of the public who asked for bulletins by e-mail; never joined to a receipt.

    The address lies sealed under the instance secret; `address_hash` is keyed by it too, so that a
    dump tells no address. Confirmed by a link (double opt-in), deleted by another.
    """

    __tablename__ = "subscription"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    address_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    sealed_address: Mapped[bytes]
    asked_on: Mapped[dt.date]
    confirmed_on: Mapped[dt.date | None]


class OutboxRow(Base):
    """A message to be sent: written in the transaction of what it tells, delivered by the worker.

    `key` makes a repeated `put` one message, and goes with it (Message-ID, Idempotency-Key) so that
    a receiver can tell a second delivery. `values` are numbers, dates and addresses of public
    pages. `next_at` is also a lease: a worker that dies while sending gives it back by its passing.
    """

    __tablename__ = "outbox_row"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    key: Mapped[str] = mapped_column(sa.String(120), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    channel_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("channel.id", ondelete="CASCADE"), index=True
    )
    subscription_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("subscription.id", ondelete="CASCADE"), index=True
    )
    values: Mapped[str] = mapped_column(sa.Text)
    delivery: Mapped[Delivery] = mapped_column(enum_type(Delivery, "delivery"))
    tries: Mapped[int] = mapped_column(default=0)
    put_at: Mapped[dt.datetime]
    next_at: Mapped[dt.datetime]
    failure: Mapped[str] = mapped_column(sa.String(64), default="")

    __table_args__ = (
        sa.Index("ix_outbox_row_due", "delivery", "next_at"),
        sa.CheckConstraint(
            "(channel_id IS NULL) <> (subscription_id IS NULL)", name="one_recipient"
        ),
    )
