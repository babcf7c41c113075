"""The speaker's side of a case: what the receipt opens, and what its holder may do."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app import crypto
from app.cases import enclosed, merging, record, recourse, removal, terms
from app.cases.models import Author, Case, Channel, ItemKind, ThreadItem
from app.cases.workflow import Move, State, legal
from app.clock import first_friday_after
from app.crypto import ReceiptKeys
from app.errors import N_, Conflict
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.sealing import service as sealing
from app.sealing.attachments import Attachment
from app.sealing.models import BoxKey
from app.submissions import service as submissions
from app.submissions.lying import LyingAct, LyingDrop, LyingLeaf
from app.submissions.service import Act, Content, Pen
from app.submissions.ticket import Ticket
from app.transparency import log
from app.transparency.log import Standing

KINDS = {
    "rate": ItemKind.RATING,
    "publish": ItemKind.CONSENT,
    "appeal": ItemKind.APPEAL,
    "blamed": ItemKind.BLAMED,
}
_OUTCOMES = {ItemKind.DECLINE: "declined", ItemKind.ANSWER: "answered"}
PAST_THE_BRANCH = ("appeal", "blamed")
# A row of the box has room for about this many keys beside the longest message.
MOST_REWRAPS = 40
Ending = Callable[[Session, Pen, Ticket], None]
_ENDED = (State.WITHDRAWN, State.REMOVED)


@dataclass(frozen=True)
class Message:
    """One item of a thread; `written_on` is None while it lies in the box.

    Of a decision `reason` is what its leaf commits to, and `logged` how that leaf stands in the
    public log; empty and None on anything else.
    """

    author: str
    kind: str
    text: str
    written_on: dt.date | None
    logged: Standing | None = None
    outcome: str = ""
    reason: str = ""

    @property
    def lying(self) -> bool:
        """Whether it waits for the next opening."""
        return self.written_on is None


@dataclass(frozen=True)
class ThreadPage:
    """What a receipt shows its holder.

    `with_group`: a supervision group holds it, not the branch. `followed` is the state of the case
    that a merged one follows. `attachments` is None when they are lost. `group_name` is the
    supervision group above the holder. After `closes_on` silence closes it, after `appeal_until`
    no appeal is heard.
    `seen_by_staff`: the code went through the hands of a member of staff.
    """

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
    commitment: bytes
    with_group: bool = False
    group_name: str = ""
    followed: State | None = None
    ground: str = ""
    standing: Standing = Standing.PENDING
    promised_by: dt.date | None = None
    attachments: tuple[Attachment, ...] | None = ()
    seen_by_staff: bool = False
    closes_on: dt.date | None = None
    appeal_until: dt.date | None = None
    blamed_due_on: dt.date | None = None

    @property
    def promise(self) -> str:
        """The signed promise of inclusion, empty once the words are destroyed."""
        return self.content.promise if self.content else ""


def open_thread(session: Session, pen: Pen, keys: ReceiptKeys) -> ThreadPage | None:
    """What this receipt opens; None for unknown, burnt and deleted alike.

    Whatever comes out, the same rows are asked for and something of the same size is opened.
    """
    lying = submissions.lying_drop(session, pen, keys)
    case = record.case_of_receipt(session, keys)
    acts = submissions.lying_acts(session, pen, keys)
    if case is not None:
        page = _case_page(session, pen, case, keys, list(acts.values()))
        return _held_against_log(session, pen, page)
    if lying is not None:
        return _held_against_log(session, pen, _lying_page(session, pen, lying, keys))
    _open_nothing(session, keys)
    log.logged(session, [crypto.drop_leaf(keys.nonce)])
    return None


def _open_nothing(session: Session, keys: ReceiptKeys) -> None:
    """What a case would have cost; `web.keep_level` hides what is still different."""
    items = record.thread_items(session, "")
    sealing.open_items_of_receipt(session, [i.item_id for i in items], keys.private_key)
    organisation.branches_of_boxes(session, [])
    recourse.blamed_due_on(session, "")
    dummy = sealing.seal(b"{}", [], keys.public_key)
    sealing.open_sealed(dummy.ciphertext, dummy.receipt_wrap or b"", keys.private_key)


def known(session: Session, keys: ReceiptKeys) -> bool:
    """Whether an opened case belongs to this receipt: its form was dropped before the opening."""
    return record.case_of_receipt(session, keys) is not None


def _lying_page(
    session: Session, pen: Pen, lying: LyingDrop | LyingLeaf, keys: ReceiptKeys
) -> ThreadPage:
    if isinstance(lying, LyingLeaf):
        return ThreadPage(
            State.WITHDRAWN, "", None, None, (), frozenset({"burn"}), "", None, None, keys,
            lying.commitment,
        )  # fmt: skip
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
        commitment=content.commitment,
        attachments=enclosed.files_of(session, content, enclosed.lock_of(session, pen)),
        seen_by_staff=lying.channel != Channel.WEB,
    )


def _held_against_log(session: Session, pen: Pen, page: ThreadPage) -> ThreadPage:
    """The page with what the public log says of the drop and of each decision; one query."""
    dropped = crypto.drop_leaf(page.commitment)
    leaves = {message: leaf for message in page.messages if (leaf := decision_leaf(page, message))}
    found = log.logged(session, [dropped, *leaves.values()])
    promise = log.read_promise(page.promise, crypto.verify_key(pen.secrets.log_seed))
    by = promise.by if promise else None
    return replace(
        page,
        standing=log.standing(in_log=dropped in found, by=by, today=pen.today),
        promised_by=by,
        messages=tuple(
            replace(message, logged=_standing(message, leaves[message] in found, pen.today))
            if message in leaves
            else message
            for message in page.messages
        ),
    )


def _standing(message: Message, in_log: bool, today: dt.date) -> Standing:
    """A decision stands in the log by the first Friday after its day: each Friday has a run."""
    by = first_friday_after(message.written_on) if message.written_on else None
    return log.standing(in_log=in_log, by=by, today=today)


def decision_leaf(page: ThreadPage, message: Message) -> bytes:
    """The leaf that a message of this thread must have, if it is a decision; else empty."""
    if not message.reason:
        return b""
    nonce = page.ticket_keys.nonce
    return crypto.decision_leaf(page.commitment, message.outcome, message.reason, nonce)


def _case_page(
    session: Session, pen: Pen, case: Case, keys: ReceiptKeys, acts: list[LyingAct]
) -> ThreadPage:
    items = record.thread_items(session, case.id)
    opened = sealing.open_items_of_receipt(session, [i.item_id for i in items], keys.private_key)
    shown = [item for item in items if item.item_id in opened]
    content = next(
        (Content.decode(opened[i.item_id]) for i in shown if i.kind is ItemKind.OPINION), None
    )
    followed = session.get(Case, case.merged_into) if case.merged_into else None
    decline_reason = (followed or case).decline_reason or ""
    messages = [_message(item, opened[item.item_id], decline_reason) for item in shown]
    messages += [_lying_message(act, keys) for act in acts]
    branch = organisation.branches_of_boxes(session, [case.box_id])[case.box_id]
    consents = [m.text for m in messages if m.kind == ItemKind.CONSENT]
    group = _superior(session, branch)
    return ThreadPage(
        state=case.state,
        branch_name=branch.name,
        opened_on=case.opened_on,
        due_on=terms.case_due_on(case),
        closes_on=terms.closes_on(case),
        appeal_until=terms.appeal_until(case),
        messages=tuple(messages),
        moves=moves_of(case, acts, group is not None, pen.today),
        publish=consents[-1] if consents else (content.publish if content else ""),
        rating=case.rating,
        content=content,
        ticket_keys=keys,
        with_group=branch.is_group,
        group_name=group.name if group else "",
        followed=followed.state if followed else None,
        ground=removal.ground_of(session, case.id) or "",
        # Computed anew from what was said: what the database says of it counts for nothing.
        commitment=content.commitment if content else case.commitment,
        attachments=enclosed.files_of(session, content),
        seen_by_staff=case.channel is not Channel.WEB,
        blamed_due_on=recourse.blamed_due_on(session, case.id),
    )


@dataclass(frozen=True)
class _Superior:
    """The supervision group above a case's box, with a key to write to."""

    name: str
    box_id: str
    key: BoxKey


def _superior(session: Session, branch: Branch) -> _Superior | None:
    group = organisation.superior(session, branch.id)
    key = sealing.current_box_key(session, group.box_id) if group and group.box_id else None
    if group is None or group.box_id is None or key is None:
        return None
    return _Superior(group.name, group.box_id, key)


def _message(item: ThreadItem, raw: bytes, decline_reason: str) -> Message:
    """An item as its speaker reads it; of a decision with outcome and reason as its leaf has them.

    The leaf of a refusal commits to its reason's name, every other one to the words themselves.
    """
    text, outcome, reason = record.text_of(raw), _OUTCOMES.get(item.kind, ""), ""
    if item.kind is ItemKind.RULING:
        outcome = record.outcome_of(raw)
    if outcome:
        reason = hashlib.sha256(text.encode()).hexdigest()
    if item.kind is ItemKind.DECLINE:
        reason = decline_reason
    return Message(item.author, item.kind, text, item.written_on, outcome=outcome, reason=reason)


def _lying_message(act: LyingAct, keys: ReceiptKeys) -> Message:
    raw = sealing.open_sealed(
        act.sealed.ciphertext, act.sealed.receipt_wrap or b"", keys.private_key
    )
    kind = KINDS.get(act.act, ItemKind.MESSAGE)
    return Message(Author.SPEAKER, kind, record.text_of(raw), None)


def moves_of(case: Case, acts: list[LyingAct], has_group: bool, today: dt.date) -> frozenset[str]:
    """What the holder may do now, what still lies in the box taken into account.

    An appeal is possible once, within 30 days; "I was blamed" as long as there is a group.
    """
    if case.state in _ENDED:
        return frozenset({"burn"})
    moves = {"reply", "publish", "burn", "file"}
    if legal(case.state, Move.WITHDRAW):
        moves.add("withdraw")
    if case.state is State.ANSWERED and not any(act.act == "rate" for act in acts):
        moves.add("rate")
    if has_group:
        moves.add("blamed")
        in_time = today <= terms.appeal_until(case)
        appealed = case.appeals > 0 or any(act.act == "appeal" for act in acts)
        if legal(case.state, Move.APPEAL) and in_time and not appealed:
            moves.add("appeal")
    return frozenset(moves)


def _held_case(session: Session, ticket: Ticket) -> Case | None:
    return record.case_of_receipt(session, ticket.keys) if ticket.keys else None


def act(session: Session, pen: Pen, ticket: Ticket, kind: str, value: str, text: str) -> None:
    """Put a reply, a rating, a consent, an appeal or "I was blamed" into the box.

    The last two are sealed to the supervision group alone, with what lets it read the thread.
    Raises Conflict where the state forbids it. The same form sent twice counts once.
    """
    case = _held_case(session, ticket)
    if case is None or ticket.keys is None:
        raise Conflict(N_("意见还在箱子里，开箱以后才能补充。要改动，可以先撤回，再重新投递。"))
    lying = list(submissions.lying_acts(session, pen, ticket.keys).values())
    repeated = any(there.ticket_id == ticket.id and there.act == kind for there in lying)
    branch = organisation.branches_of_boxes(session, [case.box_id])[case.box_id]
    group = _superior(session, branch)
    if not repeated and kind not in moves_of(case, lying, group is not None, pen.today):
        raise Conflict(N_("这件意见现在的状态不能这样做。什么都没有改变，请看最新的进展。"))
    if kind in PAST_THE_BRANCH and group is not None:
        deed = _to_group(session, case, ticket.keys, group, kind, text)
    else:
        readers = [sealing.current_box_key(session, case.box_id)]
        if case.state is State.APPEALED and group is not None:
            readers.append(group.key)
        known = tuple(key for key in readers if key is not None)
        deed = Act(case.id, case.box_id, kind, known, value, text)
    submissions.act(session, pen, ticket, deed)


def _to_group(
    session: Session, case: Case, keys: ReceiptKeys, group: _Superior, kind: str, text: str
) -> Act:
    items = [item.item_id for item in record.thread_items(session, case.id)]
    chosen = items[:1] + items[1:][-(MOST_REWRAPS - 1) :]
    wraps = sealing.wraps_by_receipt(session, chosen, keys.private_key, group.key)
    return Act(case.id, group.box_id, kind, (group.key,), "", text, group.key.id, wraps)


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
    record.destroy_words(session, case, pen.secrets.instance_secret)
    merging.split_all(session, case, pen.today)
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
