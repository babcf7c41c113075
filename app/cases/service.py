"""The committee's moves: accept, ask, decline, draft, discard, approve; and the case they see."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases import answers, merging, record, recourse
from app.cases.models import (
    Answer,
    Author,
    Case,
    DeclineReason,
    ItemKind,
    ThreadItem,
)
from app.cases.queue import Unlocked
from app.cases.workflow import Move
from app.errors import N_, Conflict, Forbidden, Invalid, NotFound
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.sealing import service as sealing
from app.submissions.service import Content, Publish
from app.transparency import log

MAX_ANSWER = 5000
MAX_SUMMARY = 1000
MAX_SENTENCE = 1000
MOVED_MEANWHILE = N_(
    "您看着的时候，这一件刚有了新的变动。什么都没有覆盖，您写的还在下面，请先看最新的情况。"
)


@dataclass(frozen=True)
class Draft:
    """An answer on its way: Markdown for the speaker, a paraphrase for the public."""

    answer: str
    summary: str
    by: str

    def encode(self) -> bytes:
        """As bytes to be sealed; `text` is the answer, as in every item of a thread."""
        content = {"text": self.answer, "summary": self.summary, "by": self.by}
        return json.dumps(content, ensure_ascii=False).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Draft:
        """From the bytes of `encode`."""
        content = json.loads(raw)
        return cls(content["text"], content["summary"], content["by"])


def get(session: Session, desk: Unlocked, case_id: str, version: int | None = None) -> Case:
    """A case of this person's boxes, or one that was taken to their supervision group.

    With `version` (the one that their page showed) a case that somebody else has moved since is
    refused. Raises NotFound, Forbidden, Conflict.
    """
    case = session.get(Case, case_id)
    if case is None:
        raise NotFound(N_("没有这件办件。它可能已经转走，请回到办件列表。"))
    if case.box_id not in desk.box_ids and not recourse.reached(session, case.id, desk.box_ids):
        raise Forbidden(N_("这件意见投在别的意见箱里，您不是那里的保管人，看不到。"))
    if version is not None and version != case.version:
        raise Conflict(MOVED_MEANWHILE)
    return case


def require_kept(desk: Unlocked, case: Case) -> None:
    """The branch's own moves are for its keepers alone. Raises Forbidden."""
    if case.box_id not in desk.box_ids:
        raise Forbidden(N_("这件意见在支部手里，监督组不能替它办。什么都没有改变。"))


def about(session: Session, desk: Unlocked, case: Case) -> str:
    """Whom the opinion is about, as its speaker chose."""
    return _opened_content(session, desk, case).about


def branch_of(session: Session, case: Case) -> Branch:
    """The unit that a case's box belongs to."""
    return organisation.branches_of_boxes(session, [case.box_id])[case.box_id]


def content_in(shown: list[tuple[ThreadItem, bytes]]) -> Content | None:
    """The opinion among these opened items."""
    return next((Content.decode(raw) for i, raw in shown if i.kind is ItemKind.OPINION), None)


def consent_in(shown: list[tuple[ThreadItem, bytes]], content: Content | None) -> str:
    """What the speaker allows to be published: the latest word counts."""
    later = [record.text_of(raw) for item, raw in shown if item.kind is ItemKind.CONSENT]
    return later[-1] if later else (content.publish if content else Publish.NO)


def accept(session: Session, case: Case, today: dt.date) -> None:
    """The committee takes the opinion up; the term for the answer runs on from the opening."""
    record.move(session, case, Move.ACCEPT, today)


def ask(session: Session, case: Case, question: str, today: dt.date) -> None:
    """Ask the speaker something; the clock stands still, ten working days at most.

    Raises Invalid (field `message`), Conflict when the receipt was burnt.
    """
    if not question.strip():
        raise Invalid(N_("还没有写要问什么，什么都没有发出。请写好再问。"), field="message")
    if case.lookup_id is None:
        raise Conflict(N_("来件人已经把回执烧了，问了也没有人看得到。请按现有的内容办。"))
    record.move(session, case, Move.ASK, today)
    _tell(session, case, ItemKind.QUESTION, record.words(question), today)


def decline(
    session: Session,
    desk: Unlocked,
    case: Case,
    reason: DeclineReason,
    sentence: str,
    today: dt.date,
) -> None:
    """Decline for a reason of the short list, with a sentence to the speaker. A leaf of the log."""
    if not sentence.strip():
        raise Invalid(
            N_("不予采纳，总要对人家说一句为什么。请写上这句话，别的都还在。"), field="message"
        )
    record.move(session, case, Move.DECLINE, today)
    case.decline_reason = reason
    content = _opened_content(session, desk, case)
    _tell(session, case, ItemKind.DECLINE, record.words(sentence), today)
    merging.tell_followers(session, desk, case, ItemKind.DECLINE, record.words(sentence), today)
    log.append(session, [crypto.decision_leaf(case.commitment, "declined", reason, content.nonce)])
    session.flush()


def _opened_content(session: Session, desk: Unlocked, case: Case) -> Content:
    content = record.opinion_of(session, desk.keys, case)
    if content is None:
        raise Forbidden(N_("您手里的钥匙打不开这一件，请找同箱的保管人办理。"))
    return content


def _tell(session: Session, case: Case, kind: ItemKind, raw: bytes, today: dt.date) -> None:
    record.tell(session, case, kind, raw, today, group=branch_of(session, case).is_group)


def draft(
    session: Session, desk: Unlocked, case: Case, answer: str, summary: str, today: dt.date
) -> None:
    """Keep an answer as a draft, sealed to the box alone: the speaker doesn't see it yet."""
    if not answer.strip():
        raise Invalid(N_("答复还是空的，没有存下。请写上答复，再存草稿。"), field="answer")
    record.move(session, case, Move.DRAFT, today)
    key = sealing.current_box_key(session, case.box_id)
    sealed = sealing.seal(
        Draft(answer, summary, desk.staff_id).encode(), [key] if key else [], None
    )
    record.add_item(session, case, ItemKind.DRAFT, Author.DESK, sealed, today)


def discard(session: Session, case: Case, today: dt.date) -> None:
    """Take a draft back to be rewritten; its words stay in the desk's form."""
    record.move(session, case, Move.DISCARD, today)


def approve(session: Session, desk: Unlocked, case: Case, today: dt.date) -> None:
    """Give the drafted answer to the speaker, and publish it as far as the speaker allowed.

    What is published beside it is the committee's paraphrase, or the speaker's own words where the
    speaker allowed them and no paraphrase was written; nothing where the speaker said no. Where
    the box asks for a second pair of eyes, somebody other than the drafter approves. A leaf.
    """
    items = record.thread_items(session, case.id)
    opened = sealing.open_items_at_desk(session, [item.item_id for item in items], desk.keys)
    shown = [(item, opened[item.item_id]) for item in items if item.item_id in opened]
    drafts = [(item, Draft.decode(raw)) for item, raw in shown if item.kind is ItemKind.DRAFT]
    record.move(session, case, Move.APPROVE, today)
    if not drafts:
        raise Forbidden(N_("您手里的钥匙打不开这份草稿，请找同箱的保管人办理。"))
    last = drafts[-1][1]
    if branch_of(session, case).second_eyes and last.by == desk.staff_id:
        raise Forbidden(N_("这个意见箱要两个人把关：草稿是您写的，请另一位保管人来发布。"))
    content = _opened_content(session, desk, case)
    _tell(session, case, ItemKind.ANSWER, record.words(last.answer), today)
    merging.tell_followers(session, desk, case, ItemKind.ANSWER, record.words(last.answer), today)
    _publish(session, case, last, content, consent_in(shown, content), today)
    _drop_drafts(session, case, [item.item_id for item, _ in drafts])
    reason = hashlib.sha256(last.answer.encode()).hexdigest()
    log.append(session, [crypto.decision_leaf(case.commitment, "answered", reason, content.nonce)])


def _publish(
    session: Session, case: Case, draft: Draft, content: Content, consent: str, today: dt.date
) -> None:
    if consent == Publish.NO:
        return
    summary = draft.summary.strip()
    if not summary and consent == Publish.WORDS:
        summary = content.text
    if not summary:
        return
    answers.publish(
        session,
        Answer(
            case_id=case.id,
            box_id=case.box_id,
            published_on=today,
            summary=summary,
            answer=draft.answer,
        ),
    )


def _drop_drafts(session: Session, case: Case, item_ids: list[str]) -> None:
    session.execute(
        sa.delete(ThreadItem).where(ThreadItem.case_id == case.id, ThreadItem.item_id.in_(item_ids))
    )
    sealing.destroy(session, item_ids)
