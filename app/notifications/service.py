"""Channels of a desk, subscriptions of the public, the day's digest, and their delivery."""

from __future__ import annotations

import datetime as dt
import hmac
import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Invalid, NotFound
from app.notifications import outbox
from app.notifications.models import Channel, ChannelKind, Delivery, OutboxRow, Subscription
from app.notifications.outbox import Message

MOST_CHANNELS = 10
MAX_TARGET = 500
MAX_NAME = 60
UNCONFIRMED_DAYS = 7
LINK_GONE = N_("这个地址不对，或者已经过期。什么都没有改变，请从页面上再来一次。")
NOT_CHOSEN = N_("还没有选单位或种类，什么都没有存。请选好再交。")
# One local part, one domain with a dot; anything finer is the mail server's to judge.
_ADDRESS = re.compile(r"[^\s@<>,;:\"\\()]{1,64}@[^\s@<>,;:\"\\()]{1,190}\.[^\s@<>,;:\"\\().]{2,}")


def _key(instance_secret: bytes, purpose: str) -> bytes:
    return crypto.hkdf(instance_secret, f"notifications {purpose}")


def sealed_target(instance_secret: bytes, target: str) -> bytes:
    """An address under a key of the instance secret: a dump tells none."""
    return crypto.encrypt(_key(instance_secret, "target"), target.encode())


# --- channels of a desk ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Last:
    """How a channel's newest message fared; `failure` is a reason's code."""

    kind: str
    delivery: Delivery
    tries: int
    failure: str
    put_at: dt.datetime
    next_at: dt.datetime


@dataclass(frozen=True)
class ChannelRow:
    """A channel as its desk sees it: never its address."""

    id: str
    unit_id: str
    kind: ChannelKind
    name: str
    last: tuple[Last, ...]


def channels(session: Session, unit_ids: Iterable[str]) -> list[ChannelRow]:
    """The channels of these units, each with its newest digest and test; two queries."""
    own = Channel.unit_id.in_(list(unit_ids)) & Channel.leader_id.is_(None)
    query = sa.select(Channel).where(own)
    rows = session.scalars(query.order_by(Channel.name, Channel.id)).all()
    last = _newest(session, [row.id for row in rows])
    return [
        ChannelRow(row.id, row.unit_id, row.kind, row.name, tuple(last.get(row.id, ())))
        for row in rows
    ]


def _newest(session: Session, channel_ids: list[str]) -> dict[str, list[Last]]:
    place = sa.func.row_number().over(
        partition_by=(OutboxRow.channel_id, OutboxRow.kind),
        order_by=(OutboxRow.put_at.desc(), OutboxRow.id),
    )
    placed = (
        sa.select(OutboxRow.id, place.label("place"))
        .where(OutboxRow.channel_id.in_(channel_ids))
        .subquery()
    )
    query = sa.select(OutboxRow).join(placed, placed.c.id == OutboxRow.id)
    newest: dict[str, list[Last]] = {}
    for row in session.scalars(query.where(placed.c.place == 1).order_by(OutboxRow.kind.desc())):
        newest.setdefault(row.channel_id or "", []).append(
            Last(row.kind, row.delivery, row.tries, row.failure, row.put_at, row.next_at)
        )
    return newest


def add_channel(
    session: Session,
    instance_secret: bytes,
    *,
    unit_id: str,
    kind: ChannelKind,
    name: str,
    target: str,
    secret: str = "",
    allow_plain: bool = False,
) -> Channel:
    """Keep a channel: an e-mail address, or a robot's URL with its signing secret.

    `allow_plain`: also without TLS, inside the county's own network; a robot's URL is a password.
    Raises Invalid (fields `name`, `target`, `secret`).
    """
    target, secret = target.strip(), secret.strip()
    if not name.strip():
        raise Invalid(N_("给这条渠道起个名字，好认。什么都没有存。"), field="name")
    _check_target(kind, target, secret, allow_plain=allow_plain)
    if len(channels(session, [unit_id])) >= MOST_CHANNELS:
        raise Invalid(N_("已经有十条渠道了，请先删去用不着的。"), field="name")
    sealed = sealed_target(instance_secret, f"{target} {secret}".strip())
    channel = Channel(unit_id=unit_id, kind=kind, name=name.strip(), sealed_target=sealed)
    session.add(channel)
    session.flush()
    return channel


def _check_target(kind: ChannelKind, target: str, secret: str, *, allow_plain: bool) -> None:
    if kind is ChannelKind.EMAIL:
        good = is_address(target)
    else:
        good = _is_url(target) and (allow_plain or target.startswith("https://"))
    if not good or len(target) > MAX_TARGET or any(c.isspace() for c in secret):
        raise Invalid(
            N_("地址不像是对的，没有存下。邮箱要有 @，机器人的地址以 https:// 开头，请整段复制。"),
            field="target",
        )
    if kind is ChannelKind.WEBHOOK and not secret:
        raise Invalid(
            N_("自己的系统要填一个密钥：靠它才认得出消息是我们发的。没有存下，请填上。"),
            field="secret",
        )


def _is_url(text: str) -> bool:
    return bool(re.fullmatch(r"https?://[^\s/@]+(?:/\S*)?", text))


def is_address(text: str) -> bool:
    """Whether this can be an e-mail address."""
    return bool(_ADDRESS.fullmatch(text)) and len(text) <= 254


def channel_of(session: Session, unit_ids: Iterable[str], channel_id: str) -> Channel:
    """A channel of one of these units; raises NotFound."""
    channel = session.get(Channel, channel_id)
    if channel is None or channel.leader_id or channel.unit_id not in set(unit_ids):
        raise NotFound(N_("没有这条渠道，可能已经删了。"))
    return channel


def delete_channel(session: Session, unit_ids: Iterable[str], channel_id: str) -> None:
    """Forget a channel and what still waits for it."""
    channel = channel_of(session, unit_ids, channel_id)
    session.execute(sa.delete(OutboxRow).where(OutboxRow.channel_id == channel.id))
    session.delete(channel)
    session.flush()


def put_test(session: Session, channel: Channel, now: dt.datetime) -> None:
    """Queue a test message."""
    key = f"test {crypto.random_id()}"
    test = Message(key, "test", {"name": channel.name}, channel_id=channel.id)
    outbox.put(session, now, [test])


# --- the day's digest -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """What waits at a unit's desk: opened cases alone, nothing that still lies in a box."""

    unit_name: str
    waiting: int
    working: int
    overdue: int


def put_digests(
    session: Session,
    now: dt.datetime,
    today: dt.date,
    link: str,
    waiting_of: Callable[[list[str]], dict[str, Waiting]],
) -> None:
    """Queue the day's digest to every channel, on empty days too; a second run adds nothing."""
    query = sa.select(Channel.id, Channel.unit_id).where(Channel.leader_id.is_(None))
    rows = session.execute(query).all()
    waiting = waiting_of(sorted({row.unit_id for row in rows}))
    digests = []
    for channel_id, unit_id in rows:
        found = waiting.get(unit_id)
        if found is None:
            continue
        values: dict[str, str | int] = {
            "day": f"{today.month}月{today.day}日",  # a server may be down for days
            "unit": found.unit_name,
            "waiting": found.waiting,
            "working": found.working,
            "overdue": found.overdue,
            "link": link,
        }
        key = f"digest {today.isoformat()} {channel_id}"
        digests.append(Message(key, "digest", values, channel_id=channel_id))
    outbox.put(session, now, digests)


# --- subscriptions of the public ------------------------------------------------------------------


def subscribe(
    session: Session, instance_secret: bytes, address: str, today: dt.date
) -> Subscription | None:
    """Note a wish for bulletins; nothing is sent but the question whether it is really theirs.

    The answer on the page is the same for an address that is already there (threat: asking who
    subscribed); None then. Raises Invalid (field `address`).
    """
    address = address.strip()
    if not is_address(address):
        raise Invalid(N_("这个邮箱地址不完整，没有存下。请看看有没有 @ 和点。"), field="address")
    hashed = hmac.digest(_key(instance_secret, "address"), address.casefold().encode(), "sha256")
    there = session.scalar(sa.select(Subscription).where(Subscription.address_hash == hashed))
    if there is not None and there.confirmed_on is not None:
        return None
    if there is None:
        there = Subscription(
            address_hash=hashed,
            sealed_address=crypto.encrypt(_key(instance_secret, "target"), address.encode()),
            asked_on=today,
        )
        session.add(there)
        session.flush()
    return there


def confirm(session: Session, subscription_id: str, today: dt.date) -> bool:
    """The link in the mail was followed; False when the subscription is gone."""
    found = session.get(Subscription, subscription_id)
    if found is None:
        return False
    found.confirmed_on = found.confirmed_on or today
    session.flush()
    return True


def unsubscribe(session: Session, subscription_id: str) -> None:
    """Forget an address and what still waits for it; a second time changes nothing."""
    session.execute(sa.delete(OutboxRow).where(OutboxRow.subscription_id == subscription_id))
    session.execute(sa.delete(Subscription).where(Subscription.id == subscription_id))


def put_to_subscribers(
    session: Session,
    now: dt.datetime,
    *,
    keys: str,
    kind: str,
    values_of: Callable[[str], dict[str, str | int]],
) -> None:
    """Queue a message to everybody who confirmed; `values_of` gets each subscription's id.

    `keys`: what the keys of all of them begin with.
    """
    confirmed = sa.select(Subscription.id).where(Subscription.confirmed_on.is_not(None))
    letters = [
        Message(f"{keys}{subscription_id}", kind, values_of(subscription_id),
                subscription_id=subscription_id)
        for subscription_id in session.scalars(confirmed)
    ]  # fmt: skip
    outbox.put(session, now, letters)


def forget_unconfirmed(session: Session, today: dt.date) -> None:
    """Delete wishes that nobody confirmed within a week."""
    before = today - dt.timedelta(days=UNCONFIRMED_DAYS)
    query = sa.select(Subscription.id).where(
        Subscription.confirmed_on.is_(None), Subscription.asked_on < before
    )
    for subscription_id in session.scalars(query).all():
        unsubscribe(session, subscription_id)


# --- delivery -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Addressed:
    """A claimed message with what delivering it needs; its repr shows no address."""

    row_id: str
    key: str
    kind: str
    values: dict[str, str | int]
    channel: ChannelKind
    target: str = field(repr=False)


def next_addressed(
    session: Session,
    instance_secret: bytes,
    now: dt.datetime,
    *,
    mail: bool = True,
    held: Collection[str] = (),
) -> Addressed | None:
    """Claim the next message that is due, and open its address; `held` kinds wait.

    One whose address can't be opened goes to the dead letters: it must not hold up the others.
    """
    while (row := outbox.claim(session, now, mail=mail, held=held)) is not None:
        kind, sealed = _recipient(session, row)
        try:
            target = crypto.decrypt(_key(instance_secret, "target"), sealed).decode()
        except crypto.SealError:
            outbox.failed(session, row.id, "unreadable", now, final=True)
            continue
        return Addressed(row.id, row.key, row.kind, json.loads(row.values), kind, target)
    return None


def _recipient(session: Session, row: OutboxRow) -> tuple[ChannelKind, bytes]:
    if row.channel_id is not None:
        channel = session.get_one(Channel, row.channel_id)
        return channel.kind, channel.sealed_target
    subscription = session.get_one(Subscription, row.subscription_id)
    return ChannelKind.EMAIL, subscription.sealed_address


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be delivered, as the office sees it: no address, a reason's code."""

    id: str
    kind: str
    channel_name: str
    failure: str
    tries: int
    put_at: dt.datetime


def dead_letters(session: Session) -> list[DeadLetter]:
    """The newest hundred that were given up."""
    query = (
        sa.select(OutboxRow, Channel.name)
        .outerjoin(Channel, Channel.id == OutboxRow.channel_id)
        .where(OutboxRow.delivery == Delivery.DEAD)
        .order_by(OutboxRow.put_at.desc(), OutboxRow.id)
        .limit(100)
    )
    return [
        DeadLetter(row.id, row.kind, name or "", row.failure, row.tries, row.put_at)
        for row, name in session.execute(query)
    ]


def waiting_count(session: Session) -> int:
    """How many messages wait to be sent."""
    return (
        session.scalar(sa.select(sa.func.count()).where(OutboxRow.delivery == Delivery.WAITING))
        or 0
    )
