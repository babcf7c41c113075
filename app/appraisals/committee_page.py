"""A member's appraisal as the committee sees it, inside an unlocked session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.appraisals import (
    gathered,
    links,
    occasions,
    plan,
    record,
    retention,
    self_appraisal,
    written,
)
from app.appraisals.feedback import Feedback
from app.appraisals.gathered import Gathered
from app.appraisals.models import Appraisal, MemberLink, Purpose, TextKind
from app.appraisals.occasions import Standing
from app.appraisals.plan import ShownItem
from app.appraisals.record import Words
from app.appraisals.workflow import Move, State, legal
from app.appraisals.written import Written
from app.cases.queue import Unlocked
from app.evaluations import results
from app.evaluations.results import MemberResult
from app.organisation import service as organisation
from app.organisation.service import Branch


@dataclass(frozen=True)
class Search:
    """Which opinions to show: those with these words (none: the member's name), and these cases."""

    words: str = ""
    cases: Sequence[str] = ()


@dataclass(frozen=True)
class Head:
    """Whose appraisal it is and where it stands."""

    id: str
    occasion_id: str
    version: int
    state: State
    standing: Standing
    member_name: str
    member_number: str
    branch: Branch
    occasion: str
    own_questions: bool
    delivered_by: str | None
    links: tuple[tuple[Purpose, dt.date], ...]
    gone_on: dt.date | None
    kept_until: dt.date


@dataclass(frozen=True)
class CommitteePage(Head):
    """Everything of one member's appraisal that the unlocked keys open.

    `gathered` holds the opinions that name the member (or hold what was searched for) and those
    cited already; `moves` what may be done now; `links` what is out, with its last day.
    """

    questions: tuple[str, ...]
    own: Words | None
    answers: tuple[str, ...]
    written: Written
    needs_second_eyes: bool
    results: tuple[MemberResult, ...]
    gathered: tuple[Gathered, ...]
    plan: tuple[ShownItem, ...]
    plan_before: tuple[ShownItem, ...]
    delivered: tuple[Feedback, ...]
    replies: tuple[Words, ...]
    talks: tuple[Words, ...]
    moves: frozenset[Move]

    @property
    def answered(self) -> list[tuple[str, str]]:
        """The questions that the member answered, each with the answer."""
        pairs = zip(self.questions, self.answers, strict=True)
        return [(question, answer) for question, answer in pairs if answer.strip()]

    def rounds_since(self, item: ShownItem) -> list[MemberResult]:
        """Confirmed rounds on this member after an item was called done."""
        return plan.later(self.results, item.done_on)


def committee_page(
    session: Session,
    desk: Unlocked,
    appraisal_id: str,
    now: dt.datetime,
    zone: dt.tzinfo,
    search: Search,
) -> CommitteePage:
    """The page, every text opened by these keys. Raises NotFound."""
    found = record.get(session, desk, appraisal_id)
    words = record.opened(session, desk, record.texts(session, found.id))
    own = record.newest(words, TextKind.SELF)
    asked = self_appraisal.questions_of(session, found)
    text = Written.of(record.newest(words, TextKind.WRITTEN))
    moves = frozenset(move for move in Move if legal(found.state, move))
    here, before = plan.of_member(session, desk, found, now.astimezone(zone).date())
    return CommitteePage(
        **vars(_head(session, found, now, zone)),
        questions=asked,
        own=own,
        answers=tuple(self_appraisal.answers_in(own, len(asked))),
        written=text,
        needs_second_eyes=written.needs_second_eyes(session, desk, found),
        results=results.of_member(session, found.member_id),
        gathered=_gathered(session, desk, found, search, text) if Move.DRAFT in moves else (),
        plan=tuple(here),
        plan_before=tuple(before),
        delivered=tuple(Feedback.of(w) for w in words if w.kind is TextKind.FEEDBACK),
        replies=tuple(w for w in words if w.kind is TextKind.REPLY),
        talks=tuple(w for w in words if w.kind is TextKind.ORAL),
        moves=moves if found.gone_on is None else moves & {Move.REMOVE},
    )


def _head(session: Session, found: Appraisal, now: dt.datetime, zone: dt.tzinfo) -> Head:
    occasion = record.occasion_of(session, found)
    member = record.member_of(session, found)
    out = _links(session, found.id, now)
    return Head(
        id=found.id,
        occasion_id=occasion.id,
        version=found.version,
        state=found.state,
        standing=occasions.standing(found, asked=any(p is Purpose.SELF for p, _ in out)),
        member_name=member.name,
        member_number=member.number,
        branch=organisation.branches_of_boxes(session, [occasion.box_id])[occasion.box_id],
        occasion=occasion.name,
        own_questions=bool(occasion.questions),
        delivered_by=found.delivered_by,
        links=tuple((purpose, at.astimezone(zone).date()) for purpose, at in out),
        gone_on=found.gone_on,
        kept_until=retention.destroyed_on(session, found),
    )


def _links(
    session: Session, appraisal_id: str, now: dt.datetime
) -> list[tuple[Purpose, dt.datetime]]:
    out: list[MemberLink | None] = [links.of(session, appraisal_id, p) for p in Purpose]
    return [(link.purpose, link.expires_at) for link in out if link and link.expires_at > now]


def _gathered(
    session: Session, desk: Unlocked, found: Appraisal, search: Search, text: Written
) -> tuple[Gathered, ...]:
    box_id = record.occasion_of(session, found).box_id
    words = search.words.strip() or record.member_of(session, found).name
    cited = dict.fromkeys([*search.cases, *(one.case_id for one in text.cited)])
    return tuple(gathered.find(session, desk, box_id, words, cited))
