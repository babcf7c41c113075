"""How far branches are with a campaign: done over due, and where the number due comes from.

Counted from the records, the roll and what the system itself measures, on each request; the same
few queries for however many branches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import db
from app.campaigns.models import (
    ActionKind,
    Attendance,
    Basis,
    BranchProgress,
    Campaign,
    Due,
    Record,
    RequiredAction,
    Route,
    Stage,
)
from app.clock import is_working_day
from app.organisation.models import Member, Unit, UnitKind

# What was measured elsewhere, by kind of action and unit: answers, bulletins, ballots.
Measured = Mapping[tuple[ActionKind, str], int]
BATCH = 500
_KEYS = ("campaign_id", "unit_id")


@dataclass(frozen=True)
class Required:
    """A required action with the stage that it belongs to."""

    id: str
    kind: ActionKind
    basis: Basis
    amount: int
    stage: int
    stage_name: str
    due_on: dt.date

    @property
    def last_day(self) -> dt.date:
        """The last day of its stage: the next working day where offices are closed on that one."""
        day = self.due_on
        while not is_working_day(day):
            day += dt.timedelta(days=1)
        return day


@dataclass(frozen=True)
class Standing:
    """How a branch stands with one action.

    `due` is None while the branch hasn't stated it. `reason`: why it was set by hand. `measured`
    was counted by the system, `routes` tells what was recorded by route.
    """

    action: Required
    done: int
    due: int | None
    basis: Basis
    reason: str = ""
    measured: int = 0
    routes: tuple[tuple[Route, int], ...] = ()

    @property
    def met(self) -> bool:
        """Everything that was due is done."""
        return self.due is not None and self.done >= self.due

    def late(self, today: dt.date) -> bool:
        """The stage is over and something is still to be done."""
        return not self.met and today > self.action.last_day


def required(session: Session, campaign_id: str) -> tuple[Required, ...]:
    """The actions of a campaign, by stage and in their usual order."""
    usual = {kind: place for place, kind in enumerate(ActionKind)}
    query = (
        sa.select(RequiredAction, Stage)
        .join(Stage, Stage.id == RequiredAction.stage_id)
        .where(RequiredAction.campaign_id == campaign_id)
    )
    found = [
        Required(row.id, row.kind, row.basis, row.amount, stage.position, stage.name, stage.due_on)
        for row, stage in session.execute(query)
    ]
    return tuple(sorted(found, key=lambda action: (action.stage, usual[action.kind])))


def standings(
    session: Session, actions: Sequence[Required], unit_ids: Iterable[str], measured: Measured
) -> dict[str, tuple[Standing, ...]]:
    """How each of these branches stands with each of these actions; four queries."""
    units = list(unit_ids)
    ids = [action.id for action in actions]
    rolls = _rolls(session, units)
    stated = {
        (row.action_id, row.unit_id): row
        for row in session.scalars(
            sa.select(Due).where(Due.action_id.in_(ids), Due.unit_id.in_(units))
        )
    }
    sums = _sums(session, ids, units)
    studied = _studied(session, actions, units)

    def standing(action: Required, unit_id: str) -> Standing:
        by_hand = stated.get((action.id, unit_id))
        routes = sums.get((action.id, unit_id), {})
        counted = measured.get((action.kind, unit_id), 0)
        done = sum(routes.values())
        if action.kind is ActionKind.STUDY:
            done = studied.get(unit_id, 0)
        return Standing(
            action=action,
            # Opinions heard elsewhere come on top; of the rest a branch may have noted the same.
            done=done + counted if action.kind is ActionKind.OPINIONS else max(done, counted),
            due=by_hand.due if by_hand else _due(action, rolls.get(unit_id, 0)),
            basis=Basis.STATED if by_hand else action.basis,
            reason=by_hand.reason if by_hand else "",
            measured=counted,
            routes=tuple(sorted((route, n) for route, n in routes.items() if route)),
        )

    return {unit: tuple(standing(action, unit) for action in actions) for unit in units}


def _due(action: Required, members: int) -> int | None:
    if action.basis is Basis.STATED:
        return None
    if action.basis is Basis.FIXED:
        return action.amount
    return members if action.kind is ActionKind.STUDY else members * action.amount


def _rolls(session: Session, units: list[str]) -> dict[str, int]:
    query = (
        sa.select(Member.unit_id, sa.func.count())
        .where(Member.unit_id.in_(units), Member.left_on.is_(None))
        .group_by(Member.unit_id)
    )
    return {unit_id: number for unit_id, number in session.execute(query)}  # noqa: C416


def _sums(
    session: Session, ids: list[str], units: list[str]
) -> dict[tuple[str, str], dict[Route | None, int]]:
    columns = (Record.action_id, Record.unit_id, Record.route)
    query = (
        sa.select(*columns, sa.func.sum(Record.amount))
        .where(Record.action_id.in_(ids), Record.unit_id.in_(units))
        .group_by(*columns)
    )
    found: dict[tuple[str, str], dict[Route | None, int]] = {}
    for action_id, unit_id, route, amount in session.execute(query):
        found.setdefault((action_id, unit_id), {})[route] = int(amount)
    return found


def _studied(session: Session, actions: Sequence[Required], units: list[str]) -> dict[str, int]:
    """How many members of each branch have their hours."""
    study = next((action for action in actions if action.kind is ActionKind.STUDY), None)
    if study is None:
        return {}
    enough = minutes_by_member(study.id, units).having(
        sa.func.sum(Record.amount) >= study.amount * 60
    )
    there = enough.subquery()
    query = sa.select(there.c.unit_id, sa.func.count()).group_by(there.c.unit_id)
    return {unit_id: number for unit_id, number in session.execute(query)}  # noqa: C416


def minutes_by_member(action_id: str, unit_ids: Iterable[str]) -> sa.Select[str, str, int]:
    """Minutes of study of each member who is on these branches' rolls and was ever there."""
    return (
        sa.select(Member.id, Member.unit_id, sa.func.sum(Record.amount))
        .join(Attendance, Attendance.member_id == Member.id)
        .join(Record, Record.id == Attendance.record_id)
        .where(
            Record.action_id == action_id,
            Member.unit_id.in_(list(unit_ids)),
            Member.left_on.is_(None),
        )
        .group_by(Member.id, Member.unit_id)
    )


# --- what the board is sorted by ------------------------------------------------------------------


def recount(
    session: Session,
    campaign: Campaign,
    unit_ids: Iterable[str],
    measured: Measured,
    today: dt.date,
) -> None:
    """Write anew how many actions these branches have begun and met."""
    actions = required(session, campaign.id)
    found = standings(session, actions, unit_ids, measured)
    rows = [
        {
            "campaign_id": campaign.id,
            "unit_id": unit_id,
            "begun": sum(line.done > 0 for line in lines),
            "met": sum(line.met for line in lines),
            "required": len(lines),
            "late": sum(line.late(today) for line in lines),
            "counted_on": today,
        }
        for unit_id, lines in sorted(found.items())
    ]
    if not rows:
        return
    # The daily job and a branch that records may count at the same moment: the later one counts.
    insert = db.insert(session, BranchProgress)
    keys = [BranchProgress.campaign_id, BranchProgress.unit_id]
    changed = {name: insert.excluded[name] for name in rows[0] if name not in _KEYS}
    session.execute(insert.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def branches(session: Session) -> list[str]:
    """Every branch that isn't closed: whom a campaign asks of."""
    query = sa.select(Unit.id).where(Unit.kind == UnitKind.BRANCH, Unit.closed_on.is_(None))
    return list(session.scalars(query.order_by(Unit.id)))


def batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """So many at a time: no statement of a hundred thousand names."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
