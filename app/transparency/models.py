"""Leaves that wait for the daily run to append them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UNORDERED, Base


class PendingLeaf(Base):
    """A leaf on its way into the log; kept by its hash, so that its place tells no order."""

    __tablename__ = "pending_leaf"

    leaf_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    leaf: Mapped[bytes]

    __table_args__ = (UNORDERED,)
