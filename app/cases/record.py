"""The one way to move a case and to add to its thread."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import answers, tallies
from app.cases.models import Author, Case, CaseEvent, ItemKind, ThreadItem
from app.cases.workflow import Move, next_state, state_before
from app.crypto import ReceiptKeys
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Locator
from app.sealing.service import Sealed
from app.submissions.service import Content

RETURNING = (Move.REPLY, Move.LAPSE, Move.DISCARD, Move.SPLIT)


def move(session: Session, case: Case, step: Move, today: dt.date) -> None:
    """Move a case by the table and write the event; raises IllegalMoveError and changes nothing."""
    came_from = case.state
    target = next_state(
        came_from,
        step,
        before=case.state_before,
        reopened_once=case.reopenings > 0,
        appealed_once=case.appeals > 0,
    )
    if step not in RETURNING:
        case.state_before = state_before(came_from, step)
    else:
        case.state_before = None
    case.state = target
    case.state_on = today
    tallies.moving(session, case, step, today)
    session.add(
        CaseEvent(
            case_id=case.id,
            position=_next_position(session, CaseEvent, case.id),
            move=step,
            from_state=came_from,
            to_state=target,
            moved_on=today,
        )
    )
    session.flush()


def add_item(
    session: Session, case: Case, kind: ItemKind, author: Author, sealed: Sealed, today: dt.date
) -> None:
    """Add a sealed item to the end of a case's thread."""
    session.add(
        ThreadItem(
            case_id=case.id,
            position=_next_position(session, ThreadItem, case.id),
            item_id=sealing.store(session, sealed),
            kind=kind,
            author=author,
            written_on=today,
        )
    )
    session.flush()


def case_of_receipt(session: Session, keys: ReceiptKeys) -> Case | None:
    """The opened case that a receipt belongs to."""
    return session.scalar(sa.select(Case).where(Case.lookup_id == keys.lookup_id))


def _next_position(
    session: Session, model: type[CaseEvent] | type[ThreadItem], case_id: str
) -> int:
    last = session.scalar(sa.select(sa.func.max(model.position)).where(model.case_id == case_id))
    return 0 if last is None else last + 1


def thread_items(session: Session, case_id: str) -> list[ThreadItem]:
    """A case's thread in order."""
    query = sa.select(ThreadItem).where(ThreadItem.case_id == case_id)
    return list(session.scalars(query.order_by(ThreadItem.position)))


def tell(
    session: Session, case: Case, kind: ItemKind, raw: bytes, today: dt.date, *, group: bool = False
) -> None:
    """Write to the speaker: sealed to the case's box and to the receipt, if it was not burnt."""
    key = sealing.current_box_key(session, case.box_id)
    sealed = sealing.seal(raw, [key] if key else [], case.receipt_key)
    add_item(session, case, kind, Author.GROUP if group else Author.DESK, sealed, today)


def opinion_of(session: Session, keys: Mapping[str, bytes], case: Case) -> Content | None:
    """What a case's speaker said, where these keys open it."""
    query = sa.select(ThreadItem.item_id).where(
        ThreadItem.case_id == case.id, ThreadItem.kind == ItemKind.OPINION
    )
    item_ids = list(session.scalars(query))
    opened = sealing.open_items_at_desk(session, item_ids, keys)
    return next((Content.decode(raw) for raw in opened.values()), None)


def way_of(raw: bytes) -> tuple[str, str] | None:
    """From which box to which a referral went; None for everything else."""
    values = json.loads(raw)
    return (values["from"], values["to"]) if "from" in values else None


def outcome_of(raw: bytes) -> str:
    """What a ruling decided; empty for everything else."""
    return str(json.loads(raw).get("outcome", ""))


def words(text: str) -> bytes:
    """A text as an item's bytes to be sealed."""
    return json.dumps({"text": text}, ensure_ascii=False).encode()


def destroy_words(session: Session, case: Case, instance_secret: bytes) -> None:
    """Destroy everything that was said about a case and what was enclosed, published answers too.

    Its leaves stay.
    """
    if case.sealed_locator is not None:
        attachments.destroy(session, Locator.unsealed(case.sealed_locator, instance_secret))
        case.sealed_locator = None
    item_ids = [item.item_id for item in thread_items(session, case.id)]
    session.execute(sa.delete(ThreadItem).where(ThreadItem.case_id == case.id))
    sealing.destroy(session, item_ids)
    answers.retract(session, case.id)


def text_of(raw: bytes) -> str:
    """The words of an opened item."""
    return str(json.loads(raw)["text"])
