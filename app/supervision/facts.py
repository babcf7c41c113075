"""The figures beside the look-back's questions: what was measured, before anybody judges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bulletins.models import Bulletin, BulletinState, Promise
from app.campaigns import progress
from app.campaigns.models import ActionKind, Campaign
from app.campaigns.progress import Standing
from app.cases.models import Case, CaseEvent, CaseTally
from app.cases.queue import overdue_condition
from app.cases.workflow import Move, State
from app.organisation.models import Box
from app.sealing import service as sealing
from app.supervision import measure
from app.supervision.board_query import number
from app.supervision.models import Question

# The actions that a question asks after.
ASKS: Mapping[Question, tuple[ActionKind, ...]] = {
    Question.OPINIONS: (ActionKind.OPINIONS,),
    Question.STUDY: (ActionKind.STUDY,),
    Question.TALKS: (
        ActionKind.TALK_LEADERS,
        ActionKind.TALK_HEADS,
        ActionKind.TALK_MEMBERS,
        ActionKind.TALK_PUBLIC,
    ),
    Question.MATERIALS: (ActionKind.MATERIALS,),
    Question.MEETINGS: (ActionKind.LEADERS_MEETING, ActionKind.BRANCH_MEETING),
    Question.APPRAISAL: (ActionKind.APPRAISAL, ActionKind.FEEDBACK),
    Question.BULLETIN: (ActionKind.BULLETIN,),
}
_NOT_VALID = (State.WITHDRAWN, State.REMOVED, State.MERGED)
_UNDECIDED = (State.WAITING, State.ACCEPTED, State.ASKED)
_LOOKED_AT = (*_NOT_VALID, *_UNDECIDED, State.ANSWERING, State.REOPENED)


@dataclass(frozen=True)
class Fact:
    """A figure: `of` names a kind of action, or `open`, `answered`, `overdue`, `promises`.

    `due` is None where nothing says how much it should be.
    """

    of: str
    done: int
    due: int | None


Facts = Mapping[Question, tuple[Fact, ...]]


def total(facts: Sequence[Fact]) -> tuple[int, int | None]:
    """What stands beside a judgement for good: done and due of all its figures together."""
    counted = [fact for fact in facts if fact.of != "overdue"]
    known = [fact.due for fact in counted if fact.due is not None]
    done = sum(fact.done if fact.due is None else min(fact.done, fact.due) for fact in counted)
    return done, sum(known) if known else None


def of(
    session: Session, campaign: Campaign, unit_ids: Sequence[str], today: dt.date
) -> dict[str, Facts]:
    """The figures of these branches; the same eleven queries for however many."""
    actions = progress.required(session, campaign.id)
    measured = measure.measured(session, campaign, unit_ids)
    lines = progress.standings(session, actions, unit_ids, measured)
    rows = session.execute(sa.select(Box.unit_id, Box.id).where(Box.unit_id.in_(unit_ids)))
    boxes = {unit_id: box_id for unit_id, box_id in rows}  # noqa: C416
    kept = sealing.open_boxes(session, boxes.values())
    cases = _cases(session, list(boxes.values()), campaign.starts_on, today)
    promises = _promises(session, unit_ids, campaign.starts_on)
    return {
        unit_id: _facts(
            lines[unit_id],
            boxes.get(unit_id, "") in kept,
            cases.get(boxes.get(unit_id, ""), (0, 0, 0)),
            promises.get(unit_id, (0, 0)),
        )
        for unit_id in unit_ids
    }


def _facts(
    lines: Sequence[Standing], kept: bool, cases: tuple[int, int, int], promises: tuple[int, int]
) -> Facts:
    by_kind = {line.action.kind: line for line in lines}
    valid, answered, overdue = cases
    found: dict[Question, tuple[Fact, ...]] = {
        Question.BOX: (Fact("open", int(kept), 1),),
        Question.ANSWERS: (Fact("answered", answered, valid), Fact("overdue", overdue, None)),
        Question.PROMISES: (Fact("promises", *promises),),
    }
    for question, kinds in ASKS.items():
        found[question] = tuple(
            Fact(kind, by_kind[kind].done, by_kind[kind].due) for kind in kinds if kind in by_kind
        )
    return {question: found[question] for question in Question}


def _cases(
    session: Session, boxes: list[str], since: dt.date, today: dt.date
) -> dict[str, tuple[int, int, int]]:
    """Valid, answered and overdue cases of each box since a day; of all days for overdue.

    Two queries, by what is missing: all that were received less those that are not valid, and of
    these less those that nobody has decided yet. Both are few; what was answered is not read.
    """
    decided = sa.exists().where(
        CaseEvent.case_id == Case.id, CaseEvent.move.in_((Move.APPROVE, Move.DECLINE))
    )
    # Whoever drafts an answer to a case that was reopened has answered it before.
    undecided = Case.state.in_(_UNDECIDED) | ((Case.state == State.ANSWERING) & ~decided)
    here = Case.opened_on >= since
    missing = sa.select(
        Case.box_id,
        number(here & Case.state.in_(_NOT_VALID)),
        number(here & undecided),
        number(overdue_condition(today)),
    ).where(Case.box_id.in_(boxes), Case.state.in_(_LOOKED_AT))
    less = {row[0]: row[1:] for row in session.execute(missing.group_by(Case.box_id))}
    received = sa.select(CaseTally.box_id, sa.func.sum(CaseTally.received)).where(
        CaseTally.box_id.in_(boxes), CaseTally.opened_on >= since
    )
    found = {box: int(n) for box, n in session.execute(received.group_by(CaseTally.box_id))}
    return {box: _figures(found.get(box, 0), *map(int, less.get(box, (0, 0, 0)))) for box in boxes}


def _figures(received: int, invalid: int, open_: int, overdue: int) -> tuple[int, int, int]:
    return received - invalid, received - invalid - open_, overdue


def _promises(
    session: Session, unit_ids: Sequence[str], since: dt.date
) -> dict[str, tuple[int, int]]:
    """Promises done and made in bulletins of these branches since a day."""
    done = sa.func.sum(sa.case((Promise.done_on.is_not(None), 1), else_=0))
    query = (
        sa.select(Bulletin.unit_id, done, sa.func.count())
        .join(Promise, Promise.bulletin_id == Bulletin.id)
        .where(
            Bulletin.unit_id.in_(unit_ids),
            Bulletin.state == BulletinState.PUBLISHED,
            Bulletin.published_on >= since,
        )
        .group_by(Bulletin.unit_id)
    )
    return {unit: (int(kept), int(made)) for unit, kept, made in session.execute(query)}
