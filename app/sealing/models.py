"""Box keys, the opening key, sealed items and the wraps of their content keys."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import UNORDERED, Base


class BoxKey(Base):
    """A box's key pair, public half; the private half is held by keepers alone.

    `retired_on` is set when a newer pair takes over: nothing new is sealed to it, what was sealed
    stays readable.
    """

    __tablename__ = "box_key"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    box_id: Mapped[str] = mapped_column(sa.ForeignKey("box.id", ondelete="RESTRICT"), index=True)
    public_key: Mapped[bytes]
    created_on: Mapped[dt.date]
    retired_on: Mapped[dt.date | None]

    __table_args__ = (
        sa.Index(
            "uq_box_key_current",
            "box_id",
            unique=True,
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        ),
    )


class OpeningKey(Base):
    """The lock of all boxes: what lies in them is wrapped to it until the next opening.

    One row at a time: an opening makes the next pair and deletes this one. The private half is
    kept under a key of the instance secret, outside the database.
    """

    __tablename__ = "opening_key"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    public_key: Mapped[bytes]
    sealed_private_key: Mapped[bytes]
    made_on: Mapped[dt.date]


class SealedItem(Base):
    """One text, padded to a size class and encrypted once under a random content key.

    `receipt_wrap` is that content key sealed to the receipt: absent on drafts and comments, and
    after the receipt was burnt.
    """

    __tablename__ = "sealed_item"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    ciphertext: Mapped[bytes]
    receipt_wrap: Mapped[bytes | None]

    __table_args__ = (UNORDERED,)


class LyingPiece(Base):
    """A piece of what is enclosed with an opinion that lies in a shut box: 256 KiB, like any other.

    Which opinion it belongs to stands in that opinion's own wrapped row, under the opening key.
    """

    __tablename__ = "lying_piece"

    pool_id: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    wrapped: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class AttachmentPiece(Base):
    """The same once the box was opened: under an id that the sealed words alone give."""

    __tablename__ = "attachment_piece"

    id: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    ciphertext: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class KeyWrap(Base):
    """A sealed item's content key, sealed to a box key."""

    __tablename__ = "key_wrap"

    item_id: Mapped[str] = mapped_column(
        sa.ForeignKey("sealed_item.id", ondelete="CASCADE"), primary_key=True
    )
    box_key_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box_key.id", ondelete="RESTRICT"), primary_key=True
    )
    wrapped: Mapped[bytes]

    __table_args__ = (UNORDERED,)
