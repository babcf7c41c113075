"""The look-back of a branch, its make-up tasks, and the steps taken about what is overdue."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import Base, enum_type


class Question(StrEnum):
    """What the look-back asks of every branch."""

    BOX = "box"
    OPINIONS = "opinions"
    ANSWERS = "answers"
    STUDY = "study"
    TALKS = "talks"
    MATERIALS = "materials"
    MEETINGS = "meetings"
    APPRAISAL = "appraisal"
    BULLETIN = "bulletin"
    PROMISES = "promises"


class Judgement(StrEnum):
    """What the group found, beside the figure: done well, in part, or not."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


class Verdict(StrEnum):
    """What a branch's look-back comes to."""

    GOOD = "good"
    FAIR = "fair"
    MAKE_UP = "make_up"


class LookBack(Base):
    """A branch looked back on for a campaign; `verdict` is null until the group decided."""

    __tablename__ = "look_back"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    campaign_id: Mapped[str] = mapped_column(sa.ForeignKey("campaign.id", ondelete="RESTRICT"))
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True)
    verdict: Mapped[Verdict | None] = mapped_column(enum_type(Verdict, "verdict"))
    remark: Mapped[str] = mapped_column(sa.String(500), default="")
    decided_by: Mapped[str | None] = mapped_column(sa.String(32))
    decided_on: Mapped[dt.date | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as SQLAlchemy reads it)
    __table_args__ = (
        sa.UniqueConstraint("campaign_id", "unit_id"),
        sa.CheckConstraint(
            "(verdict IS NULL) = (decided_on IS NULL)", name="decided_with_a_verdict"
        ),
    )


class Finding(Base):
    """The group's own judgement on one question, with the figure as it stood when it was given."""

    __tablename__ = "finding"

    look_back_id: Mapped[str] = mapped_column(
        sa.ForeignKey("look_back.id", ondelete="CASCADE"), primary_key=True
    )
    question: Mapped[Question] = mapped_column(enum_type(Question, "question"), primary_key=True)
    judgement: Mapped[Judgement] = mapped_column(enum_type(Judgement, "judgement"))
    note: Mapped[str] = mapped_column(sa.String(300), default="")
    done: Mapped[int]
    due: Mapped[int | None]


class MakeUpTask(Base):
    """What a branch makes up for (补课): by when, done with evidence, seen by the group."""

    __tablename__ = "make_up_task"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    look_back_id: Mapped[str] = mapped_column(
        sa.ForeignKey("look_back.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    words: Mapped[str] = mapped_column(sa.String(300))
    due_on: Mapped[dt.date]
    done_on: Mapped[dt.date | None]
    evidence: Mapped[str] = mapped_column(sa.String(500), default="")
    closed_on: Mapped[dt.date | None]
    returns: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        sa.CheckConstraint("(done_on IS NULL) = (evidence = '')", name="done_with_evidence"),
        sa.CheckConstraint("closed_on IS NULL OR done_on IS NOT NULL", name="closed_once_done"),
    )


class Matter(StrEnum):
    """What can be overdue at a branch, or at a supervision group."""

    CASES = "cases"
    ACTIONS = "actions"
    TASKS = "tasks"
    RECOURSES = "recourses"


class Step(StrEnum):
    """Who is told, one after the other."""

    REMIND = "remind"
    GROUP = "group"
    LEADER = "leader"


class OverdueStep(Base):
    """A step that was taken about what fell due on a day: taken once, however often one looks."""

    __tablename__ = "overdue_step"

    unit_id: Mapped[str] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True
    )
    matter: Mapped[Matter] = mapped_column(enum_type(Matter, "matter"), primary_key=True)
    due_on: Mapped[dt.date] = mapped_column(primary_key=True)
    step: Mapped[Step] = mapped_column(enum_type(Step, "step"), primary_key=True)
    taken_on: Mapped[dt.date] = mapped_column(index=True)


class DailyRun(Base):
    """The day on which a daily job last ran: once, however often the worker looks."""

    __tablename__ = "daily_run"

    job: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    ran_on: Mapped[dt.date]
