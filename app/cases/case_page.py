"""A case as the desk sees it: words, thread, clocks, and the moves that are offered."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.cases import enclosed, record, recourse, service, terms
from app.cases.models import Case, ItemKind, RecourseKind, ThreadItem
from app.cases.queue import Unlocked
from app.cases.service import Draft
from app.cases.workflow import DESK_MOVES, Move, State, legal
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.sealing import service as sealing
from app.sealing.attachments import Attachment
from app.submissions.service import Content

GROUP_MOVES = (Move.UPHOLD, Move.OVERTURN)
# Threads with the supervision group: a branch's keeper never reads them.
PAST_THE_BRANCH = (ItemKind.APPEAL, ItemKind.BLAMED)


@dataclass(frozen=True)
class DeskMessage:
    """An item of the thread as the desk reads it."""

    author: str
    kind: str
    text: str
    written_on: dt.date
    way: tuple[str, str] | None = None


@dataclass(frozen=True)
class CasePage:
    """A case as the desk sees it; `content` is None when these keys don't open its words.

    `kept`: the person keeps its box. Otherwise a supervision group reads what was taken to it:
    `appeal` and `blamed` tell what of that is still to be decided, by `recourse_due_on` at the
    latest, `partial` that they may not be the one who decides. `attachments` is None when they
    are lost.
    """

    id: str
    version: int
    state: State
    branch_name: str
    opened_on: dt.date
    due_on: dt.date | None
    days_left: int | None
    content: Content | None
    publish: str
    messages: tuple[DeskMessage, ...]
    draft: Draft | None
    moves: tuple[Move, ...]
    needs_second_eyes: bool
    kept: bool = True
    appeal: bool = False
    blamed: bool = False
    partial: bool = False
    recourse_due_on: dt.date | None = None
    merged_into: str | None = None
    neighbours: tuple[Branch, ...] = ()
    attachments: tuple[Attachment, ...] | None = ()
    closes_on: dt.date | None = None


def case_page(session: Session, desk: Unlocked, case_id: str, today: dt.date) -> CasePage:
    """Everything of a case that the unlocked keys open.

    What went past the branch is left out for whoever keeps the branch's box or ever had the case
    in hand, even if they sit in the supervision group as well.
    """
    case = service.get(session, desk, case_id)
    kept = case.box_id in desk.box_ids
    partial = not kept and recourse.handled(session, desk.staff_id, case)
    shown = _shown(session, desk, case, outside=not (kept or partial))
    content = service.content_in(shown)
    drafts = [Draft.decode(raw) for item, raw in shown if item.kind is ItemKind.DRAFT]
    branch = service.branch_of(session, case)
    raised = {} if kept else _raised(session, desk, case)
    return CasePage(
        id=case.id,
        version=case.version,
        state=case.state,
        branch_name=branch.name,
        opened_on=case.opened_on,
        due_on=(due := terms.case_due_on(case)),
        days_left=terms.days_left(due, today),
        content=content,
        publish=service.consent_in(shown, content),
        messages=_messages(shown),
        draft=drafts[-1] if drafts else None,
        moves=_moves(case, kept=kept, appeal=RecourseKind.APPEAL in raised),
        needs_second_eyes=branch.second_eyes and bool(drafts) and drafts[-1].by == desk.staff_id,
        kept=kept,
        appeal=RecourseKind.APPEAL in raised,
        blamed=RecourseKind.BLAMED in raised,
        partial=partial,
        recourse_due_on=terms.recourse_due_on(min(raised.values())) if raised else None,
        merged_into=case.merged_into,
        closes_on=terms.closes_on(case),
        neighbours=_neighbours(session, branch) if legal(case.state, Move.REFER) else (),
        attachments=enclosed.files_of(session, content),
    )


def _raised(session: Session, desk: Unlocked, case: Case) -> dict[RecourseKind, dt.date]:
    """What of this case waits for this person's group, each with the day it was raised."""
    found = {
        kind: recourse.open_recourse(session, case.id, kind, desk.box_ids) for kind in RecourseKind
    }
    return {kind: one.raised_on for kind, one in found.items() if one is not None}


def _shown(
    session: Session, desk: Unlocked, case: Case, *, outside: bool
) -> list[tuple[ThreadItem, bytes]]:
    items = record.thread_items(session, case.id)
    opened = sealing.open_items_at_desk(session, [item.item_id for item in items], desk.keys)
    return [
        (item, opened[item.item_id])
        for item in items
        if item.item_id in opened and (outside or item.kind not in PAST_THE_BRANCH)
    ]


def _messages(shown: list[tuple[ThreadItem, bytes]]) -> tuple[DeskMessage, ...]:
    return tuple(
        DeskMessage(
            item.author, item.kind, record.text_of(raw), item.written_on, record.way_of(raw)
        )
        for item, raw in shown
        if item.kind not in (ItemKind.OPINION, ItemKind.DRAFT)
    )


def _moves(case: Case, *, kept: bool, appeal: bool) -> tuple[Move, ...]:
    offered = [move for move in Move if move in DESK_MOVES] if kept else []
    if appeal:
        offered += GROUP_MOVES
    if case.lookup_id is None:
        offered = [move for move in offered if move is not Move.ASK]
    return tuple(move for move in offered if legal(case.state, move))


def _neighbours(session: Session, branch: Branch) -> tuple[Branch, ...]:
    group = organisation.superior(session, branch.id)
    near = [other for other in organisation.siblings(session, branch.id) if other.box_id]
    return ((group,) if group and group.box_id else ()) + tuple(near)
