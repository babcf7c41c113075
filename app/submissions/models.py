"""What lies in the boxes, and the tally of who speaks."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import UNORDERED, Base, enum_type


class SpeakerGroup(StrEnum):
    """Who speaks, for coverage only: counted per unit and quarter, never kept with the opinion."""

    MEMBER = "member"
    CADRE = "cadre"
    PUBLIC = "public"
    RETIRED = "retired"
    UNSAID = "unsaid"


class LyingItem(Base):
    """Something in a shut box: a place that only the receipt knows, and 24 KiB of ciphertext.

    Which box, which kind and which case are inside: rows can't be told apart.
    """

    __tablename__ = "lying_item"

    pool_id: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    wrapped: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class SpeakerTally(Base):
    """How many of a group spoke to a unit in a quarter."""

    __tablename__ = "speaker_tally"

    unit_id: Mapped[str] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True
    )
    quarter: Mapped[str] = mapped_column(sa.String(6), primary_key=True)
    speaker: Mapped[SpeakerGroup] = mapped_column(
        enum_type(SpeakerGroup, "speaker"), primary_key=True
    )
    count: Mapped[int] = mapped_column(sa.CheckConstraint("count >= 0", name="count_not_negative"))

    __table_args__ = (UNORDERED,)
