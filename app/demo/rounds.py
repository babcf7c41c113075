"""The demo county's evaluation rounds: one that was published, one that waits for your vote; every
step by the same services that a real county uses."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app import crypto
from app.evaluations import batches, counting, desk_page, service, slips, urn, voting
from app.evaluations.counting import Scale
from app.evaluations.models import Round, SubjectKind
from app.evaluations.service import Asked, Plan
from app.evaluations.urn import Hands
from app.organisation.models import Unit
from app.staff import keepers
from app.staff.rights import Actor

# How people graded: satisfied, basically, dissatisfied, unknown, blank; in percent.
_MOODS = {"党员": (52, 31, 9, 5, 3), "群众": (38, 34, 18, 7, 3)}
_SLIPS = {"党员": 34, "群众": 52}
_OPEN_SLIPS = {"党员": 8, "群众": 12}
_MEMBERS = 4
_COMMENTS = (
    "会少开一点，事多跑一趟。",
    "公示栏夜里看不见，装盏灯吧。",
    "比去年好，老人上门办证这件事办得实在。",
)


@dataclass(frozen=True)
class Crew:
    """Who holds a round, and its scrutineers with their keys."""

    lead: Actor
    scrutineers: Sequence[Hands]


def actor_of(session: Session, staff_id: str) -> Actor:
    """Somebody of the staff, with their roles."""
    return Actor(staff_id, keepers.roles_of(session, staff_id))


def hold_published(session: Session, unit_id: str, crew: Crew, today: dt.date) -> None:
    """A round of three weeks ago, whose result hangs out."""
    begun, ended = (today - dt.timedelta(days=days) for days in (21, 14))
    asked = [
        *_usual(session, unit_id),
        Asked(SubjectKind.STAGE, "“为群众办实事”第一阶段"),
    ]
    held = _begun(session, unit_id, crew, "第三季度民主评议", asked, _SLIPS, begun, ended)
    chance = random.Random(12380)  # noqa: S311 (the same county each time, no secret)
    words = list(_COMMENTS)
    for group, codes in held.codes.items():
        for code in codes[: len(codes) * 5 // 6]:
            marks = tuple(chance.choices((1, 2, 3, 4, counting.BLANK), _MOODS[group], k=3))
            slip_hash = crypto.slip_hash(code, held.round.salt)
            said = {1: words.pop()} if words else {}
            voting.vote(session, held.round.id, slip_hash, marks, said, ended)
    first, second, *_ = crew.scrutineers
    urn.close(session, first, held.round, ended)
    urn.count(session, second, held.round, urn.open_urn(session, second, held.round), ended)
    urn.confirm(session, first, held.round, ended)
    subjects = service.subjects_of(session, held.round.id)
    verdicts = {subjects[1].id: "办事公道，就是开会多了些，下半年减下来。"}
    published_on = ended + dt.timedelta(days=2)
    service.publish(session, crew.lead, held.round, verdicts, published_on)


def hold_open(session: Session, unit_id: str, crew: Crew, today: dt.date) -> list[str]:
    """A round that is open for two weeks; the slips that were drawn, as they are read."""
    asked = _usual(session, unit_id)
    asked += [
        Asked(SubjectKind.MEMBER, member.name, member.id)
        for member in service.roll(session, unit_id)[:_MEMBERS]
    ]
    ends = today + dt.timedelta(days=14)
    held = _begun(session, unit_id, crew, "第四季度民主评议", asked, _OPEN_SLIPS, today, ends)
    return [
        f"{crypto.display_code(code)}  {group}"
        for group, codes in held.codes.items()
        for code in codes
    ]


def _usual(session: Session, unit_id: str) -> list[Asked]:
    name = session.get_one(Unit, unit_id).name
    return [
        Asked(SubjectKind.BRANCH, name),
        Asked(SubjectKind.COMMITTEE, f"{name}委员会"),
    ]


@dataclass(frozen=True)
class _Begun:
    round: Round
    codes: dict[str, list[str]]


def _begun(
    session: Session,
    unit_id: str,
    crew: Crew,
    title: str,
    asked: list[Asked],
    counts: dict[str, int],
    begins: dt.date,
    ends: dt.date,
) -> _Begun:
    plan = Plan(
        title=title,
        scale=Scale.SATISFACTION,
        closes_on=ends,
        subjects=asked,
        groups=list(counts),
        scrutineers=[hands.staff_id for hands in crew.scrutineers],
        comments=True,
    )
    held = service.draft(session, crew.lead, unit_id, plan, begins)
    service.freeze(session, crew.lead, held)
    drawn = {group: slips.new_codes(count) for group, count in counts.items()}
    for group in service.groups_of(session, held.id):
        made = desk_page.at_desk_list(held, drawn[group.name])
        batches.add(session, held, group.id, made, begins, at_desk=True)
    service.begin(session, crew.lead, held, begins)
    return _Begun(held, drawn)
