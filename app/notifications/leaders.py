"""Where contact leaders are told what is overdue at their branches: sealed, shown to nobody."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, Invalid
from app.notifications.models import Channel, ChannelKind, OutboxRow
from app.notifications.service import MAX_NAME, is_address, sealed_target


def set_address(
    session: Session,
    instance_secret: bytes,
    *,
    leader_id: str,
    county_id: str,
    name: str,
    address: str,
) -> None:
    """Where a contact leader is told what is overdue; it takes the place of a former address.

    Raises Invalid (field `email`).
    """
    if not is_address(address):
        raise Invalid(N_("这个邮箱地址不完整，没有存下。请看看有没有 @ 和点。"), field="email")
    forget(session, leader_id)
    session.add(
        Channel(
            unit_id=county_id,
            leader_id=leader_id,
            kind=ChannelKind.EMAIL,
            name=name[:MAX_NAME],
            sealed_target=sealed_target(instance_secret, address),
        )
    )
    session.flush()


def forget(session: Session, leader_id: str) -> None:
    """Forget a leader's address and what still waits for it."""
    own = sa.select(Channel.id).where(Channel.leader_id == leader_id)
    session.execute(sa.delete(OutboxRow).where(OutboxRow.channel_id.in_(own)))
    session.execute(sa.delete(Channel).where(Channel.leader_id == leader_id))


def told(session: Session) -> frozenset[str]:
    """The leaders that have an address."""
    query = sa.select(Channel.leader_id).where(Channel.leader_id.is_not(None))
    return frozenset(found for found in session.scalars(query) if found)
