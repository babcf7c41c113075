"""Bulletins and the promises that stand in them."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import Base, enum_type


class Audience(StrEnum):
    """Whom a bulletin is for: a branch's members, a whole unit's, or everybody."""

    BRANCH = "branch"
    UNIT = "unit"
    PUBLIC = "public"


class BulletinState(StrEnum):
    """Where a bulletin stands."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class PromiseRating(StrEnum):
    """What the supervision group says of a promise that was called done."""

    SATISFIED = "satisfied"
    BASICALLY = "basically"
    DISSATISFIED = "dissatisfied"


class Bulletin(Base):
    """A notice of results in its three required parts, each Markdown.

    `meeting`: how the meeting went; `problems`: problems admitted and the plan to put them right;
    `result`: the committee's result. `drafted_by` wrote last, so somebody else publishes. A
    withdrawn one keeps its page, which gives the reason in place of the text. `version` rises with
    every change: nobody publishes what they haven't seen.
    """

    __tablename__ = "bulletin"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"))
    audience: Mapped[Audience] = mapped_column(enum_type(Audience, "audience"))
    state: Mapped[BulletinState] = mapped_column(
        enum_type(BulletinState, "state"), default=BulletinState.DRAFT
    )
    title: Mapped[str] = mapped_column(sa.String(120))
    meeting: Mapped[str] = mapped_column(sa.Text, default="")
    problems: Mapped[str] = mapped_column(sa.Text, default="")
    result: Mapped[str] = mapped_column(sa.Text, default="")
    drafted_by: Mapped[str] = mapped_column(sa.String(32))
    drafted_on: Mapped[dt.date]
    published_by: Mapped[str | None] = mapped_column(sa.String(32))
    published_on: Mapped[dt.date | None]
    withdrawn_on: Mapped[dt.date | None]
    withdrawn_because: Mapped[str] = mapped_column(sa.String(500), default="")
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as SQLAlchemy reads it)
    __table_args__ = (
        sa.Index("ix_bulletin_published", "audience", "published_on", "id"),
        sa.Index("ix_bulletin_unit", "unit_id", "published_on", "id"),
        sa.CheckConstraint(
            "published_by IS NULL OR published_by <> drafted_by", name="second_eyes"
        ),
        sa.CheckConstraint(
            "(state = 'draft') = (published_on IS NULL) AND"
            " (state = 'withdrawn') = (withdrawn_on IS NOT NULL)",
            name="dated_as_it_stands",
        ),
    )


class Promise(Base):
    """What a bulletin promises to put right: who, by when, done or not, and how one can see it.

    `done_on` with `evidence` says that it was done; the supervision group rates that, and a
    promise rated dissatisfied is open again with a new day (`reopenings`).
    """

    __tablename__ = "promise"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    bulletin_id: Mapped[str] = mapped_column(
        sa.ForeignKey("bulletin.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    words: Mapped[str] = mapped_column(sa.String(300))
    owner: Mapped[str] = mapped_column(sa.String(60), default="")
    due_on: Mapped[dt.date]
    done_on: Mapped[dt.date | None]
    evidence: Mapped[str] = mapped_column(sa.String(1000), default="")
    rating: Mapped[PromiseRating | None] = mapped_column(enum_type(PromiseRating, "rating"))
    rated_on: Mapped[dt.date | None]
    reopenings: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        sa.CheckConstraint("(done_on IS NULL) = (evidence = '')", name="done_with_evidence"),
        sa.CheckConstraint("(rating IS NULL) = (rated_on IS NULL)", name="rated_on_a_day"),
    )
