"""Lawful removal: asked for by one person of the county office, carried out by another."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import merging, record
from app.cases.models import Case, Removal, RemovalGround
from app.cases.workflow import Move, legal
from app.errors import N_, Conflict, Forbidden, NotFound
from app.organisation import service as organisation
from app.transparency import leaves, log


@dataclass(frozen=True)
class RemovalRow:
    """A removal as the office sees it: no word of the opinion, which no office can open."""

    case_id: str
    ground: RemovalGround
    branch_name: str
    asked_on: dt.date
    removed_on: dt.date | None
    own: bool


def ask(
    session: Session, staff_id: str, case_id: str, ground: RemovalGround, today: dt.date
) -> None:
    """Ask that a case be removed; nothing is touched until a second person agrees."""
    case = _case(session, case_id)
    if not legal(case.state, Move.REMOVE):
        raise Conflict(N_("这一件已经撤回或移除了，没有什么可移除的。"))
    asked = session.get(Removal, case.id)
    if asked is not None:
        raise Conflict(N_("这一件已经有人报请移除了，请另一位到下面核对。"))
    session.add(Removal(case_id=case.id, ground=ground, asked_by=staff_id, asked_on=today))
    session.flush()


def _case(session: Session, case_id: str) -> Case:
    case = session.get(Case, case_id)
    if case is None:
        raise NotFound(N_("没有这件办件。请核对办件号，一个字都不能差。"))
    return case


def _asked(session: Session, case_id: str) -> Removal:
    asked = session.get(Removal, case_id)
    if asked is None or asked.removed_on is not None:
        raise NotFound(N_("没有等着核对的移除。它可能已经办过或撤销了。"))
    return asked


def cancel(session: Session, case_id: str) -> None:
    """Take a removal back that nobody has carried out."""
    session.delete(_asked(session, case_id))
    session.flush()


def remove(
    session: Session, staff_id: str, case_id: str, today: dt.date, instance_secret: bytes
) -> None:
    """Carry out a removal: words and pictures are destroyed, a leaf tells that and the ground.

    Raises Forbidden for the person who asked. What followed the case goes on by itself.
    """
    asked = _asked(session, case_id)
    if asked.asked_by == staff_id:
        raise Forbidden(N_("移除要两个人：您报请的，请另一位来核对。什么都没有改变。"))
    case = _case(session, case_id)
    record.move(session, case, Move.REMOVE, today)
    record.destroy_words(session, case, instance_secret)
    merging.split_all(session, case, today)
    asked.removed_by, asked.removed_on = staff_id, today
    log.append(session, [leaves.removal_leaf(case.commitment, asked.ground)])
    session.flush()


def removals(session: Session, staff_id: str) -> list[RemovalRow]:
    """What was asked for and what was removed, the open ones first, the newest hundred."""
    query = sa.select(Removal).order_by(
        Removal.removed_on.is_not(None), Removal.asked_on.desc(), Removal.case_id
    )
    rows = list(session.scalars(query.limit(100)))
    cases = sa.select(Case.id, Case.box_id).where(Case.id.in_([row.case_id for row in rows]))
    box_of = {case_id: box_id for case_id, box_id in session.execute(cases)}  # noqa: C416
    branches = organisation.branches_of_boxes(session, box_of.values())
    return [
        RemovalRow(
            row.case_id,
            row.ground,
            branches[box_of[row.case_id]].name,
            row.asked_on,
            row.removed_on,
            row.asked_by == staff_id,
        )
        for row in rows
    ]


def ground_of(session: Session, case_id: str) -> RemovalGround | None:
    """The ground on which a case was removed, for its speaker to read."""
    found = session.get(Removal, case_id)
    return found.ground if found and found.removed_on else None
