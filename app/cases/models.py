"""Cases, their events, their threads, their published answers."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.cases.terms import OPEN_STATES
from app.cases.workflow import Move, State
from app.crypto import random_id
from app.db import UNORDERED, Base, enum_type


class Channel(StrEnum):
    """How an opinion came; ratings of codes that staff saw are counted apart."""

    WEB = "web"
    PAPER = "paper"
    PHONE = "phone"
    MEETING = "meeting"


class DeclineReason(StrEnum):
    """The short list of reasons for which an opinion may be declined."""

    NOT_OURS = "not_ours"
    NO_FACTS = "no_facts"
    ALREADY_ANSWERED = "already_answered"
    PERSONAL_DISPUTE = "personal_dispute"
    OTHER_DOOR = "other_door"
    ABUSIVE = "abusive"


class Rating(StrEnum):
    """What the speaker says of the answer."""

    SATISFIED = "satisfied"
    BASICALLY = "basically"
    DISSATISFIED = "dissatisfied"


class Author(StrEnum):
    """Who wrote an item of a thread: no name is kept with it."""

    SPEAKER = "speaker"
    DESK = "desk"
    GROUP = "group"


class ItemKind(StrEnum):
    """What an item of a thread is; drafts and comments are never sealed to the receipt."""

    OPINION = "opinion"
    MESSAGE = "message"
    DRAFT = "draft"
    ANSWER = "answer"
    DECLINE = "decline"
    CONSENT = "consent"
    RATING = "rating"
    QUESTION = "question"
    REFERRAL = "referral"
    APPEAL = "appeal"
    RULING = "ruling"
    BLAMED = "blamed"


class RecourseKind(StrEnum):
    """What a speaker takes past the branch to the supervision group."""

    APPEAL = "appeal"
    BLAMED = "blamed"


class RecourseGround(StrEnum):
    """What a recourse turned on, as the group saw it; the first half of appeals, the rest of
    "I was blamed"."""

    OFF_THE_POINT = "off_the_point"
    FACTS = "facts"
    REASON = "reason"
    NOT_DONE = "not_done"
    DELAY = "delay"
    NAMED = "named"
    TRACED = "traced"
    PRESSED = "pressed"
    PENALISED = "penalised"
    OTHER = "other"


class RecourseOutcome(StrEnum):
    """How a recourse ended: an appeal upheld or overturned, a blaming confirmed or not found."""

    UPHELD = "upheld"
    OVERTURNED = "overturned"
    CONFIRMED = "confirmed"
    NOT_FOUND = "not_found"


class RemovalGround(StrEnum):
    """The grounds on which the law lets an opinion be removed; its hash goes into the log."""

    COURT_ORDER = "court_order"
    STATE_SECRET = "state_secret"  # noqa: S105 (a ground, no password)
    THIRD_PERSON = "third_person"
    UNLAWFUL = "unlawful"


_OPEN = sa.text("state IN ({})".format(", ".join(f"'{state}'" for state in OPEN_STATES)))


class Case(Base):
    """An opened opinion.

    In clear: box, opening date, state, dates and reasons of decisions, rating, commitment and the
    receipt's public key. Everything else is in sealed items. `lookup_id` and `receipt_key` are
    null once the receipt was burnt. `clock_on` is the date from which the present term counts,
    `due_on` is computed from it and never stored. `sealed_locator` (under the instance secret,
    the same size with pictures and without) tells where its attachments are. A case that is merged
    follows `merged_into`'s state and answers, never its words. `version` rises with every change:
    the second of two keepers on one case is told.
    """

    __tablename__ = "case"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    box_id: Mapped[str] = mapped_column(sa.ForeignKey("box.id", ondelete="RESTRICT"))
    state: Mapped[State] = mapped_column(enum_type(State, "state"))
    state_before: Mapped[State | None] = mapped_column(enum_type(State, "state_before"))
    opened_on: Mapped[dt.date]
    clock_on: Mapped[dt.date]
    state_on: Mapped[dt.date]
    channel: Mapped[Channel] = mapped_column(enum_type(Channel, "channel"))
    lookup_id: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32), unique=True)
    receipt_key: Mapped[bytes | None]
    commitment: Mapped[bytes]
    sealed_locator: Mapped[bytes | None]
    decline_reason: Mapped[DeclineReason | None] = mapped_column(
        enum_type(DeclineReason, "decline_reason")
    )
    rating: Mapped[Rating | None] = mapped_column(enum_type(Rating, "rating"))
    reopenings: Mapped[int] = mapped_column(default=0)
    appeals: Mapped[int] = mapped_column(default=0)
    referrals: Mapped[int] = mapped_column(default=0)
    merged_into: Mapped[str | None] = mapped_column(
        sa.ForeignKey("case.id", ondelete="RESTRICT"), index=True
    )
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as SQLAlchemy reads it)
    __table_args__ = (
        sa.Index("ix_case_queue", "box_id", "clock_on", "id"),
        # What is open is found among all that was ever closed without reading that.
        sa.Index("ix_case_state", "box_id", "state", "clock_on", "id"),
        # The few that are open, with all that tells whether they are late: the board counts these.
        sa.Index(
            "ix_case_open",
            "box_id",
            "state",
            "clock_on",
            "reopenings",
            "appeals",
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        # The few that were referred: what speakers left behind is looked for among these alone.
        sa.Index(
            "ix_case_referred",
            "id",
            sqlite_where=sa.text("referrals > 0"),
            postgresql_where=sa.text("referrals > 0"),
        ),
        sa.CheckConstraint(
            "(lookup_id IS NULL) = (receipt_key IS NULL)", name="receipt_whole_or_burnt"
        ),
        UNORDERED,
    )


class CaseEvent(Base):
    """A move of a case: what the log and the figures are computed from. A date, never an hour."""

    __tablename__ = "case_event"

    case_id: Mapped[str] = mapped_column(
        sa.ForeignKey("case.id", ondelete="RESTRICT"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    move: Mapped[Move] = mapped_column(enum_type(Move, "move"))
    from_state: Mapped[State] = mapped_column(enum_type(State, "from_state"))
    to_state: Mapped[State] = mapped_column(enum_type(State, "to_state"))
    moved_on: Mapped[dt.date]

    __table_args__ = (UNORDERED,)


class CaseTally(Base):
    """How many cases opened on a day a box holds, and how many of these were ever answered.

    Always what a fresh count of the cases and their events would say (`tallies.py`).
    """

    __tablename__ = "case_tally"

    box_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box.id", ondelete="RESTRICT"), primary_key=True
    )
    opened_on: Mapped[dt.date] = mapped_column(primary_key=True)
    received: Mapped[int]
    answered: Mapped[int]

    __table_args__ = (
        sa.CheckConstraint("answered >= 0 AND answered <= received", name="answered_of_received"),
        UNORDERED,
    )


class QuarterTally(Base):
    """How often a box's cases were answered, or rated, in a quarter.

    `seen`: under codes that a member of staff had seen. Always what a fresh count of the events
    would say; a rating's event is written at an opening, and so is this.
    """

    __tablename__ = "quarter_tally"

    quarter: Mapped[str] = mapped_column(sa.String(6), primary_key=True)
    box_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box.id", ondelete="RESTRICT"), primary_key=True
    )
    move: Mapped[Move] = mapped_column(enum_type(Move, "move"), primary_key=True)
    seen: Mapped[bool] = mapped_column(primary_key=True)
    number: Mapped[int]

    __table_args__ = (
        sa.CheckConstraint("number >= 0", name="number_not_negative"),
        UNORDERED,
    )


class ThreadItem(Base):
    """A sealed item's place in a case's thread."""

    __tablename__ = "thread_item"

    case_id: Mapped[str] = mapped_column(
        sa.ForeignKey("case.id", ondelete="RESTRICT"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_id: Mapped[str] = mapped_column(
        sa.ForeignKey("sealed_item.id", ondelete="CASCADE"), unique=True
    )
    kind: Mapped[ItemKind] = mapped_column(enum_type(ItemKind, "kind"))
    author: Mapped[Author] = mapped_column(enum_type(Author, "author"))
    written_on: Mapped[dt.date]

    __table_args__ = (UNORDERED,)


class Answer(Base):
    """A published answer: in clear because it is public. `summary` is the committee's paraphrase,
    or the speaker's words where the speaker allowed them."""

    __tablename__ = "answer"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    case_id: Mapped[str] = mapped_column(sa.ForeignKey("case.id", ondelete="RESTRICT"))
    box_id: Mapped[str] = mapped_column(sa.ForeignKey("box.id", ondelete="RESTRICT"))
    published_on: Mapped[dt.date]
    summary: Mapped[str] = mapped_column(sa.Text)
    answer: Mapped[str] = mapped_column(sa.Text)

    __table_args__ = (
        sa.Index("ix_answer_published", "published_on", "id"),
        sa.Index("ix_answer_box", "box_id", "published_on", "id"),
        sa.Index("ix_answer_case", "case_id"),
        UNORDERED,
    )


class Recourse(Base):
    """An appeal, or "I was blamed for this", in the hands of a supervision group.

    The branch sees the state `appealed`; of "blamed" it sees nothing. Words are sealed items of
    the case's thread under the group's key.
    """

    __tablename__ = "recourse"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    case_id: Mapped[str] = mapped_column(sa.ForeignKey("case.id", ondelete="RESTRICT"), index=True)
    group_box_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box.id", ondelete="RESTRICT"), index=True
    )
    kind: Mapped[RecourseKind] = mapped_column(enum_type(RecourseKind, "kind"))
    raised_on: Mapped[dt.date]
    decided_on: Mapped[dt.date | None]

    __table_args__ = (UNORDERED,)


class Precedent(Base):
    """How a recourse was decided, for the groups to decide alike: ground, outcome, and the point
    in the group's own words (`gist`, may be empty).

    Threat: a list of decisions that leads back to a speaker. It names no case, no branch and no
    day, and a gist that repeats a speaker's words is refused.
    """

    __tablename__ = "precedent"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    kind: Mapped[RecourseKind] = mapped_column(enum_type(RecourseKind, "kind"))
    ground: Mapped[RecourseGround] = mapped_column(enum_type(RecourseGround, "ground"))
    outcome: Mapped[RecourseOutcome] = mapped_column(enum_type(RecourseOutcome, "outcome"))
    gist: Mapped[str] = mapped_column(sa.String(300))
    quarter: Mapped[str] = mapped_column(sa.String(6))

    __table_args__ = (sa.Index("ix_precedent_quarter", "quarter", "id"), UNORDERED)


class Removal(Base):
    """A lawful removal: asked for, then carried out by another person of the county office."""

    __tablename__ = "removal"

    case_id: Mapped[str] = mapped_column(
        sa.ForeignKey("case.id", ondelete="RESTRICT"), primary_key=True
    )
    ground: Mapped[RemovalGround] = mapped_column(enum_type(RemovalGround, "ground"))
    asked_by: Mapped[str] = mapped_column(sa.String(32))
    asked_on: Mapped[dt.date]
    removed_by: Mapped[str | None] = mapped_column(sa.String(32))
    removed_on: Mapped[dt.date | None]

    __table_args__ = (
        sa.CheckConstraint("removed_by IS NULL OR removed_by <> asked_by", name="two_persons"),
        UNORDERED,
    )


class Phrase(Base):
    """A turn of phrase that a box's keepers use often; never a whole answer."""

    __tablename__ = "phrase"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    box_id: Mapped[str] = mapped_column(sa.ForeignKey("box.id", ondelete="RESTRICT"), index=True)
    words: Mapped[str] = mapped_column(sa.String(200))
