"""Cases that say the same: one follows the other's state and answers, never its words or thread."""

from __future__ import annotations

import datetime as dt
import hashlib

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases import record
from app.cases.models import Case, ItemKind
from app.cases.queue import Unlocked
from app.cases.workflow import Move, State
from app.errors import N_, Conflict, Invalid
from app.sealing import service as sealing
from app.transparency import log

_TOLD = (ItemKind.ANSWER, ItemKind.DECLINE)
# What has ended otherwise than by an answer can't be followed.
_DEAD = (State.WITHDRAWN, State.REMOVED)


def merge(session: Session, desk: Unlocked, case: Case, into: Case | None, today: dt.date) -> None:
    """Let a case follow another of the same box; what that one's speaker was told is told here too.

    Its own thread and receipt stay alive, and what followed it follows the other one now. Raises
    Invalid (field `into`), IllegalMoveError.
    """
    if into is None or into.box_id != case.box_id or into.id == case.id:
        raise Invalid(
            N_("没有找到要并入的办件，什么都没有改变。请选同一个意见箱里的另一件。"), field="into"
        )
    if into.state in (*_DEAD, State.MERGED):
        raise Invalid(
            N_("要并入的那一件已经撤回、移除，或者自己也并进了别的办件。请换一件。"), field="into"
        )
    record.move(session, case, Move.MERGE, today)
    case.merged_into = into.id
    moved = {follower.id for follower in _followers(session, case)}
    for follower in _followers(session, case):
        follower.merged_into = into.id
    session.flush()
    followers = [f for f in _followers(session, into) if f.id == case.id or f.id in moved]
    for kind, raw in _told(session, desk, into):
        _tell(session, desk, followers, kind, raw, into.decline_reason or "", today)


def _followers(session: Session, case: Case) -> list[Case]:
    query = sa.select(Case).where(Case.merged_into == case.id, Case.state == State.MERGED)
    return list(session.scalars(query.order_by(Case.id)))


def _told(session: Session, desk: Unlocked, case: Case) -> list[tuple[ItemKind, bytes]]:
    items = [item for item in record.thread_items(session, case.id) if item.kind in _TOLD]
    opened = sealing.open_items_at_desk(session, [item.item_id for item in items], desk.keys)
    return [(item.kind, opened[item.item_id]) for item in items if item.item_id in opened]


def tell_followers(
    session: Session,
    desk: Unlocked,
    case: Case,
    kind: ItemKind,
    raw: bytes,
    today: dt.date,
) -> None:
    """Tell an answer or a refusal to every receipt that follows this case; a leaf for each."""
    _tell(session, desk, _followers(session, case), kind, raw, case.decline_reason or "", today)


def _tell(
    session: Session,
    desk: Unlocked,
    followers: list[Case],
    kind: ItemKind,
    raw: bytes,
    decline_reason: str,
    today: dt.date,
) -> None:
    outcome, reason = "declined", decline_reason
    if kind is ItemKind.ANSWER:
        outcome = "answered"
        reason = hashlib.sha256(record.text_of(raw).encode()).hexdigest()
    found = []
    for follower in followers:
        record.tell(session, follower, kind, raw, today)
        content = record.opinion_of(session, desk.keys, follower)
        if content is not None:
            leaf = crypto.decision_leaf(follower.commitment, outcome, reason, content.nonce)
            found.append(leaf)
    log.append(session, found)


def split(session: Session, case: Case, today: dt.date) -> None:
    """Part a merged case from the one it follows: back to where it stood, with a fresh clock."""
    record.move(session, case, Move.SPLIT, today)
    case.merged_into = None
    case.clock_on = today
    session.flush()


def split_all(session: Session, case: Case, today: dt.date) -> None:
    """Part everything that follows a case whose words are gone: it must not end with it."""
    for follower in _followers(session, case):
        split(session, follower, today)


def require_unmerged(session: Session, case: Case) -> None:
    """Raises Conflict while other cases follow this one: it can't leave the box alone."""
    if _followers(session, case):
        raise Conflict(N_("有别的办件并在这一件里，不能转走。请先把它们拆开，再转办。"))
