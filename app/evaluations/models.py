"""Rounds, what they ask about and whom, slips as hashes, ballots sealed and counted.

In a voter's tables there is no time finer than a day, no row number, and nothing that says who.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import UNORDERED, Base, enum_type
from app.evaluations.counting import Scale
from app.evaluations.rounds import State


class SubjectKind(StrEnum):
    """What a grade is asked for."""

    BRANCH = "branch"
    COMMITTEE = "committee"
    MEMBER = "member"
    STAGE = "stage"


class VoidReason(StrEnum):
    """Why a round came to nothing: what the count found, or what people decided before it."""

    QUORUM = "quorum"
    STUFFED = "stuffed"
    MISSING = "missing"
    ALTERED = "altered"
    DECIDED = "decided"


class Round(Base):
    """One evaluation of a unit.

    `salt` goes into the hashes of its slips; rounds drafted in one quarter share one, so that a
    slip is stretched once to be found among all of them. `public_key` is what ballots are sealed
    to; of its private half each pair of scrutineers holds two halves, until the count destroys
    them. `capped`: one ballot may call a third of the members excellent. `comments_box_id` names
    the box whose keepers read the comments after the count; without one, none are asked for.
    `names_public`: members' grades are published too. `counted_by` and `confirmed_by` are two
    people. `spoilt` ballots were in the urn and couldn't be read.
    """

    __tablename__ = "round"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"))
    title: Mapped[str] = mapped_column(sa.String(120))
    scale: Mapped[Scale] = mapped_column(enum_type(Scale, "scale"))
    capped: Mapped[bool] = mapped_column(default=False)
    names_public: Mapped[bool] = mapped_column(default=False)
    comments_box_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("box.id", ondelete="RESTRICT")
    )
    state: Mapped[State] = mapped_column(enum_type(State, "state"), default=State.DRAFT)
    salt: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    public_key: Mapped[bytes | None] = mapped_column(sa.LargeBinary(32))
    closes_on: Mapped[dt.date]
    drafted_by: Mapped[str] = mapped_column(sa.String(32))
    drafted_on: Mapped[dt.date]
    opened_on: Mapped[dt.date | None]
    closed_on: Mapped[dt.date | None]
    counted_by: Mapped[str | None] = mapped_column(sa.String(32))
    counted_on: Mapped[dt.date | None]
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(32))
    confirmed_on: Mapped[dt.date | None]
    published_on: Mapped[dt.date | None]
    void_reason: Mapped[VoidReason | None] = mapped_column(enum_type(VoidReason, "void_reason"))
    void_words: Mapped[str] = mapped_column(sa.String(300), default="")
    voided_on: Mapped[dt.date | None]
    spoilt: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as SQLAlchemy reads it)
    __table_args__ = (
        sa.Index("ix_round_unit", "unit_id", "drafted_on", "id"),
        sa.Index("ix_round_published", "state", "published_on", "id"),
        sa.CheckConstraint("confirmed_by <> counted_by", name="second_count"),
        sa.CheckConstraint(
            "(state = 'void') = (void_reason IS NOT NULL)", name="void_for_a_reason"
        ),
    )


class Subject(Base):
    """What a round asks about: its name as it was when the slips were drawn.

    `verdict` is the committee's own words on it, published beside or in place of figures.
    """

    __tablename__ = "subject"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    round_id: Mapped[str] = mapped_column(sa.ForeignKey("round.id", ondelete="CASCADE"))
    position: Mapped[int]
    kind: Mapped[SubjectKind] = mapped_column(enum_type(SubjectKind, "kind"))
    name: Mapped[str] = mapped_column(sa.String(120))
    member_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("member.id", ondelete="RESTRICT"), index=True
    )
    verdict: Mapped[str] = mapped_column(sa.String(300), default="")

    __table_args__ = (
        sa.UniqueConstraint("round_id", "position"),
        sa.CheckConstraint("(kind = 'member') = (member_id IS NOT NULL)", name="member_is_known"),
    )


class VoterGroup(Base):
    """Voters who are counted together, with slips of their own; the numbers come with the count."""

    __tablename__ = "voter_group"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    round_id: Mapped[str] = mapped_column(sa.ForeignKey("round.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(40))
    returned: Mapped[int] = mapped_column(default=0)
    papers: Mapped[int] = mapped_column(default=0)

    __table_args__ = (sa.UniqueConstraint("round_id", "position"),)


class Scrutineer(Base):
    """Somebody named to open the urn, by the personal pair that they had then."""

    __tablename__ = "scrutineer"

    round_id: Mapped[str] = mapped_column(
        sa.ForeignKey("round.id", ondelete="CASCADE"), primary_key=True
    )
    staff_id: Mapped[str] = mapped_column(
        sa.ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class KeyHalf(Base):
    """One half of a round's private key, sealed to its holder; the partner has the other.

    Each pair of scrutineers has halves of its own. `handed` is the partner's half, sealed to the
    holder, once the partner has closed the round: from then on the holder can open the urn.
    """

    __tablename__ = "key_half"

    round_id: Mapped[str] = mapped_column(
        sa.ForeignKey("round.id", ondelete="CASCADE"), primary_key=True
    )
    holder_id: Mapped[str] = mapped_column(
        sa.ForeignKey("personal_key.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    partner_id: Mapped[str] = mapped_column(
        sa.ForeignKey("personal_key.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    sealed_half: Mapped[bytes]
    handed: Mapped[bytes | None]


class SlipBatch(Base):
    """Slips of one group, as they were announced: how many, and the root over their hashes.

    `at_desk`: the server made them and saw their codes for an instant.
    """

    __tablename__ = "slip_batch"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    round_id: Mapped[str] = mapped_column(sa.ForeignKey("round.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[str] = mapped_column(
        sa.ForeignKey("voter_group.id", ondelete="RESTRICT"), index=True
    )
    count: Mapped[int]
    root: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    at_desk: Mapped[bool] = mapped_column(default=False)
    added_on: Mapped[dt.date]

    __table_args__ = (sa.CheckConstraint("count > 0", name="not_empty"),)


class SlipHash(Base):
    """A slip that was not used: a vote takes the row away. A voided one stays, and says so."""

    __tablename__ = "slip_hash"

    slip_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    batch_id: Mapped[str] = mapped_column(sa.ForeignKey("slip_batch.id", ondelete="CASCADE"))
    voided: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (sa.Index("ix_slip_hash_batch", "batch_id", "voided"), UNORDERED)


class SealedBallot(Base):
    """A ballot in the urn: all of a round have one length, and only two scrutineers open them."""

    __tablename__ = "sealed_ballot"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    round_id: Mapped[str] = mapped_column(sa.ForeignKey("round.id", ondelete="CASCADE"), index=True)
    sealed: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class SealedComment(Base):
    """A comment in the urn, apart from its ballot; the subject is inside, all have one length."""

    __tablename__ = "sealed_comment"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    round_id: Mapped[str] = mapped_column(sa.ForeignKey("round.id", ondelete="CASCADE"), index=True)
    sealed: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class Ballot(Base):
    """A ballot after the count, torn and mixed: it has what `counting.encode` writes."""

    __tablename__ = "ballot"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    round_id: Mapped[str] = mapped_column(sa.ForeignKey("round.id", ondelete="CASCADE"), index=True)
    marks: Mapped[bytes]

    __table_args__ = (UNORDERED,)


class Tally(Base):
    """What a group's ballots say of a subject: each grade of the scale by its place, and blanks."""

    __tablename__ = "tally"

    subject_id: Mapped[str] = mapped_column(
        sa.ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True
    )
    group_id: Mapped[str] = mapped_column(
        sa.ForeignKey("voter_group.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    first: Mapped[int]
    second: Mapped[int]
    third: Mapped[int]
    fourth: Mapped[int]
    blank: Mapped[int]

    __table_args__ = (UNORDERED,)

    @property
    def counts(self) -> tuple[int, ...]:
        """The grades in the order of the scale, blanks last."""
        return (self.first, self.second, self.third, self.fourth, self.blank)


class Comment(Base):
    """A comment after the count, sealed to the committee's box."""

    __tablename__ = "comment"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    subject_id: Mapped[str] = mapped_column(
        sa.ForeignKey("subject.id", ondelete="CASCADE"), index=True
    )
    box_key_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box_key.id", ondelete="RESTRICT"), index=True
    )
    sealed: Mapped[bytes]

    __table_args__ = (UNORDERED,)
