"""Occasions of a branch and the list of its members: who stands where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.appraisals import plan, questions
from app.appraisals.models import Appraisal, MemberLink, Occasion, PlanItem, Purpose
from app.appraisals.workflow import State
from app.cases.queue import Unlocked
from app.errors import N_, Conflict, Forbidden, Invalid, NotFound
from app.organisation import service as organisation
from app.organisation.models import Box, Member, Unit, UnitKind
from app.sealing import service as sealing

PAGE = 50
MOST_OCCASIONS = 50
MAX_NAME = 60


class Standing(StrEnum):
    """Where a member stands, in one word; computed, never stored."""

    IDLE = "idle"
    ASKED = "asked"
    HANDED = "handed"
    DRAFTED = "drafted"
    FINISHED = "finished"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    GONE = "gone"


@dataclass(frozen=True)
class Row:
    """A member in the list; `overdue` counts what of their plan is overdue."""

    id: str
    number: str
    name: str
    standing: Standing
    handed: bool
    replied: bool
    overdue: int


@dataclass(frozen=True)
class Page:
    """A page of the members and the roll's number after which the next one begins."""

    rows: tuple[Row, ...]
    next: str | None


def standing(appraisal: Appraisal, *, asked: bool) -> Standing:
    """The word for an appraisal; `asked`: a link to a self-appraisal is out."""
    if appraisal.gone_on is not None or appraisal.state is State.REMOVED:
        return Standing.GONE
    if appraisal.state is not State.OPEN:
        return Standing(appraisal.state.value)
    if appraisal.handed_on is not None:
        return Standing.HANDED
    return Standing.ASKED if asked else Standing.IDLE


# --- occasions ------------------------------------------------------------------------------------


def begin(
    session: Session, desk: Unlocked, box_id: str, name: str, typed: str, today: dt.date
) -> Occasion:
    """Begin an occasion with every member of the branch; `typed`: the questions, one a line.

    Raises Forbidden, Conflict while nobody keeps the box, Invalid (fields `name`, `questions`).
    """
    box = session.get(Box, box_id) if box_id in desk.box_ids else None
    unit = session.get_one(Unit, box.unit_id) if box else None
    if unit is None or unit.kind is not UnitKind.BRANCH:
        raise Forbidden(N_("您不是这个支部的保管人，不能替它开始评议。什么都没有改变。"))
    if unit.closed_on is not None or sealing.current_box_key(session, box_id) is None:
        raise Conflict(N_("这个支部已经撤了，或者意见箱没有钥匙，写的字封不起来。没有开始。"))
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise Invalid(
            N_("请给这次评议起个名字，最多 %(most)d 个字。没有开始，您写的都还在。"),
            field="name",
            most=MAX_NAME,
        )
    there = sa.exists().where(Occasion.box_id == box_id, Occasion.name == name)
    if session.scalar(sa.select(there)):
        raise Invalid(N_("这个支部已经有同名的一次评议，请换个名字。没有开始。"), field="name")
    kept = questions.stored(typed)
    made = Occasion(box_id=box_id, name=name, questions=kept, begun_on=today)
    session.add(made)
    session.flush()
    add_members(session, made)
    return made


def missing(session: Session, occasion: Occasion) -> list[str]:
    """Members of the branch who aren't in the occasion yet: they came later."""
    unit_id = sa.select(Box.unit_id).where(Box.id == occasion.box_id).scalar_subquery()
    there = sa.select(Appraisal.member_id).where(Appraisal.occasion_id == occasion.id)
    query = sa.select(Member.id).where(
        Member.unit_id == unit_id, Member.left_on.is_(None), Member.id.not_in(there)
    )
    return list(session.scalars(query.order_by(Member.number)))


def add_members(session: Session, occasion: Occasion) -> int:
    """Bring in whoever is of the branch and not yet in; how many."""
    ids = missing(session, occasion)
    session.add_all(Appraisal(occasion_id=occasion.id, member_id=member_id) for member_id in ids)
    session.flush()
    return len(ids)


def get(session: Session, desk: Unlocked, occasion_id: str) -> Occasion:
    """An occasion of a branch that this person keeps the box of. Raises NotFound."""
    found = session.get(Occasion, occasion_id)
    if found is None or found.box_id not in desk.box_ids:
        raise NotFound(N_("没有这次评议。请从列表里选。"))
    return found


def listed(session: Session, desk: Unlocked) -> list[tuple[Occasion, str]]:
    """The newest occasions of the kept boxes, with their branches' names."""
    query = (
        sa.select(Occasion, Unit.name)
        .join(Box, Box.id == Occasion.box_id)
        .join(Unit, Unit.id == Box.unit_id)
        .where(Occasion.box_id.in_(desk.box_ids))
        .order_by(Occasion.begun_on.desc(), Occasion.id)
        .limit(MOST_OCCASIONS)
    )
    return [(occasion, name) for occasion, name in session.execute(query)]


def branches(session: Session, desk: Unlocked) -> list[organisation.Branch]:
    """The open branches whose box this person keeps, by name."""
    found = organisation.branches_of_boxes(session, desk.box_ids).values()
    return sorted((b for b in found if not b.is_group and not b.closed), key=lambda b: b.name)


# --- members --------------------------------------------------------------------------------------


def _handed() -> sa.ColumnElement[bool]:
    return Appraisal.handed_on.is_not(None)


def _asked(now: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        MemberLink.appraisal_id == Appraisal.id,
        MemberLink.purpose == Purpose.SELF,
        MemberLink.expires_at > now,
    )


def _late(today: dt.date) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        PlanItem.appraisal_id == Appraisal.id,
        PlanItem.done_on.is_(None),
        PlanItem.due_on <= plan.overdue_since(today),
    )


FILTERS = ("all", "ours", "theirs", "replied", "overdue", "done")


def _condition(chosen: str, now: dt.datetime, today: dt.date) -> sa.ColumnElement[bool]:
    here = Appraisal.gone_on.is_(None)
    idle_open = (Appraisal.state == State.OPEN) & ~_handed()
    if chosen == "ours":
        written = Appraisal.state.in_((State.DRAFTED, State.FINISHED))
        handed = (Appraisal.state == State.OPEN) & _handed()
        return here & (written | handed | (idle_open & ~_asked(now)))
    if chosen == "theirs":
        return here & ((idle_open & _asked(now)) | (Appraisal.state == State.DELIVERED))
    if chosen == "replied":
        return here & Appraisal.replied_on.is_not(None)
    if chosen == "overdue":
        return _late(today)
    return here & (Appraisal.state == State.ACKNOWLEDGED) if chosen == "done" else sa.true()


def members(
    session: Session,
    occasion: Occasion,
    now: dt.datetime,
    today: dt.date,
    *,
    chosen: str = "all",
    after: str = "",
) -> Page:
    """A page of the occasion's members in the order of the roll; two queries whatever the length.

    `chosen` is one of FILTERS, `after` the roll's number that the last page ended with.
    """
    query = (
        sa.select(Appraisal, Member.number, Member.name, _asked(now))
        .join(Member, Member.id == Appraisal.member_id)
        .where(Appraisal.occasion_id == occasion.id, _condition(chosen, now, today))
        .where(Member.number > after)
        .order_by(Member.number)
        .limit(PAGE + 1)
    )
    found = session.execute(query).all()
    shown = found[:PAGE]
    late = _overdue(session, [appraisal.id for appraisal, *_ in shown], today)
    rows = tuple(_row(*row, late) for row in shown)
    return Page(rows, rows[-1].number if len(found) > PAGE else None)


def _row(appraisal: Appraisal, number: str, name: str, asked: bool, late: dict[str, int]) -> Row:
    return Row(
        id=appraisal.id,
        number=number,
        name=name,
        standing=standing(appraisal, asked=asked),
        handed=appraisal.handed_on is not None,
        replied=appraisal.replied_on is not None,
        overdue=late.get(appraisal.id, 0),
    )


def _overdue(session: Session, ids: Sequence[str], today: dt.date) -> dict[str, int]:
    query = (
        sa.select(PlanItem.appraisal_id, sa.func.count())
        .where(
            PlanItem.appraisal_id.in_(ids),
            PlanItem.done_on.is_(None),
            PlanItem.due_on <= plan.overdue_since(today),
        )
        .group_by(PlanItem.appraisal_id)
    )
    return {appraisal_id: count for appraisal_id, count in session.execute(query)}  # noqa: C416


def ids_of(session: Session, occasion_id: str) -> list[str]:
    """Every appraisal of an occasion; whose they are to handle is for `chosen_of` to ask."""
    return list(
        session.scalars(sa.select(Appraisal.id).where(Appraisal.occasion_id == occasion_id))
    )


def chosen_of(session: Session, desk: Unlocked, ids: Iterable[str]) -> list[Appraisal]:
    """These appraisals of kept boxes, in the order of the roll; others are left out."""
    query = (
        sa.select(Appraisal)
        .join(Occasion, Occasion.id == Appraisal.occasion_id)
        .join(Member, Member.id == Appraisal.member_id)
        .where(Appraisal.id.in_(list(ids)), Occasion.box_id.in_(desk.box_ids))
        .order_by(Member.number)
    )
    return list(session.scalars(query))
