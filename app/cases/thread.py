"""The speaker's side of a case: what the receipt opens, and what its holder may do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases import record, terms
from app.cases.models import Answer, Author, Case, ItemKind, ThreadItem
from app.cases.workflow import Move, State, legal
from app.crypto import ReceiptKeys
from app.errors import N_, Conflict
from app.organisation import service as organisation
from app.sealing import service as sealing
from app.submissions import service as submissions
from app.submissions.lying import LyingAct, LyingDrop, LyingLeaf
from app.submissions.service import Content, Pen
from app.submissions.ticket import Ticket

_TELLING = {
    "rate": ItemKind.RATING,
    "publish": ItemKind.CONSENT,
}
Ending = Callable[[Session, Pen, Ticket], None]
_ENDED = (State.WITHDRAWN, State.REMOVED)


@dataclass(frozen=True)
class Message:
    """One item of a thread; `written_on` is None while it lies in the box."""

    author: str
    kind: str
    text: str
    written_on: dt.date | None

    @property
    def lying(self) -> bool:
        """Whether it waits for the next opening."""
        return self.written_on is None


@dataclass(frozen=True)
class ThreadPage:
    """What a receipt shows its holder."""

    state: State
    branch_name: str
    opened_on: dt.date | None
    due_on: dt.date | None
    messages: tuple[Message, ...]
    moves: frozenset[str]
    publish: str
    rating: str | None
    content: Content | None
    ticket_keys: ReceiptKeys

    @property
    def promise(self) -> str:
        """The signed promise of inclusion, empty once the words are destroyed."""
        return self.content.promise if self.content else ""


def open_thread(session: Session, pen: Pen, keys: ReceiptKeys) -> ThreadPage | None:
    """What this receipt opens; None for unknown, burnt and deleted alike.

    Whatever comes out, the same rows are asked for and something of the same size is opened.
    """
    lying = submissions.lying_drop(session, pen, keys)
    case = _find(session, keys)
    acts = submissions.lying_acts(session, pen, keys)
    if case is not None:
        return _case_page(session, case, keys, list(acts.values()))
    if lying is not None:
        return _lying_page(session, lying, keys)
    _open_nothing(session, keys)
    return None


def _find(session: Session, keys: ReceiptKeys) -> Case | None:
    return session.scalar(sa.select(Case).where(Case.lookup_id == keys.lookup_id))


def _open_nothing(session: Session, keys: ReceiptKeys) -> None:
    """What a case would have cost; `web.keep_level` hides what is still different."""
    items = record.thread_items(session, "")
    sealing.open_items_of_receipt(session, [i.item_id for i in items], keys.private_key)
    organisation.branches_of_boxes(session, [])
    dummy = sealing.seal(b"{}", [], keys.public_key)
    sealing.open_sealed(dummy.ciphertext, dummy.receipt_wrap or b"", keys.private_key)


def known(session: Session, keys: ReceiptKeys) -> bool:
    """Whether an opened case belongs to this receipt: its form was dropped before the opening."""
    return _find(session, keys) is not None


def _lying_page(session: Session, lying: LyingDrop | LyingLeaf, keys: ReceiptKeys) -> ThreadPage:
    if isinstance(lying, LyingLeaf):
        return ThreadPage(
            State.WITHDRAWN, "", None, None, (), frozenset({"burn"}), "", None, None, keys
        )
    content = submissions.content_of(lying, keys)
    branch = organisation.branches_of_boxes(session, [lying.box_id])[lying.box_id]
    return ThreadPage(
        state=State.LYING,
        branch_name=branch.name,
        opened_on=None,
        due_on=None,
        messages=(Message(Author.SPEAKER, ItemKind.OPINION, content.text, None),),
        moves=frozenset({"withdraw", "burn", "file"}),
        publish=content.publish,
        rating=None,
        content=content,
        ticket_keys=keys,
    )


def _case_page(session: Session, case: Case, keys: ReceiptKeys, acts: list[LyingAct]) -> ThreadPage:
    items = record.thread_items(session, case.id)
    opened = sealing.open_items_of_receipt(session, [i.item_id for i in items], keys.private_key)
    shown = [item for item in items if item.item_id in opened]
    content = next(
        (Content.decode(opened[i.item_id]) for i in shown if i.kind is ItemKind.OPINION), None
    )
    messages = [_message(item, opened[item.item_id]) for item in shown]
    messages += [_lying_message(act, keys) for act in acts]
    branch = organisation.branches_of_boxes(session, [case.box_id])[case.box_id]
    consents = [m.text for m in messages if m.kind == ItemKind.CONSENT]
    return ThreadPage(
        state=case.state,
        branch_name=branch.name,
        opened_on=case.opened_on,
        due_on=terms.due_on(case.state, case.clock_on, case.reopenings),
        messages=tuple(messages),
        moves=moves_of(case, acts),
        publish=consents[-1] if consents else (content.publish if content else ""),
        rating=case.rating,
        content=content,
        ticket_keys=keys,
    )


def _message(item: ThreadItem, raw: bytes) -> Message:
    return Message(item.author, item.kind, record.text_of(raw), item.written_on)


def _lying_message(act: LyingAct, keys: ReceiptKeys) -> Message:
    raw = sealing.open_sealed(
        act.sealed.ciphertext, act.sealed.receipt_wrap or b"", keys.private_key
    )
    kind = _TELLING.get(act.act, ItemKind.MESSAGE)
    return Message(Author.SPEAKER, kind, record.text_of(raw), None)


def moves_of(case: Case, acts: list[LyingAct]) -> frozenset[str]:
    """What the holder may do now, what still lies in the box taken into account."""
    if case.state in _ENDED:
        return frozenset({"burn"})
    moves = {"reply", "publish", "burn", "file"}
    if legal(case.state, Move.WITHDRAW):
        moves.add("withdraw")
    if case.state is State.ANSWERED and not any(act.act == "rate" for act in acts):
        moves.add("rate")
    return frozenset(moves)


def _held_case(session: Session, ticket: Ticket) -> Case | None:
    return _find(session, ticket.keys) if ticket.keys else None


def act(session: Session, pen: Pen, ticket: Ticket, kind: str, value: str, text: str) -> None:
    """Put a reply, a rating or a consent into the box; raises Conflict where the state forbids it.

    The same form sent twice counts once.
    """
    case = _held_case(session, ticket)
    if case is None or ticket.keys is None:
        raise Conflict(N_("意见还在箱子里，开箱以后才能补充。要改动，可以先撤回，再重新投递。"))
    lying = list(submissions.lying_acts(session, pen, ticket.keys).values())
    repeated = any(there.ticket_id == ticket.id and there.act == kind for there in lying)
    if not repeated and kind not in moves_of(case, lying):
        raise Conflict(N_("这件意见现在的状态不能这样做。什么都没有改变，请看最新的进展。"))
    submissions.act(
        session, pen, ticket, case_id=case.id, box_id=case.box_id, kind=kind, value=value, text=text
    )


def withdraw(session: Session, pen: Pen, ticket: Ticket) -> None:
    """Take the opinion back, at once: its text and thread are destroyed, its leaf stays."""
    case = _held_case(session, ticket)
    if case is None:
        if not submissions.withdraw_lying(session, pen, ticket):
            raise Conflict(N_("没有可以撤回的意见：它可能已经撤回或烧毁了。"))
        return
    if case.state is State.WITHDRAWN:
        return
    record.move(session, case, Move.WITHDRAW, pen.today)
    item_ids = [item.item_id for item in record.thread_items(session, case.id)]
    session.execute(sa.delete(ThreadItem).where(ThreadItem.case_id == case.id))
    sealing.destroy(session, item_ids)
    session.execute(sa.delete(Answer).where(Answer.case_id == case.id))
    if ticket.keys is not None:
        submissions.destroy_lying_acts(session, pen, ticket.keys)


def burn(session: Session, pen: Pen, ticket: Ticket) -> None:
    """Part the receipt from everything, at once: the code opens nothing, the opinion stays."""
    submissions.burn_lying(session, pen, ticket)
    case = _held_case(session, ticket)
    if case is None:
        return
    case.lookup_id = None
    case.receipt_key = None
    session.flush()
    sealing.burn_receipt_wraps(
        session, [item.item_id for item in record.thread_items(session, case.id)]
    )


def receipt_file(page: ThreadPage) -> dict[str, object]:
    """The receipt as `yanlu-receipt/1`; proof and checkpoint are null until it is in the log."""
    content = page.content
    if content is None:
        raise Conflict(N_("这件意见已经撤回，没有可以保存的内容了。"))
    committed = crypto.commitment(content.nonce, content.text, [])
    return {
        "format": "yanlu-receipt/1",
        "text": content.text,
        "attachments": [],
        "nonce": content.nonce.hex(),
        "commitment": committed.hex(),
        "promise": content.promise,
        "proof": None,
        "checkpoint": None,
    }
