"""What is overdue is told step by step: to the branch, then to its group, then to the leader who
answers for it.

Overdue counts in working days. A step is taken once about whatever fell due on one day, one step a
day, so that nobody is passed over; only where somebody can be told. Messages carry numbers and a
link: what is overdue was opened, what lies in a box is in no number here.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.campaigns import progress
from app.campaigns import service as campaigns
from app.campaigns.models import BranchProgress
from app.cases import terms
from app.cases.models import Case, Recourse
from app.cases.queue import overdue_condition
from app.clock import working_days_between
from app.notifications import outbox
from app.notifications.models import Channel
from app.notifications.outbox import Message
from app.organisation.models import Box, ContactPoint, Unit, UnitKind
from app.supervision import measure
from app.supervision.models import LookBack, MakeUpTask, Matter, OverdueStep, Step

# Working days after the last day of a term from which on a step is due.
AFTER = {Step.REMIND: 1, Step.GROUP: 4, Step.LEADER: 9}
KINDS = {step: f"overdue_{step}" for step in Step}


@dataclass(frozen=True)
class Overdue:
    """So many things of one sort that fell due at a branch, or a group, on one day."""

    unit_id: str
    matter: Matter
    due_on: dt.date
    number: int


@dataclass
class Told:
    """What one channel is told: at how many branches how much is overdue."""

    units: set[str] = field(default_factory=set)
    numbers: Counter[Matter] = field(default_factory=Counter)


# --- what is overdue ------------------------------------------------------------------------------


def overdue(session: Session, today: dt.date) -> list[Overdue]:
    """Everything that is overdue today, computed from dates and calendar; nothing is stored."""
    return [
        *_cases(session, today),
        *_actions(session, today),
        *_tasks(session, today),
        *_recourses(session, today),
    ]


def _cases(session: Session, today: dt.date) -> Iterable[Overdue]:
    again = sa.case((Case.reopenings + Case.appeals > 0, 1), else_=0)
    query = (
        sa.select(Box.unit_id, Case.state, Case.clock_on, again, sa.func.count())
        .join(Box, Box.id == Case.box_id)
        .where(overdue_condition(today))
        .group_by(Box.unit_id, Case.state, Case.clock_on, again)
    )
    found: Counter[tuple[str, dt.date]] = Counter()
    for unit_id, state, clock_on, restarts, number in session.execute(query):
        due = terms.due_on(state, clock_on, restarts)
        if due is not None:
            found[unit_id, due] += number
    return _lines(Matter.CASES, found)


def _actions(session: Session, today: dt.date) -> Iterable[Overdue]:
    """Required actions of stages that are over, at branches that were behind at the last count."""
    found: Counter[tuple[str, dt.date]] = Counter()
    for campaign in campaigns.running(session):
        actions = progress.required(session, campaign.id)
        query = sa.select(BranchProgress.unit_id).where(
            BranchProgress.campaign_id == campaign.id, BranchProgress.late > 0
        )
        behind = list(session.scalars(query.order_by(BranchProgress.unit_id)))
        for some in progress.batches(behind):
            measured = measure.measured(session, campaign, some)
            for unit_id, lines in progress.standings(session, actions, some, measured).items():
                for line in lines:
                    if line.late(today):
                        found[unit_id, line.action.last_day] += 1
    return _lines(Matter.ACTIONS, found)


def _tasks(session: Session, today: dt.date) -> Iterable[Overdue]:
    query = (
        sa.select(LookBack.unit_id, MakeUpTask.due_on, sa.func.count())
        .join(LookBack, LookBack.id == MakeUpTask.look_back_id)
        .where(
            LookBack.verdict.is_not(None),
            MakeUpTask.done_on.is_(None),
            MakeUpTask.due_on < today,
        )
        .group_by(LookBack.unit_id, MakeUpTask.due_on)
    )
    rows = session.execute(query)
    return _lines(Matter.TASKS, Counter({(unit, due): number for unit, due, number in rows}))


def _recourses(session: Session, today: dt.date) -> Iterable[Overdue]:
    query = (
        sa.select(Box.unit_id, Recourse.raised_on, sa.func.count())
        .join(Box, Box.id == Recourse.group_box_id)
        .where(
            Recourse.decided_on.is_(None),
            Recourse.raised_on <= terms.recourse_overdue_since(today),
        )
        .group_by(Box.unit_id, Recourse.raised_on)
    )
    found: Counter[tuple[str, dt.date]] = Counter()
    for unit_id, raised_on, number in session.execute(query):
        found[unit_id, terms.recourse_due_on(raised_on)] += number
    return _lines(Matter.RECOURSES, found)


def _lines(matter: Matter, found: Counter[tuple[str, dt.date]]) -> list[Overdue]:
    return [Overdue(unit, matter, due, number) for (unit, due), number in sorted(found.items())]


# --- whom it is told ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipients:
    """The channels of units and of leaders, and who stands above whom."""

    desks: Mapping[str, list[str]]
    leaders: Mapping[str, list[str]]
    above: Mapping[str, str]
    leader_of: Mapping[str, str]
    county_id: str
    groups: frozenset[str]

    def of(self, step: Step, unit_id: str) -> list[str]:
        """The channels that hear of a step. Above a group stands the one that reviews it, and
        then the county's office."""
        if step is Step.REMIND:
            return self.desks.get(unit_id, [])
        if step is Step.GROUP:
            return self.desks.get(self.above.get(unit_id, ""), [])
        if unit_id in self.groups:
            return self.desks.get(self.county_id, [])
        return self.leaders.get(self.leader_of.get(unit_id, ""), [])


def recipients(session: Session, unit_ids: Iterable[str]) -> Recipients:
    """Whom steps about these units are told; four queries."""
    desks: dict[str, list[str]] = defaultdict(list)
    leaders: dict[str, list[str]] = defaultdict(list)
    channels = sa.select(Channel.id, Channel.unit_id, Channel.leader_id).order_by(Channel.id)
    for channel_id, unit_id, leader_id in session.execute(channels):
        (leaders[leader_id] if leader_id else desks[unit_id]).append(channel_id)
    parent, top = aliased(Unit), aliased(Unit)
    group = sa.func.coalesce(Unit.group_id, parent.group_id, top.group_id)
    query = (
        sa.select(Unit.id, Unit.kind, group)
        .outerjoin(parent, Unit.parent_id == parent.id)
        .outerjoin(top, parent.parent_id == top.id)
        .where(Unit.id.in_(list(unit_ids)))
    )
    rows = session.execute(query).all()
    points = session.execute(sa.select(ContactPoint.unit_id, ContactPoint.leader_id))
    county = session.scalar(sa.select(Unit.id).where(Unit.kind == UnitKind.COUNTY))
    return Recipients(
        desks=desks,
        leaders=leaders,
        above={unit_id: above for unit_id, _, above in rows if above},
        leader_of={unit_id: leader_id for unit_id, leader_id in points},  # noqa: C416
        county_id=county or "",
        groups=frozenset(unit_id for unit_id, kind, _ in rows if kind is UnitKind.GROUP),
    )


# --- the steps ------------------------------------------------------------------------------------


def take(session: Session, now: dt.datetime, today: dt.date, link: str) -> int:
    """Take the steps that are due today and queue what they tell; how many were taken.

    A second run on the same day takes none. `link` is the address of the desk.
    """
    found = overdue(session, today)
    there = recipients(session, {one.unit_id for one in found})
    taken: dict[tuple[str, Matter, dt.date], dict[Step, dt.date]] = defaultdict(dict)
    units = {one.unit_id for one in found}
    rows = session.scalars(sa.select(OverdueStep).where(OverdueStep.unit_id.in_(units)))
    for row in rows:
        taken[row.unit_id, row.matter, row.due_on][row.step] = row.taken_on
    told: dict[tuple[Step, str], Told] = defaultdict(Told)
    waited = {due: working_days_between(due, today) for due in {one.due_on for one in found}}
    steps = 0
    for one in found:
        key = (one.unit_id, one.matter, one.due_on)
        step = _next(one, waited[one.due_on], taken[key], there, today)
        if step is None:
            continue
        session.add(
            OverdueStep(
                unit_id=one.unit_id, matter=one.matter, due_on=one.due_on, step=step, taken_on=today
            )
        )
        steps += 1
        for channel_id in there.of(step, one.unit_id):
            told[step, channel_id].units.add(one.unit_id)
    _tell(session, now, today, link, found, told)
    return steps


def _next(
    one: Overdue,
    waited: int,
    taken: Mapping[Step, dt.date],
    there: Recipients,
    today: dt.date,
) -> Step | None:
    """The first step not taken that is due and reaches somebody; none where one was today."""
    if today in taken.values():
        return None
    last = max((place for place, step in enumerate(Step) if step in taken), default=-1)
    for step in list(Step)[last + 1 :]:
        if waited >= AFTER[step] and there.of(step, one.unit_id):
            return step
    return None


def _tell(
    session: Session,
    now: dt.datetime,
    today: dt.date,
    link: str,
    found: Iterable[Overdue],
    told: Mapping[tuple[Step, str], Told],
) -> None:
    """One message to a channel for each step, with all that is overdue at the branches it names."""
    numbers: dict[str, Counter[Matter]] = defaultdict(Counter)
    for one in found:
        numbers[one.unit_id][one.matter] += one.number
    messages = []
    for (step, channel_id), heard in told.items():
        for unit_id in heard.units:
            heard.numbers.update(numbers[unit_id])
        values: dict[str, str | int] = {matter.value: heard.numbers[matter] for matter in Matter}
        messages.append(
            Message(
                key=f"{KINDS[step]} {today.isoformat()} {channel_id}",
                kind=KINDS[step],
                values={**values, "branches": len(heard.units), "link": link},
                channel_id=channel_id,
            )
        )
    outbox.put(session, now, messages)


def steps_of(session: Session, unit_ids: Iterable[str], today: dt.date) -> dict[str, Step]:
    """The furthest step that was taken about each of these branches in the last sixty days."""
    since = today - dt.timedelta(days=60)
    query = (
        sa.select(OverdueStep.unit_id, OverdueStep.step)
        .where(OverdueStep.unit_id.in_(list(unit_ids)), OverdueStep.taken_on >= since)
        .distinct()
    )
    order = {step: place for place, step in enumerate(Step)}
    found: dict[str, Step] = {}
    for unit_id, step in session.execute(query):
        if unit_id not in found or order[step] > order[found[unit_id]]:
            found[unit_id] = step
    return found
