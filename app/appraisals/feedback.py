"""Feedback to the member: delivered privately, acknowledged, answered; oral feedback as given.

What is delivered is sealed to the branch's key and to the key that only the link carries.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.appraisals import links, plan, record, written
from app.appraisals.links import Issued, OpenLink
from app.appraisals.models import Appraisal, AppraisalText, Channel, MemberLink, Purpose, TextKind
from app.appraisals.record import Words
from app.appraisals.workflow import Move, legal, next_state
from app.cases.queue import Unlocked
from app.errors import N_, Conflict, Invalid
from app.evaluations import results
from app.evaluations.results import MemberResult
from app.suppression import Figure
from config import Secrets

MAX_REPLY, MAX_GIST, MAX_WHO = 3000, 3000, 60
MOST_REPLIES = 5
# The newest rounds that asked about the member; older ones were told with earlier appraisals.
MOST_RESULTS = 3


@dataclass(frozen=True)
class ShownResult:
    """What a member may be told of the ballots on them: as anybody else, a figure or a verdict.

    `n` ballots came back; `figure.band` or `figure.shares` as `app.suppression` lets them stand.
    """

    title: str
    grades: tuple[str, ...]
    figure: Figure
    verdict: str

    @classmethod
    def of(cls, result: MemberResult) -> ShownResult:
        """From what the round came to; the exact counts stay with the committee."""
        return cls(result.title, tuple(result.grades), result.figure, result.verdict)

    def encode(self) -> dict[str, object]:
        """As it is sealed into what is delivered: what was told once never changes."""
        return asdict(self)

    @classmethod
    def decode(cls, content: Mapping[str, Any]) -> ShownResult:
        """From `encode`."""
        told = content["figure"]
        band, shares = told["band"], told["shares"]
        figure = Figure(
            told["n"], tuple(band) if band else None, tuple(shares) if shares else None, told["per"]
        )
        return cls(content["title"], tuple(content["grades"]), figure, content["verdict"])


@dataclass(frozen=True)
class Feedback:
    """What a member is given to read: the three parts, what was gathered, what is to be done."""

    achievements: str
    problems: str
    direction: str
    opinions: tuple[str, ...]
    plan: tuple[tuple[str, str, dt.date], ...]
    results: tuple[ShownResult, ...]
    delivered_on: dt.date
    acknowledged_on: dt.date | None

    @classmethod
    def of(cls, words: Words) -> Feedback:
        """From an opened text of this kind."""
        return cls.from_content(words.content, words.written_on, words.acknowledged_on)

    @classmethod
    def from_content(
        cls,
        content: Mapping[str, object],
        delivered_on: dt.date,
        acknowledged_on: dt.date | None = None,
    ) -> Feedback:
        """From what `content_now` gives."""
        opinions, items = content["opinions"], content["plan"]
        rows = items if isinstance(items, list) else []
        shown = content["results"]
        told = shown if isinstance(shown, list) else []
        return cls(
            achievements=str(content["achievements"]),
            problems=str(content["problems"]),
            direction=str(content["direction"]),
            opinions=tuple(map(str, opinions)) if isinstance(opinions, list) else (),
            results=tuple(ShownResult.decode(one) for one in told),
            plan=tuple((str(a), str(b), dt.date.fromisoformat(c)) for a, b, c in rows),
            delivered_on=delivered_on,
            acknowledged_on=acknowledged_on,
        )


# --- delivery -------------------------------------------------------------------------------------


def deliver(
    session: Session,
    desk: Unlocked,
    appraisal: Appraisal,
    now: dt.datetime,
    today: dt.date,
    secrets: Secrets,
) -> Issued:
    """Deliver what is finished by a private link; again, and the former link opens nothing more.

    Raises Conflict.
    """
    next_state(appraisal.state, Move.DELIVER)
    issued = links.issue(session, appraisal, Purpose.FEEDBACK, desk.staff_id, now, secrets)
    _give(session, desk, appraisal, today, Channel.LINK, issued.link)
    return issued


def deliver_on_paper(
    session: Session, desk: Unlocked, appraisal: Appraisal, today: dt.date
) -> None:
    """Say that the printed sheet was handed over; a link that is out dies. Raises Conflict."""
    next_state(appraisal.state, Move.DELIVER)
    links.revoke(session, appraisal, Purpose.FEEDBACK)
    _give(session, desk, appraisal, today, Channel.PAPER, None)


def _give(
    session: Session,
    desk: Unlocked,
    appraisal: Appraisal,
    today: dt.date,
    channel: Channel,
    link: MemberLink | None,
) -> None:
    content = content_now(session, desk, appraisal, today)
    record.put(session, appraisal, TextKind.FEEDBACK, content, today, channel=channel, link=link)
    record.move(appraisal, Move.DELIVER)
    appraisal.delivered_on, appraisal.delivered_by = today, channel
    appraisal.acknowledged_on = appraisal.acknowledged_by = None
    session.flush()


def content_now(
    session: Session, desk: Unlocked, appraisal: Appraisal, today: dt.date
) -> dict[str, object]:
    """What would be delivered now: no case's id, no name but the member's own plan's owners."""
    text = written.current(session, desk, appraisal)
    here, before = plan.of_member(session, desk, appraisal, today)
    return {
        **text.parts,
        "opinions": [one.words for one in text.cited],
        "results": [
            ShownResult.of(one).encode() for one in results.of_member(session, appraisal.member_id)
        ][:MOST_RESULTS],
        "plan": [(i.words, i.owner, i.due_on.isoformat()) for i in (*before, *here)],
    }


def delivered(session: Session, desk: Unlocked, appraisal: Appraisal) -> list[Words]:
    """Everything that was delivered, the oldest first."""
    found = record.texts(session, appraisal.id, (TextKind.FEEDBACK,))
    return record.opened(session, desk, found)


# --- the member's side ----------------------------------------------------------------------------


def received(session: Session, opened: OpenLink) -> Feedback | None:
    """What this link gives its member to read."""
    found = record.texts(session, opened.appraisal.id, (TextKind.FEEDBACK,))
    mine = record.opened_by_link(session, found, opened.link.id, opened.private_key)
    return Feedback.of(mine[-1]) if mine else None


def own_replies(session: Session, opened: OpenLink) -> list[Words]:
    """What the member answered through this link."""
    found = record.texts(session, opened.appraisal.id, (TextKind.REPLY,))
    return record.opened_by_link(session, found, opened.link.id, opened.private_key)


def may_acknowledge(appraisal: Appraisal) -> bool:
    """Whether "I have read it" is still to be said."""
    return legal(appraisal.state, Move.ACKNOWLEDGE)


def may_reply(appraisal: Appraisal) -> bool:
    """Whether an answer can be given now: not while the committee is writing anew."""
    return legal(appraisal.state, Move.REPLY)


def acknowledge(session: Session, appraisal: Appraisal, today: dt.date, channel: Channel) -> None:
    """Keep the day on which the member said that they had read it. Raises Conflict.

    Acknowledging isn't agreeing: the page and the sheet say so.
    """
    record.move(appraisal, Move.ACKNOWLEDGE)
    appraisal.acknowledged_on, appraisal.acknowledged_by = today, channel
    _last_given(session, appraisal).acknowledged_on = today
    session.flush()


def _last_given(session: Session, appraisal: Appraisal) -> AppraisalText:
    given = record.texts(session, appraisal.id, (TextKind.FEEDBACK,))
    link = links.of(session, appraisal.id, Purpose.FEEDBACK)
    by_link = [text for text in given if link is not None and text.link_id == link.id]
    return (by_link or given)[-1]


def said_already(session: Session, opened: OpenLink, words: str, today: dt.date) -> bool:
    """Whether this is what the member said last, today: a form that was sent twice."""
    said = own_replies(session, opened)
    if not said:
        return False
    return said[-1].content.get("words") == words.strip() and said[-1].written_on == today


def reply(
    session: Session,
    appraisal: Appraisal,
    words: str,
    today: dt.date,
    channel: Channel,
    link: MemberLink | None = None,
) -> None:
    """The member's answer, sealed to the committee; their own link goes on showing it.

    Whether it is a form that was sent twice is for `said_already` to ask. Raises Conflict, Invalid
    (field `reply`).
    """
    next_state(appraisal.state, Move.REPLY)
    if not words.strip():
        raise Invalid(N_("还没有写字，什么都没有交。请写好再交。"), field="reply")
    if len(record.texts(session, appraisal.id, (TextKind.REPLY,))) >= MOST_REPLIES:
        raise Conflict(N_("已经说过五次了，这里记不下了。请直接找支部谈，什么都没有改变。"))
    content = {"words": words.strip()}
    record.put(session, appraisal, TextKind.REPLY, content, today, channel=channel, link=link)
    record.move(appraisal, Move.REPLY)
    appraisal.replied_on = today
    session.flush()


# --- oral feedback --------------------------------------------------------------------------------


def note_oral(
    session: Session,
    appraisal: Appraisal,
    who: str,
    on: dt.date | None,
    gist: str,
    today: dt.date,
) -> None:
    """Record feedback that was given by word of mouth: who spoke, on which day, the gist.

    Raises Invalid (fields `who`, `on`, `gist`), Conflict.
    """
    record.require_words(appraisal)
    who, gist = " ".join(who.split()), gist.strip()
    if not who or not gist:
        raise Invalid(
            N_("请写明是谁谈的、谈了什么。没有存下，您写的都还在。"),
            field="gist" if who else "who",
        )
    if on is None or on > today:
        raise Invalid(N_("请写谈话的日子，不能晚于今天。没有存下，您写的都还在。"), field="on")
    content = {"who": who, "on": on.isoformat(), "gist": gist}
    record.put(session, appraisal, TextKind.ORAL, content, today)
