"""Sealing to boxes and receipts, and the life of the opening key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.organisation import service as organisation
from app.organisation.models import Box
from app.organisation.service import Branch
from app.sealing.models import BoxKey, KeyWrap, OpeningKey, SealedItem

_Held = TypeVar("_Held")


@dataclass(frozen=True)
class Sealed:
    """A sealed text before it has a row: its ciphertext and the wraps of its content key.

    `wraps` maps a box key's id to the content key sealed to it; `receipt_wrap` is the same for the
    receipt, None where the speaker must not be able to open it.
    """

    ciphertext: bytes
    wraps: Mapping[str, bytes]
    receipt_wrap: bytes | None


def seal(text: bytes, box_keys: Iterable[BoxKey], receipt_key: bytes | None) -> Sealed:
    """Pad to a size class, encrypt once under a random content key, wrap that key.

    Raises ValueError when the text is larger than the largest size class.
    """
    content_key = crypto.new_private_key()
    return Sealed(
        ciphertext=crypto.encrypt(content_key, crypto.pad_to_class(text)),
        wraps={key.id: crypto.seal_to(key.public_key, content_key) for key in box_keys},
        receipt_wrap=crypto.seal_to(receipt_key, content_key) if receipt_key else None,
    )


def open_sealed(ciphertext: bytes, wrapped: bytes, private_key: bytes) -> bytes:
    """The text of a sealed item; raises crypto.SealError when the key isn't the right one."""
    content_key = crypto.unseal(private_key, wrapped)
    return crypto.unpad(crypto.decrypt(content_key, ciphertext))


def store(session: Session, sealed: Sealed) -> str:
    """Give a sealed text its rows; returns the item's id."""
    item = SealedItem(
        id=crypto.random_id(), ciphertext=sealed.ciphertext, receipt_wrap=sealed.receipt_wrap
    )
    session.add(item)
    session.flush()
    session.add_all(
        KeyWrap(item_id=item.id, box_key_id=key_id, wrapped=wrapped)
        for key_id, wrapped in sealed.wraps.items()
    )
    return item.id


def open_items_at_desk(
    session: Session, item_ids: Iterable[str], keys: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The texts of these items that the unlocked keys open; one query. Others are left out."""
    rows = session.execute(
        sa.select(KeyWrap.box_key_id, KeyWrap.wrapped, SealedItem.id, SealedItem.ciphertext)
        .join(KeyWrap, KeyWrap.item_id == SealedItem.id)
        .where(SealedItem.id.in_(list(item_ids)), KeyWrap.box_key_id.in_(list(keys)))
    )
    by_key: dict[str, list[tuple[bytes, str, bytes]]] = {}
    for key_id, wrapped, item_id, ciphertext in rows:
        by_key.setdefault(key_id, []).append((wrapped, item_id, ciphertext))
    opened = {}
    for key_id, sealed in by_key.items():
        content_keys = crypto.unseal_each(keys[key_id], (wrapped for wrapped, _, _ in sealed))
        for content_key, (_, item_id, ciphertext) in zip(content_keys, sealed, strict=True):
            if content_key is None:
                raise crypto.SealError
            opened[item_id] = crypto.unpad(crypto.decrypt(content_key, ciphertext))
    return opened


def open_items_of_receipt(
    session: Session, item_ids: Iterable[str], private_key: bytes
) -> dict[str, bytes]:
    """The texts of these items that are sealed to this receipt; one query."""
    rows = session.execute(
        sa.select(SealedItem.id, SealedItem.ciphertext, SealedItem.receipt_wrap).where(
            SealedItem.id.in_(list(item_ids)), SealedItem.receipt_wrap.is_not(None)
        )
    )
    return {
        item_id: open_sealed(ciphertext, wrapped, private_key)
        for item_id, ciphertext, wrapped in rows
        if wrapped is not None
    }


def wraps_by_receipt(
    session: Session, item_ids: Iterable[str], private_key: bytes, to: BoxKey
) -> dict[str, bytes]:
    """The content keys that a receipt opens, sealed to a box's key, by item; one query.

    This is how a speaker, and only a speaker, lets somebody read what they could not before.
    """
    rows = session.execute(
        sa.select(SealedItem.id, SealedItem.receipt_wrap).where(
            SealedItem.id.in_(list(item_ids)), SealedItem.receipt_wrap.is_not(None)
        )
    )
    return {
        item_id: crypto.seal_to(to.public_key, crypto.unseal(private_key, wrap))
        for item_id, wrap in rows
        if wrap is not None
    }


def add_wraps(session: Session, box_key_id: str, wraps: Mapping[str, bytes]) -> None:
    """Let a box's key open these items too; items destroyed meanwhile are left out."""
    there = set(session.scalars(sa.select(SealedItem.id).where(SealedItem.id.in_(list(wraps)))))
    opened = set(
        session.scalars(
            sa.select(KeyWrap.item_id).where(
                KeyWrap.item_id.in_(list(wraps)), KeyWrap.box_key_id == box_key_id
            )
        )
    )
    rows = [
        {"item_id": item_id, "box_key_id": box_key_id, "wrapped": wraps[item_id]}
        for item_id in sorted(there - opened)
    ]
    if rows:
        session.execute(sa.insert(KeyWrap), rows)


def hand_over(
    session: Session, item_ids: Iterable[str], keys: Mapping[str, bytes], to: BoxKey
) -> None:
    """Give what these keys open to another box's key, and take it from the keys that gave it.

    What they don't open (a word to the supervision group) stays as it is.
    """
    rows = session.execute(
        sa.select(KeyWrap.item_id, KeyWrap.box_key_id, KeyWrap.wrapped).where(
            KeyWrap.item_id.in_(list(item_ids)), KeyWrap.box_key_id.in_(list(keys))
        )
    ).all()
    wraps = {
        item_id: crypto.seal_to(to.public_key, crypto.unseal(keys[key_id], wrapped))
        for item_id, key_id, wrapped in rows
    }
    session.execute(
        sa.delete(KeyWrap).where(
            KeyWrap.item_id.in_(list(wraps)),
            KeyWrap.box_key_id.in_(list(keys)),
            KeyWrap.box_key_id != to.id,
        )
    )
    add_wraps(session, to.id, wraps)


def burn_receipt_wraps(session: Session, item_ids: Iterable[str]) -> None:
    """Take the receipt's key off these items: the code opens them no more."""
    session.execute(
        sa.update(SealedItem).where(SealedItem.id.in_(list(item_ids))).values(receipt_wrap=None)
    )


def destroy(session: Session, item_ids: Iterable[str]) -> None:
    """Delete these items and every wrap of their keys."""
    ids = list(item_ids)
    session.execute(sa.delete(KeyWrap).where(KeyWrap.item_id.in_(ids)))
    session.execute(sa.delete(SealedItem).where(SealedItem.id.in_(ids)))


# --- box keys -----------------------------------------------------------------------------------

# Built once: building a statement takes longer than the database takes to answer.
_OF_BOX = (BoxKey.box_id == sa.bindparam("box_id")) & BoxKey.retired_on.is_(None)
_CURRENT_BOX_KEY = sa.select(BoxKey).where(_OF_BOX)


def current_box_key(session: Session, box_id: str) -> BoxKey | None:
    """The key that a box's opinions are sealed to now; None means that the box is closed."""
    return session.scalar(_CURRENT_BOX_KEY, {"box_id": box_id})


def open_boxes(session: Session, box_ids: Iterable[str]) -> frozenset[str]:
    """Those of these boxes that somebody keeps; one query."""
    return frozenset(
        session.scalars(
            sa.select(BoxKey.box_id).where(
                BoxKey.box_id.in_(list(box_ids)), BoxKey.retired_on.is_(None)
            )
        )
    )


# --- the opening key ----------------------------------------------------------------------------


def closed_boxes(
    session: Session, most: int, *, group_ids: Iterable[str] | None = None
) -> list[Branch]:
    """The units whose box is closed because nobody keeps it; `group_ids` as in `with_boxes`."""
    kept = sa.select(BoxKey.box_id).where(BoxKey.retired_on.is_(None))
    return organisation.with_boxes(session, Box.id.not_in(kept), most, group_ids=group_ids)


_LOCKED = sa.select(OpeningKey).execution_options(populate_existing=True)
_SHARED, _EXCLUSIVE = _LOCKED.with_for_update(read=True), _LOCKED.with_for_update()
_LOCK, _KEY = cast(sa.Table, OpeningKey.__table__), cast(sa.Table, BoxKey.__table__)
_FOR_DROP = (
    sa.select(*_LOCK.c, *_KEY.c)
    .select_from(_LOCK.outerjoin(_KEY, _OF_BOX))
    .with_for_update(read=True, of=_LOCK)
)


def _lock_secret(instance_secret: bytes) -> bytes:
    return crypto.hkdf(instance_secret, "opening key")


def make_opening_key(session: Session, instance_secret: bytes, today: dt.date) -> OpeningKey:
    """A fresh pair for what will lie in the boxes until the next opening."""
    private_key = crypto.new_private_key()
    key = OpeningKey(
        id=crypto.random_id(),
        public_key=crypto.public_key_of(private_key),
        sealed_private_key=crypto.encrypt(_lock_secret(instance_secret), private_key),
        made_on=today,
    )
    session.add(key)
    session.flush()
    return key


def opening_private_key(key: OpeningKey, instance_secret: bytes) -> bytes:
    """The private half; raises SealError when the instance secret isn't the one it was kept by."""
    return crypto.decrypt(_lock_secret(instance_secret), key.sealed_private_key)


def opening_key(session: Session) -> OpeningKey:
    """The present opening key, read without a lock."""
    return session.scalars(sa.select(OpeningKey)).one()


def opening_key_shared(session: Session) -> OpeningKey:
    """The present opening key, held until commit: no opening can pass in between.

    SQLite: the transaction already holds the write lock (BEGIN IMMEDIATE). PostgreSQL: a share
    lock on the row; after waiting for an opening the row is gone and the next one is read.
    """
    return _found(lambda: session.scalar(_SHARED))


def keys_for_drop(session: Session, box_id: str) -> tuple[OpeningKey, BoxKey | None]:
    """The opening key, held as by `opening_key_shared`, and the box's own; one query.

    Neither is the session's: what each drop waits for goes past the ORM.
    """
    connection = session.connection()
    row = _found(lambda: connection.execute(_FOR_DROP, {"box_id": box_id}).one_or_none())
    lock, key = row[: len(_LOCK.c)], row[len(_LOCK.c) :]
    return (
        OpeningKey(**dict(zip(_LOCK.c.keys(), lock, strict=True))),
        BoxKey(**dict(zip(_KEY.c.keys(), key, strict=True))) if key[0] else None,
    )


def opening_key_exclusive(session: Session) -> OpeningKey:
    """The present opening key for the one opening that runs; it waits for every drop in flight."""
    return _found(lambda: session.scalar(_EXCLUSIVE))


def _found(look: Callable[[], _Held | None]) -> _Held:
    for _ in range(10):  # each turn lost means that an opening committed in between
        if (found := look()) is not None:
            return found
    raise RuntimeError("no opening key: run `flask --app app init`")
