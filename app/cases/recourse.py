"""What goes past the branch: appeals and "I was blamed", in the hands of the supervision group."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases import precedents, record, terms
from app.cases.models import (
    Author,
    Case,
    ItemKind,
    Recourse,
    RecourseGround,
    RecourseKind,
    RecourseOutcome,
)
from app.cases.queue import Unlocked
from app.cases.workflow import DESK_MOVES, Move
from app.clock import quarter_of
from app.errors import N_, Forbidden, Invalid
from app.sealing import service as sealing
from app.sealing.models import BoxKey
from app.staff import audit, keepers
from app.submissions.lying import LyingAct
from app.submissions.service import Content
from app.transparency import log

CONFLICT = N_("这件事您自己办过或管过，不能再由您来裁定。请监督组里另一位来办。")


def raise_recourse(
    session: Session, case: Case, kind: RecourseKind, act: LyingAct, today: dt.date
) -> None:
    """Open a recourse at the group that the speaker's keys name; one that is open goes on."""
    wraps = {item_id: bytes.fromhex(raw) for item_id, raw in act.rewraps.items()}
    sealing.add_wraps(session, act.rewraps_to, wraps)
    group_box_id = session.get_one(BoxKey, act.rewraps_to).box_id
    if open_recourse(session, case.id, kind, [group_box_id]) is None:
        session.add(
            Recourse(case_id=case.id, group_box_id=group_box_id, kind=kind, raised_on=today)
        )
    session.flush()


def open_recourse(
    session: Session, case_id: str, kind: RecourseKind, box_ids: list[str] | frozenset[str]
) -> Recourse | None:
    """The undecided recourse of a case that lies with one of these groups' boxes."""
    return session.scalars(
        sa.select(Recourse)
        .where(
            Recourse.case_id == case_id,
            Recourse.kind == kind,
            Recourse.group_box_id.in_(list(box_ids)),
            Recourse.decided_on.is_(None),
        )
        .order_by(Recourse.id)
    ).first()


def reached(session: Session, case_id: str, box_ids: frozenset[str]) -> bool:
    """Whether a case was ever taken to one of these groups: they may read what was opened then."""
    return bool(
        session.scalar(
            sa.select(
                sa.exists().where(
                    Recourse.case_id == case_id, Recourse.group_box_id.in_(list(box_ids))
                )
            )
        )
    )


@dataclass(frozen=True)
class Noted:
    """What is kept of a decision for the groups to decide alike: ground and point."""

    ground: RecourseGround = RecourseGround.OTHER
    gist: str = ""


def handled(session: Session, staff_id: str, case: Case) -> bool:
    """Whether a person ever had this case in hand: held its box's key, or made a move of it, at
    whatever box it lay then. Such a person neither reads nor decides what went past the branch."""
    return keepers.ever_held(session, staff_id, case.box_id) or audit.acted(
        session, staff_id, case.id, DESK_MOVES
    )


def blamed_due_on(session: Session, case_id: str) -> dt.date | None:
    """By when the group answers a speaker who was blamed; None while nothing of it is open."""
    query = sa.select(sa.func.min(Recourse.raised_on)).where(
        Recourse.case_id == case_id,
        Recourse.kind == RecourseKind.BLAMED,
        Recourse.decided_on.is_(None),
    )
    raised_on = session.scalar(query)
    return terms.recourse_due_on(raised_on) if raised_on else None


def _held(session: Session, desk: Unlocked, case: Case, kind: RecourseKind) -> Recourse:
    if handled(session, desk.staff_id, case):
        raise Forbidden(CONFLICT)
    found = open_recourse(session, case.id, kind, desk.box_ids)
    if found is None:
        raise Forbidden(N_("这件事不在您的监督组手里，什么都没有改变。"))
    return found


def rule(
    session: Session,
    desk: Unlocked,
    case: Case,
    step: Move,
    sentence: str,
    today: dt.date,
    noted: Noted = Noted(),
) -> None:
    """Decide an appeal: uphold or overturn, with a reason to the speaker and the branch. A leaf.

    Overturned, the branch answers anew within 10 working days. Whoever ever had the case in hand
    can't decide. Raises Forbidden, Invalid (fields `message`, `gist`), IllegalMoveError.
    """
    if not sentence.strip():
        raise Invalid(N_("裁定总要说一句为什么。请写上这句话，什么都没有改变。"), field="message")
    found = _held(session, desk, case, RecourseKind.APPEAL)
    outcome = RecourseOutcome.UPHELD if step is Move.UPHOLD else RecourseOutcome.OVERTURNED
    _keep(session, desk, case, found, outcome, noted, today)
    record.move(session, case, step, today)
    if step is Move.OVERTURN:
        case.clock_on = today
    found.decided_on = today
    items = record.thread_items(session, case.id)
    opened = sealing.open_items_at_desk(session, [items[0].item_id], desk.keys)
    if not opened:
        raise Forbidden(N_("您手里的钥匙打不开这一件，请监督组里另一位来办。"))
    nonce = Content.decode(next(iter(opened.values()))).nonce
    raw = json.dumps({"text": sentence, "outcome": outcome}, ensure_ascii=False).encode()
    _write(session, case, found, ItemKind.RULING, raw, today, branch_too=True)
    reason = hashlib.sha256(sentence.encode()).hexdigest()
    log.append(session, [crypto.decision_leaf(case.commitment, outcome, reason, nonce)])
    session.flush()


def respond(
    session: Session,
    desk: Unlocked,
    case: Case,
    sentence: str,
    today: dt.date,
    *,
    done: bool,
    outcome: RecourseOutcome = RecourseOutcome.NOT_FOUND,
    noted: Noted = Noted(),
) -> None:
    """Write to a speaker who said "I was blamed", past the branch; `done` closes the matter.

    Raises Forbidden, Invalid (fields `message`, `gist`).
    """
    if not sentence.strip():
        raise Invalid(N_("还没有写字，什么都没有发出。请写好再发。"), field="message")
    found = _held(session, desk, case, RecourseKind.BLAMED)
    raw = record.words(sentence)
    _write(session, case, found, ItemKind.BLAMED, raw, today, branch_too=False)
    if done:
        _keep(session, desk, case, found, outcome, noted, today)
        found.decided_on = today
    session.flush()


def _keep(
    session: Session,
    desk: Unlocked,
    case: Case,
    found: Recourse,
    outcome: RecourseOutcome,
    noted: Noted,
    today: dt.date,
) -> None:
    """Keep how it was decided, apart from the case; a speaker's own words are refused."""
    items = [item for item in record.thread_items(session, case.id)
             if item.author is Author.SPEAKER]  # fmt: skip
    opened = sealing.open_items_at_desk(session, [item.item_id for item in items], desk.keys)
    texts = [record.text_of(raw) for raw in opened.values()]
    precedents.keep(
        session, found.kind, noted.ground, outcome, noted.gist, quarter_of(today), texts
    )


def _write(
    session: Session,
    case: Case,
    found: Recourse,
    kind: ItemKind,
    raw: bytes,
    today: dt.date,
    *,
    branch_too: bool,
) -> None:
    boxes = [found.group_box_id] + ([case.box_id] if branch_too else [])
    keys = [sealing.current_box_key(session, box_id) for box_id in boxes]
    readers = [key for key in keys if key is not None]
    sealed = sealing.seal(raw, readers, case.receipt_key)
    record.add_item(session, case, kind, Author.GROUP, sealed, today)
