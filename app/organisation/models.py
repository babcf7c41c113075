"""Units, boxes, members."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.crypto import random_id
from app.db import Base, enum_type


class UnitKind(StrEnum):
    """The three levels of the tree, and the supervision groups beside it."""

    COUNTY = "county"
    UNIT = "unit"
    BRANCH = "branch"
    GROUP = "group"


class Unit(Base):
    """A node of the tree county -> unit -> branch; `slug` stands on posters and never changes.

    `group_id` names the supervision group that watches it and everything below it. A group is a
    node of its own with a box of its own; the group named by a group reviews what that one decided
    on what was dropped into its own box. A closed unit keeps its slug, its cases and its answers;
    `merged_into` names where it went. `search_key` holds its pinyin, for finding it by initials.
    """

    __tablename__ = "unit"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    slug: Mapped[str] = mapped_column(sa.String(64), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    kind: Mapped[UnitKind] = mapped_column(enum_type(UnitKind, "kind"))
    parent_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )
    phone: Mapped[str] = mapped_column(sa.String(40), default="")
    closed_on: Mapped[dt.date | None]
    merged_into: Mapped[str | None] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )
    search_key: Mapped[str] = mapped_column(sa.Text, default="")
    group_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )

    parent: Mapped[Unit | None] = relationship(remote_side=[id], foreign_keys=[parent_id])
    box: Mapped[Box | None] = relationship(back_populates="unit")


class UnitChange(StrEnum):
    """What happened to a unit."""

    ADDED = "added"
    RENAMED = "renamed"
    MOVED = "moved"
    MERGED = "merged"
    CLOSED = "closed"
    REOPENED = "reopened"


class UnitEvent(Base):
    """A change of the tree that a later reader must be able to follow; values as they were."""

    __tablename__ = "unit_event"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True)
    change: Mapped[UnitChange] = mapped_column(enum_type(UnitChange, "change"))
    changed_on: Mapped[dt.date]
    before: Mapped[str] = mapped_column(sa.String(120), default="")
    after: Mapped[str] = mapped_column(sa.String(120), default="")


class Box(Base):
    """The suggestion box of a branch or of a supervision group, and its policy.

    It is closed while `sealing` holds no current key for it. `second_eyes`: an answer is
    published by another keeper than the one who drafted it.
    """

    __tablename__ = "box"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"), unique=True)
    second_eyes: Mapped[bool] = mapped_column(default=False)

    unit: Mapped[Unit] = relationship(back_populates="box")


class Member(Base):
    """A member of a branch, as the branch's own roll has them.

    `number` is the roll's number, unique in the county: an import that is repeated finds the same
    person by it. Members have no account and nothing here touches what anybody said.
    """

    __tablename__ = "member"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    number: Mapped[str] = mapped_column(sa.String(32), unique=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    unit_id: Mapped[str] = mapped_column(sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True)
    left_on: Mapped[dt.date | None]


class Leader(Base):
    """A leader of the county who answers for branches (联系点); needs no account."""

    __tablename__ = "leader"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    name: Mapped[str] = mapped_column(sa.String(60))
    post: Mapped[str] = mapped_column(sa.String(60), default="")

    __table_args__ = (sa.UniqueConstraint("name", "post"),)


class ContactPoint(Base):
    """A branch that a leader answers for: one leader for a branch, any number for a leader."""

    __tablename__ = "contact_point"

    unit_id: Mapped[str] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), primary_key=True
    )
    leader_id: Mapped[str] = mapped_column(
        sa.ForeignKey("leader.id", ondelete="CASCADE"), index=True
    )
