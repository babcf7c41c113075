"""Occasions on which a branch appraises its members, each member's appraisal, links, plans.

In clear: whose it is, where it stands, dates. Every word is a sealed item under the branch's key.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.appraisals.workflow import State
from app.crypto import random_id
from app.db import Base, enum_type


class Channel(StrEnum):
    """How something passed between committee and member."""

    LINK = "link"
    PAPER = "paper"


class Purpose(StrEnum):
    """What a link is good for; never for anything else."""

    SELF = "self"
    FEEDBACK = "feedback"


class TextKind(StrEnum):
    """What a sealed text of an appraisal is.

    A self draft opens by the member's link alone; self-appraisal, feedback and reply by the link
    and the branch's key; what the committee writes and notes, by the branch's key alone.
    """

    SELF_DRAFT = "self_draft"
    SELF = "self"
    WRITTEN = "written"
    FEEDBACK = "feedback"
    REPLY = "reply"
    ORAL = "oral"


class Occasion(Base):
    """An occasion on which a branch appraises its members, as "the meeting of 2026".

    `questions`: what self-appraisals answer, one a line; empty for the nine of the template. They
    never change once members may have begun to answer them.
    """

    __tablename__ = "appraisal_occasion"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    box_id: Mapped[str] = mapped_column(sa.ForeignKey("box.id", ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(sa.String(60))
    questions: Mapped[str] = mapped_column(sa.Text, default="")
    begun_on: Mapped[dt.date]

    __table_args__ = (
        sa.UniqueConstraint("box_id", "name"),
        sa.Index("ix_appraisal_occasion_begun", "box_id", "begun_on", "id"),
    )


class Appraisal(Base):
    """One member's appraisal on one occasion: where it stands and since when; no word of it.

    `written_by` drafted last: where the box's policy asks for it, somebody else finishes. `gone_on`
    is the day on which the member was found to have left the branch. `version` rises with every
    change, so that nobody overwrites what they haven't seen.
    """

    __tablename__ = "appraisal"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    occasion_id: Mapped[str] = mapped_column(
        sa.ForeignKey("appraisal_occasion.id", ondelete="RESTRICT")
    )
    member_id: Mapped[str] = mapped_column(
        sa.ForeignKey("member.id", ondelete="RESTRICT"), index=True
    )
    state: Mapped[State] = mapped_column(enum_type(State, "state"), default=State.OPEN)
    handed_on: Mapped[dt.date | None]
    handed_by: Mapped[Channel | None] = mapped_column(enum_type(Channel, "handed_by"))
    written_by: Mapped[str | None] = mapped_column(sa.String(32))
    written_on: Mapped[dt.date | None]
    finished_on: Mapped[dt.date | None]
    delivered_on: Mapped[dt.date | None]
    delivered_by: Mapped[Channel | None] = mapped_column(enum_type(Channel, "delivered_by"))
    acknowledged_on: Mapped[dt.date | None]
    acknowledged_by: Mapped[Channel | None] = mapped_column(enum_type(Channel, "acknowledged_by"))
    replied_on: Mapped[dt.date | None]
    gone_on: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as SQLAlchemy reads it)
    __table_args__ = (
        sa.UniqueConstraint("occasion_id", "member_id"),
        sa.CheckConstraint(
            "(handed_on IS NULL) = (handed_by IS NULL) AND"
            " (delivered_on IS NULL) = (delivered_by IS NULL) AND"
            " (acknowledged_on IS NULL) = (acknowledged_by IS NULL)",
            name="each_day_with_its_channel",
        ),
        sa.CheckConstraint(
            "(state NOT IN ('delivered', 'acknowledged') OR delivered_on IS NOT NULL) AND"
            " (state <> 'acknowledged' OR acknowledged_on IS NOT NULL)",
            name="dated_as_it_stands",
        ),
    )


class AppraisalText(Base):
    """A sealed item's place in an appraisal.

    `link_id`: the link whose key opens it beside the branch's; a plain value, it outlives the link.
    """

    __tablename__ = "appraisal_text"

    item_id: Mapped[str] = mapped_column(
        sa.ForeignKey("sealed_item.id", ondelete="CASCADE"), primary_key=True
    )
    appraisal_id: Mapped[str] = mapped_column(
        sa.ForeignKey("appraisal.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[TextKind] = mapped_column(enum_type(TextKind, "kind"))
    channel: Mapped[Channel | None] = mapped_column(enum_type(Channel, "channel"))
    link_id: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    written_on: Mapped[dt.date]
    acknowledged_on: Mapped[dt.date | None]


class MemberLink(Base):
    """A private link that is out; revoking it deletes the row and what only it could open.

    The link's secret is stored nowhere. `id` is derived from it, `public_key` too: texts for the
    member are sealed to that key. Threat: whoever reads this table can neither make the link nor
    open what it opens.
    """

    __tablename__ = "member_link"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    appraisal_id: Mapped[str] = mapped_column(sa.ForeignKey("appraisal.id", ondelete="CASCADE"))
    purpose: Mapped[Purpose] = mapped_column(enum_type(Purpose, "purpose"))
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    issued_by: Mapped[str] = mapped_column(sa.String(32))
    expires_at: Mapped[dt.datetime]

    __table_args__ = (sa.UniqueConstraint("appraisal_id", "purpose"),)


class PlanItem(Base):
    """What one member is to put right: days in clear, what and by whom sealed (`item_id`).

    `done_on` with a sealed `evidence_id` says that it was done; asked again on a later occasion it
    is `kept`, or open once more with a new day (`reopenings`). `asked_again_round_id`: the later
    round of ballots on this member that the look relies on.
    """

    __tablename__ = "appraisal_plan_item"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    appraisal_id: Mapped[str] = mapped_column(
        sa.ForeignKey("appraisal.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    item_id: Mapped[str] = mapped_column(
        sa.ForeignKey("sealed_item.id", ondelete="CASCADE"), unique=True
    )
    due_on: Mapped[dt.date]
    done_on: Mapped[dt.date | None]
    evidence_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("sealed_item.id", ondelete="CASCADE"), unique=True
    )
    asked_again_on: Mapped[dt.date | None]
    asked_again_round_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("round.id", ondelete="SET NULL"), index=True
    )
    kept: Mapped[bool | None]
    reopenings: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        sa.CheckConstraint("(done_on IS NULL) = (evidence_id IS NULL)", name="done_with_evidence"),
        sa.CheckConstraint("(kept IS NULL) = (asked_again_on IS NULL)", name="kept_as_asked_again"),
    )
