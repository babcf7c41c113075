"""Rows of the shut box: put, read, rewritten, each under the opening key."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Packed
from app.sealing.models import OpeningKey
from app.submissions.lying import Lying, LyingAct, LyingDrop, unwrap, wrap
from app.submissions.models import LyingItem

# Built once, as every drop needs it.
_UNLESS_THERE = {
    name: insert(cast(sa.Table, LyingItem.__table__))
    .on_conflict_do_nothing()
    .execution_options(preserve_rowcount=True)
    for name, insert in db.INSERTS.items()
}


def put(
    session: Session,
    instance_secret: bytes,
    opening_key: OpeningKey,
    pool_id: bytes,
    lying: LyingDrop | LyingAct,
    enclosed: Packed | None = None,
) -> bool:
    """Store at this place, or find that the same form already did; False when it is taken."""
    wrapped = wrap(lying, opening_key.public_key)
    connection = session.connection()
    row = {"pool_id": pool_id, "wrapped": wrapped}
    # The same form may come twice, even at the same instant, in another process.
    if connection.execute(_UNLESS_THERE[connection.dialect.name], row).rowcount == 1:
        if enclosed is not None:
            attachments.lay(session, opening_key, enclosed)
        return True
    there = read(session, instance_secret, opening_key, pool_id)
    return type(there) is type(lying) and getattr(there, "ticket_id", b"") == lying.ticket_id


def read(session: Session, instance_secret: bytes, key: OpeningKey, pool_id: bytes) -> Lying | None:
    """What lies at this place."""
    wrapped = session.scalar(sa.select(LyingItem.wrapped).where(LyingItem.pool_id == pool_id))
    if wrapped is None:
        return None
    return unwrap(wrapped, sealing.opening_private_key(key, instance_secret))


def rewrite(session: Session, key: OpeningKey, place: bytes, lying: Lying) -> None:
    """Let something else lie at this place, in a row of the same size."""
    session.execute(
        sa.update(LyingItem)
        .where(LyingItem.pool_id == place)
        .values(wrapped=wrap(lying, key.public_key))
    )
