"""The committee's queue: what waits, oldest clock first, by keyset."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import record, terms
from app.cases.cursor import Cursor
from app.cases.models import Case, ItemKind, Recourse, ThreadItem
from app.cases.workflow import State
from app.organisation import service as organisation
from app.sealing import service as sealing

# What the filter of the queue offers, each a set of states; beside them `overdue` and `recourse`.
FILTERS = {
    "open": terms.OPEN_STATES,
    "waiting": (State.WAITING,),
    "accepted": (State.ACCEPTED, State.REOPENED),
    "answering": (State.ANSWERING,),
    "asked": (State.ASKED,),
    "done": (
        State.ANSWERED,
        State.CLOSED,
        State.DECLINED,
        State.MERGED,
        State.APPEALED,
        State.UPHELD,
        State.WITHDRAWN,
        State.REMOVED,
    ),
}
PAGE = 20
EXCERPT = 90
# Beyond that many nobody counts: the page says "999+".
MOST_COUNTED = 1000
# A keeper has one box or two; with more than so many the ranges go by state alone.
_BOXES_APART = 8


@dataclass(frozen=True)
class Unlocked:
    """An unlocked session of a member of staff: the boxes they keep and the opened keys."""

    staff_id: str
    box_ids: frozenset[str]
    keys: Mapping[str, bytes]


@dataclass(frozen=True)
class QueueRow:
    """A case in the queue; `days_left` in working days, negative when overdue, None: no clock."""

    id: str
    state: State
    branch_name: str
    opened_on: dt.date
    due_on: dt.date | None
    days_left: int | None
    excerpt: str


@dataclass(frozen=True)
class QueuePage:
    """A page of the queue and where the next one begins."""

    rows: tuple[QueueRow, ...]
    next: Cursor | None


def queue(
    session: Session,
    desk: Unlocked,
    today: dt.date,
    *,
    chosen: str = "open",
    after: Cursor | None = None,
) -> QueuePage:
    """A page of the cases of this person's boxes; the same few queries whatever the length.

    `chosen` is one of FILTERS. Texts are opened here, inside the session; what its keys don't open
    has an empty excerpt. With a supervision group, what was taken to it stands among the open ones.
    """
    there = _first(_ranges(desk, chosen, today), PAGE + 1, after)
    query = sa.select(Case).join(there, there.c.id == Case.id)
    found = list(session.scalars(query.order_by(Case.clock_on, Case.id).limit(PAGE + 1)))
    more = found[PAGE - 1] if len(found) > PAGE else None
    rows = rows_of(session, desk, found[:PAGE], today)
    return QueuePage(rows, Cursor(more.clock_on, more.id) if more else None)


COUNTED = ("open", "overdue", "recourse")


def counts(session: Session, desk: Unlocked, today: dt.date) -> dict[str, int]:
    """How many cases the filters of COUNTED would list, MOST_COUNTED at most; one query."""
    parts = []
    for chosen in COUNTED:
        there = _first(_ranges(desk, chosen, today), MOST_COUNTED)
        some = sa.select(there.c.id).limit(MOST_COUNTED).subquery()
        parts.append(sa.select(sa.func.count()).select_from(some).scalar_subquery())
    return dict(zip(COUNTED, session.execute(sa.select(*parts)).one(), strict=True))


def ever_moved(session: Session, box_ids: Iterable[str]) -> bool:
    """Whether anything was ever done with a case of these boxes."""
    moved = Case.box_id.in_(list(box_ids)) & (Case.state != State.WAITING)
    return bool(session.scalar(sa.select(sa.exists().where(moved))))


def _ranges(desk: Unlocked, chosen: str, today: dt.date) -> list[sa.ColumnElement[bool]]:
    """What a filter lists, as conditions of which each is one stretch of the index of open cases.

    A page then costs as much at a million cases as at a thousand: the first rows of each stretch.
    """
    boxes = sorted(desk.box_ids)
    own: list[sa.ColumnElement[bool]] = [Case.box_id == box for box in boxes]
    if len(boxes) > _BOXES_APART:
        own = [Case.box_id.in_(boxes)]
    taken = Case.id.in_(
        sa.select(Recourse.case_id).where(
            Recourse.group_box_id.in_(boxes), Recourse.decided_on.is_(None)
        )
    )
    if chosen == "recourse":
        return [taken]
    if chosen == "overdue":
        return [box & late for box in own for late in _late(today)] + [sa.false()]
    kept = [box & (Case.state == state) for box in own for state in FILTERS[chosen]]
    return [*kept, taken] if chosen == "open" else [*kept, sa.false()]


def _first(
    ranges: Sequence[sa.ColumnElement[bool]], most: int, after: Cursor | None = None
) -> sa.Subquery:
    """The ids of the first cases of each range, oldest clock first, once where ranges overlap."""
    beyond: sa.ColumnElement[bool] = sa.true()
    if after is not None:
        beyond = sa.tuple_(Case.clock_on, Case.id) > sa.tuple_(after.on, after.id)
    firsts = [
        sa.select(Case.id).where(part, beyond).order_by(Case.clock_on, Case.id).limit(most)
        for part in ranges
    ]
    return sa.union(*(sa.select(first.subquery().c.id) for first in firsts)).subquery()


NEWEST_FIRST = (Case.clock_on.desc(), Case.id.desc())


def newest(box_id: str, states: Iterable[State], most: int) -> sa.Subquery:
    """The ids of at least so many of a box's cases in these states, those with the newest clocks.

    Each state's newest are the end of one stretch of an index: what lies before isn't read.
    """
    ends = [
        sa.select(Case.id)
        .where(Case.box_id == box_id, Case.state == state)
        .order_by(*NEWEST_FIRST)
        .limit(most)
        for state in states
    ]
    return sa.union_all(*(sa.select(end.subquery().c.id) for end in ends)).subquery()


def open_condition() -> sa.ColumnElement[bool]:
    """What waits for the committee: with the states as the index of what is open names them, to
    the letter, or it isn't used and every case is read."""
    states: sa.BindParameter[State] = sa.bindparam(
        "open", terms.OPEN_STATES, expanding=True, literal_execute=True
    )
    return Case.state.in_(states)


def overdue_condition(today: dt.date) -> sa.ColumnElement[bool]:
    """What is overdue today, as a condition on cases: from dates and calendar, nothing stored."""
    return open_condition() & sa.or_(*_late(today))


def _late(today: dt.date) -> list[sa.ColumnElement[bool]]:
    late: list[sa.ColumnElement[bool]] = []
    for state in terms.OPEN_STATES:
        for restarts in (0, 1):
            since = terms.overdue_since(state, today, restarts)
            again = Case.reopenings + Case.appeals > 0
            here = (Case.state == state) & (again if restarts else ~again)
            late.append(here & (Case.clock_on <= since))
    return late


def rows_of(
    session: Session, desk: Unlocked, cases: Sequence[Case], today: dt.date
) -> tuple[QueueRow, ...]:
    """These cases as rows, in this order; four queries.

    What was taken to this person's group has the clock of the recourse.
    """
    raised = _raised(session, desk, [case.id for case in cases])
    branches = organisation.branches_of_boxes(session, {case.box_id for case in cases})
    excerpts = _excerpts(session, desk, [case.id for case in cases])
    return tuple(
        _row(
            case,
            branches[case.box_id].name,
            excerpts.get(case.id, ""),
            terms.recourse_due_on(raised[case.id]) if case.id in raised else None,
            today,
        )
        for case in cases
    )


def _raised(session: Session, desk: Unlocked, case_ids: list[str]) -> dict[str, dt.date]:
    query = (
        sa.select(Recourse.case_id, sa.func.min(Recourse.raised_on))
        .where(
            Recourse.case_id.in_(case_ids),
            Recourse.group_box_id.in_(desk.box_ids),
            Recourse.decided_on.is_(None),
        )
        .group_by(Recourse.case_id)
    )
    return {case_id: raised_on for case_id, raised_on in session.execute(query)}  # noqa: C416


def cases_by_id(session: Session, desk: Unlocked, ids: Sequence[str]) -> list[Case]:
    """Cases of this person's boxes, in the order of the ids; others are left out."""
    query = sa.select(Case).where(Case.id.in_(ids), Case.box_id.in_(desk.box_ids))
    found = {case.id: case for case in session.scalars(query)}
    return [found[i] for i in ids if i in found]


def _row(
    case: Case, branch_name: str, words: str, recourse_due: dt.date | None, today: dt.date
) -> QueueRow:
    due = recourse_due or terms.case_due_on(case)
    return QueueRow(
        id=case.id,
        state=case.state,
        branch_name=branch_name,
        opened_on=case.opened_on,
        due_on=due,
        days_left=terms.days_left(due, today),
        excerpt=words,
    )


def _excerpts(session: Session, desk: Unlocked, case_ids: list[str]) -> dict[str, str]:
    pairs = session.execute(
        sa.select(ThreadItem.item_id, ThreadItem.case_id).where(
            ThreadItem.case_id.in_(case_ids), ThreadItem.kind == ItemKind.OPINION
        )
    )
    case_of = {pair.item_id: pair.case_id for pair in pairs}
    opened = sealing.open_items_at_desk(session, case_of, desk.keys)
    return {case_of[item]: excerpt(record.text_of(raw)) for item, raw in opened.items()}


def excerpt(text: str) -> str:
    """The first line's worth of a text."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"
