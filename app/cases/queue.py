"""The committee's queue: what waits, oldest clock first, by keyset."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import record, terms
from app.cases.cursor import Cursor
from app.cases.models import Case, ItemKind, ThreadItem
from app.cases.workflow import State
from app.organisation import service as organisation
from app.sealing import service as sealing

PAGE = 20
EXCERPT = 90


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
    states: tuple[State, ...] = terms.OPEN_STATES,
    after: Cursor | None = None,
) -> QueuePage:
    """A page of the cases of this person's boxes; three queries whatever the length.

    Texts are opened here, inside the session; what its keys don't open has an empty excerpt.
    """
    query = (
        sa.select(Case)
        .where(Case.box_id.in_(desk.box_ids), Case.state.in_(states))
        .order_by(Case.clock_on, Case.id)
        .limit(PAGE + 1)
    )
    if after is not None:
        query = query.where(sa.tuple_(Case.clock_on, Case.id) > sa.tuple_(after.on, after.id))
    found = list(session.scalars(query))
    cases, more = found[:PAGE], len(found) > PAGE
    branches = organisation.branches_of_boxes(session, {case.box_id for case in cases})
    excerpts = _excerpts(session, desk, [case.id for case in cases])
    rows = tuple(
        _row(case, branches[case.box_id].name, excerpts.get(case.id, ""), today) for case in cases
    )
    last = cases[-1] if cases else None
    return QueuePage(rows, Cursor(last.clock_on, last.id) if more and last else None)


def _row(case: Case, branch_name: str, excerpt: str, today: dt.date) -> QueueRow:
    due = terms.due_on(case.state, case.clock_on, case.reopenings)
    return QueueRow(
        id=case.id,
        state=case.state,
        branch_name=branch_name,
        opened_on=case.opened_on,
        due_on=due,
        days_left=terms.days_left(due, today),
        excerpt=excerpt,
    )


def _excerpts(session: Session, desk: Unlocked, case_ids: list[str]) -> dict[str, str]:
    pairs = session.execute(
        sa.select(ThreadItem.item_id, ThreadItem.case_id).where(
            ThreadItem.case_id.in_(case_ids), ThreadItem.kind == ItemKind.OPINION
        )
    )
    case_of = {pair.item_id: pair.case_id for pair in pairs}
    opened = sealing.open_items_at_desk(session, case_of, desk.keys)
    return {case_of[item]: _excerpt(record.text_of(raw)) for item, raw in opened.items()}


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"
