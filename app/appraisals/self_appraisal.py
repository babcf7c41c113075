"""Self-appraisals: a draft that only its member opens, handed in by link or copied from paper."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app.appraisals import links, questions, record
from app.appraisals.links import Issued, OpenLink
from app.appraisals.models import Appraisal, Channel, MemberLink, Purpose, TextKind
from app.appraisals.record import Words
from app.appraisals.workflow import Move, legal, next_state
from app.cases.queue import Unlocked
from app.errors import N_, Conflict, Invalid
from config import Secrets

MAX_ANSWER = 1200
_OWN = (TextKind.SELF_DRAFT, TextKind.SELF)


def questions_of(session: Session, appraisal: Appraisal) -> tuple[str, ...]:
    """What this self-appraisal answers."""
    return questions.asked(record.occasion_of(session, appraisal).questions)


def answers_in(words: Words | None, count: int) -> list[str]:
    """The answers of a text, one for each question; empty ones where there is none."""
    found = words.content.get("answers", []) if words else []
    listed = [str(answer) for answer in found] if isinstance(found, list) else []
    return (listed + [""] * count)[:count]


def own_words(session: Session, opened: OpenLink) -> Words | None:
    """What the member wrote through this link: the self-appraisal, else the draft."""
    found = record.texts(session, opened.appraisal.id, _OWN)
    mine = record.opened_by_link(session, found, opened.link.id, opened.private_key)
    return record.newest(mine, TextKind.SELF) or record.newest(mine, TextKind.SELF_DRAFT)


def may_write(session: Session, opened: OpenLink) -> bool:
    """Whether this link still takes a self-appraisal: it was not handed in by it already."""
    return legal(opened.appraisal.state, Move.HAND_IN) and not _handed_in_by(session, opened)


def _handed_in_by(session: Session, opened: OpenLink) -> bool:
    there = record.texts(session, opened.appraisal.id, (TextKind.SELF,))
    return any(text.link_id == opened.link.id for text in there)


def require_may_write(session: Session, opened: OpenLink) -> None:
    """Raises Conflict when it was handed in already, or the committee has finished."""
    next_state(opened.appraisal.state, Move.HAND_IN)
    if _handed_in_by(session, opened):
        raise Conflict(
            N_("自评已经交上去了，这里不能再改。要改，请支部再给您一个链接。什么都没有改变。")
        )


def save(session: Session, opened: OpenLink, answers: Sequence[str], today: dt.date) -> None:
    """Keep a draft: sealed to the link's key alone, so the committee can't read it.

    Raises Conflict.
    """
    require_may_write(session, opened)
    _put(session, opened.appraisal, TextKind.SELF_DRAFT, answers, today, opened.link)


def hand_in(session: Session, opened: OpenLink, answers: Sequence[str], today: dt.date) -> None:
    """Give the self-appraisal to the committee; the same words once more change nothing.

    Raises Conflict, Invalid (field `answer-1`).
    """
    if _handed_in_by(session, opened) and _same(own_words(session, opened), answers):
        return
    require_may_write(session, opened)
    _require_some(answers)
    _hand_in(session, opened.appraisal, answers, today, Channel.LINK, opened.link)


def _same(words: Words | None, answers: Sequence[str]) -> bool:
    return words is not None and words.content.get("answers") == list(answers)


def copy_from_paper(
    session: Session, appraisal: Appraisal, answers: Sequence[str], today: dt.date
) -> None:
    """Key in what a member gave on paper, as given; a link that is out is revoked.

    Raises Conflict, Invalid (field `answer-1`).
    """
    _require_some(answers)
    links.revoke(session, appraisal, Purpose.SELF)
    _hand_in(session, appraisal, answers, today, Channel.PAPER, None)


def _require_some(answers: Sequence[str]) -> None:
    if not any(answer.strip() for answer in answers):
        raise Invalid(N_("一条都还没有写，没有交上去。哪怕只写一条，也可以交。"), field="answer-1")


def _hand_in(
    session: Session,
    appraisal: Appraisal,
    answers: Sequence[str],
    today: dt.date,
    channel: Channel,
    link: MemberLink | None,
) -> None:
    next_state(appraisal.state, Move.HAND_IN)
    _put(session, appraisal, TextKind.SELF, answers, today, link, channel)
    record.move(appraisal, Move.HAND_IN)
    appraisal.handed_on, appraisal.handed_by = today, channel
    session.flush()


def _put(
    session: Session,
    appraisal: Appraisal,
    kind: TextKind,
    answers: Sequence[str],
    today: dt.date,
    link: MemberLink | None,
    channel: Channel | None = None,
) -> None:
    content: Mapping[str, object] = {"answers": list(answers)}
    # A draft takes the place of a draft; what was handed in stays until something newer is.
    record.replace(session, appraisal, _OWN if kind is TextKind.SELF else (kind,))
    record.put(session, appraisal, kind, content, today, channel=channel, link=link)


def ask(
    session: Session,
    desk: Unlocked,
    appraisal: Appraisal,
    now: dt.datetime,
    today: dt.date,
    secrets: Secrets,
) -> Issued:
    """A link to a self-appraisal; one that was handed in may be changed by the new link.

    What the keeper's keys open of it is where the member goes on from; the committee keeps it until
    another is handed in. Raises Conflict once the committee has finished.
    """
    next_state(appraisal.state, Move.HAND_IN)
    handed = record.opened(session, desk, record.texts(session, appraisal.id, (TextKind.SELF,)))
    issued = links.issue(session, appraisal, Purpose.SELF, desk.staff_id, now, secrets)
    if handed:
        answers = answers_in(handed[-1], len(questions_of(session, appraisal)))
        _put(session, appraisal, TextKind.SELF_DRAFT, answers, today, issued.link)
    return issued
