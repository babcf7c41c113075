"""The log's leaves, stored hashes and signed heads, and the leaves that wait for the daily run.

Nothing here has a time finer than a day, and a leaf's position tells its run and its hash alone.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UNORDERED, Base


class PendingLeaf(Base):
    """A leaf on its way into the log; kept by its hash, so that its place tells no order."""

    __tablename__ = "pending_leaf"

    leaf_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    leaf: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class LogLeaf(Base):
    """A leaf of the log at its position for ever; a leaf stands in the log once."""

    __tablename__ = "log_leaf"

    position: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    leaf_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    leaf: Mapped[bytes] = mapped_column(index=True)

    __table_args__ = (UNORDERED,)


class LogNode(Base):
    """The hash of a complete subtree, at `merkle.Node.place`; leaves have theirs in `log_leaf`."""

    __tablename__ = "log_node"

    place: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    node_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32))

    __table_args__ = (UNORDERED,)


class LogHead(Base):
    """A signed head: `note` is the checkpoint as the county signed it, served to the letter.

    Every day has one, an empty day too. The counts are those of `leaves.Counts` up to this size.
    """

    __tablename__ = "log_head"

    size: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    made_on: Mapped[dt.date] = mapped_column(primary_key=True)
    root: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    note: Mapped[str] = mapped_column(sa.Text)
    drops: Mapped[int] = mapped_column(sa.BigInteger)
    answered: Mapped[int] = mapped_column(sa.BigInteger)
    declined: Mapped[int] = mapped_column(sa.BigInteger)
    removed: Mapped[int] = mapped_column(sa.BigInteger)
    other: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (UNORDERED,)


class LogCosignature(Base):
    """A supervision group's signature line under the head of this size."""

    __tablename__ = "log_cosignature"

    size: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    key_name: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    line: Mapped[str] = mapped_column(sa.Text)

    __table_args__ = (UNORDERED,)
