"""Campaigns, stages, required actions, and the branches' records of what they did."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import Base, enum_type


class CampaignState(StrEnum):
    """Where a campaign stands: only a running one is recorded for."""

    DRAFT = "draft"
    RUNNING = "running"
    CLOSED = "closed"


class ActionKind(StrEnum):
    """The required actions that there are; a campaign chooses among them."""

    TALK_LEADERS = "talk_leaders"
    TALK_HEADS = "talk_heads"
    TALK_MEMBERS = "talk_members"
    TALK_PUBLIC = "talk_public"
    STUDY = "study"
    MATERIALS = "materials"
    OPINIONS = "opinions"
    LEADERS_MEETING = "leaders_meeting"
    BRANCH_MEETING = "branch_meeting"
    APPRAISAL = "appraisal"
    FEEDBACK = "feedback"
    BULLETIN = "bulletin"


class Basis(StrEnum):
    """Where the number due comes from.

    The roll of members (so many for each), a number for every branch, or what the branch states
    with a reason: only it knows how many leaders it has.
    """

    ROLL = "roll"
    FIXED = "fixed"
    STATED = "stated"


class Route(StrEnum):
    """How opinions were sought where no receipt was given; the rest is counted from the boxes."""

    VISIT = "visit"
    FORUM = "forum"
    QUESTIONNAIRE = "questionnaire"
    TALK = "talk"


class Campaign(Base):
    """A campaign of the county. `version` rises with every change: nobody starts what they
    haven't seen."""

    __tablename__ = "campaign"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    name: Mapped[str] = mapped_column(sa.String(80))
    starts_on: Mapped[dt.date]
    ends_on: Mapped[dt.date]
    state: Mapped[CampaignState] = mapped_column(
        enum_type(CampaignState, "state"), default=CampaignState.DRAFT
    )
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as SQLAlchemy reads it)
    __table_args__ = (sa.CheckConstraint("ends_on >= starts_on", name="ends_after_it_starts"),)


class Stage(Base):
    """A part of a campaign; what belongs to it is overdue once the working day `due_on` is over."""

    __tablename__ = "stage"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    campaign_id: Mapped[str] = mapped_column(sa.ForeignKey("campaign.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(60))
    due_on: Mapped[dt.date]

    __table_args__ = (sa.UniqueConstraint("campaign_id", "position"),)


class RequiredAction(Base):
    """What every branch has to do in a stage: `amount` for each member, or for each branch.

    Of study the amount is hours for each member, and the number due is members.
    """

    __tablename__ = "required_action"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    campaign_id: Mapped[str] = mapped_column(sa.ForeignKey("campaign.id", ondelete="CASCADE"))
    stage_id: Mapped[str] = mapped_column(sa.ForeignKey("stage.id", ondelete="CASCADE"), index=True)
    kind: Mapped[ActionKind] = mapped_column(enum_type(ActionKind, "kind"))
    basis: Mapped[Basis] = mapped_column(enum_type(Basis, "basis"))
    amount: Mapped[int]

    __table_args__ = (
        sa.UniqueConstraint("campaign_id", "kind"),
        sa.CheckConstraint("amount > 0", name="something_is_due"),
    )


class Record(Base):
    """So much was done on a day. Of study `amount` is minutes; who was there is `Attendance`.

    `evidence` names the paper that shows it (the sheet of signatures, the minutes). A record is
    never deleted: a mistaken one is corrected to nothing, and the change stays to be read.
    """

    __tablename__ = "action_record"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    action_id: Mapped[str] = mapped_column(sa.ForeignKey("required_action.id", ondelete="RESTRICT"))
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"))
    amount: Mapped[int]
    route: Mapped[Route | None] = mapped_column(enum_type(Route, "route"))
    happened_on: Mapped[dt.date]
    evidence: Mapped[str] = mapped_column(sa.String(300), default="")
    recorded_by: Mapped[str] = mapped_column(sa.String(32))
    recorded_at: Mapped[dt.datetime]

    __table_args__ = (
        sa.Index("ix_action_record_branch", "unit_id", "action_id"),
        sa.Index("ix_action_record_action", "action_id"),
        sa.CheckConstraint("amount >= 0", name="amount_not_negative"),
    )


class Attendance(Base):
    """A member was there: study is counted for each member, not by an average."""

    __tablename__ = "attendance"

    record_id: Mapped[str] = mapped_column(
        sa.ForeignKey("action_record.id", ondelete="CASCADE"), primary_key=True
    )
    member_id: Mapped[str] = mapped_column(
        sa.ForeignKey("member.id", ondelete="RESTRICT"), primary_key=True, index=True
    )


class Due(Base):
    """A number due that was set by hand for one branch, with the reason why."""

    __tablename__ = "action_due"

    action_id: Mapped[str] = mapped_column(
        sa.ForeignKey("required_action.id", ondelete="RESTRICT"), primary_key=True
    )
    unit_id: Mapped[str] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    due: Mapped[int]
    reason: Mapped[str] = mapped_column(sa.String(200))

    __table_args__ = (sa.CheckConstraint("due >= 0", name="due_not_negative"),)


class Change(Base):
    """What was corrected: who, when, before, after, why. `record_id` is null for a number due."""

    __tablename__ = "action_change"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    action_id: Mapped[str] = mapped_column(sa.ForeignKey("required_action.id", ondelete="RESTRICT"))
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"))
    record_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("action_record.id", ondelete="RESTRICT"), index=True
    )
    staff_id: Mapped[str] = mapped_column(sa.String(32))
    changed_at: Mapped[dt.datetime]
    before: Mapped[str] = mapped_column(sa.String(400))
    after: Mapped[str] = mapped_column(sa.String(400))
    reason: Mapped[str] = mapped_column(sa.String(200))

    __table_args__ = (sa.Index("ix_action_change_branch", "unit_id", "action_id"),)


class BranchProgress(Base):
    """How many of a campaign's actions a branch has begun and met: what the board is sorted by.

    A copy of what `progress.standings` says, written with every record and once a day, since a
    hundred thousand branches can't be counted anew for each page. Pages show the count itself.
    """

    __tablename__ = "branch_progress"

    campaign_id: Mapped[str] = mapped_column(
        sa.ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    unit_id: Mapped[str] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    begun: Mapped[int]
    met: Mapped[int]
    required: Mapped[int]
    late: Mapped[int]
    counted_on: Mapped[dt.date]
