"""What branches record: so much was done on a day; corrections, and numbers due set by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.campaigns import progress
from app.campaigns.models import (
    ActionKind,
    Attendance,
    Campaign,
    CampaignState,
    Change,
    Due,
    Record,
    RequiredAction,
    Route,
)
from app.errors import N_, Conflict, Forbidden, Invalid, NotFound
from app.organisation.models import Member, Unit
from app.staff.models import Role, Staff
from app.staff.rights import Actor

MAX_EVIDENCE, MAX_REASON = 300, 200
MOST_AT_ONCE = 9999
MOST_MINUTES = 24 * 60
MOST_SHOWN = 200


@dataclass(frozen=True)
class Deed:
    """What was done, as it is typed. Of study `amount` is minutes."""

    amount: int
    happened_on: dt.date
    evidence: str = ""
    route: Route | None = None


def may_record(actor: Actor, unit_id: str) -> bool:
    """The branch's own keepers; the office, for branches that have none."""
    return actor.is_office or (Role.KEEPER, unit_id) in actor.roles


def require_record(actor: Actor, campaign: Campaign, unit: Unit) -> None:
    """Raises Forbidden, Conflict."""
    if not may_record(actor, unit.id):
        raise Forbidden(N_("这个支部做了什么，由它自己的人来记。什么都没有改变。"))
    if campaign.state is not CampaignState.RUNNING:
        raise Conflict(N_("这次活动没有在进行，现在不能记。什么都没有改变。"))
    if unit.closed_on is not None:
        raise Conflict(N_("这个支部已经撤了，不用再记。什么都没有改变。"))


def action_of(session: Session, campaign: Campaign, action_id: str) -> RequiredAction:
    """A required action of this campaign. Raises NotFound."""
    found = session.get(RequiredAction, action_id)
    if found is None or found.campaign_id != campaign.id:
        raise NotFound(N_("这次活动里没有这一项。请回到活动页面再看。"))
    return found


def record(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    action: RequiredAction,
    unit: Unit,
    deed: Deed,
    now: dt.datetime,
    today: dt.date,
    absent: Iterable[str] = (),
) -> Record:
    """Keep what was done. Of study everybody on the roll was there but `absent` (member ids).

    Raises Forbidden, Conflict, Invalid (fields `amount`, `happened_on`, `route`).
    """
    require_record(actor, campaign, unit)
    _check(action.kind, deed, campaign, today)
    made = Record(
        action_id=action.id,
        unit_id=unit.id,
        amount=deed.amount,
        route=deed.route,
        happened_on=deed.happened_on,
        evidence=deed.evidence,
        recorded_by=actor.staff_id,
        recorded_at=now,
    )
    session.add(made)
    session.flush()
    if action.kind is ActionKind.STUDY:
        away = set(absent)
        there = [member for member in roll(session, unit.id) if member.id not in away]
        if not there:
            raise Invalid(N_("一个人都没有到，就没有可记的。没有存下。"), field="absent")
        session.add_all(Attendance(record_id=made.id, member_id=member.id) for member in there)
        session.flush()
    return made


def _check(kind: ActionKind, deed: Deed, campaign: Campaign, today: dt.date) -> None:
    most = MOST_MINUTES if kind is ActionKind.STUDY else MOST_AT_ONCE
    if not 0 <= deed.amount <= most:
        raise Invalid(N_("数目不对，没有存下。请写一个不太大的数。"), field="amount")
    if not campaign.starts_on <= deed.happened_on <= min(today, campaign.ends_on):
        raise Invalid(
            N_("日子要在活动期间，不能是以后。没有存下，请改一下日子。"), field="happened_on"
        )
    if (deed.route is not None) != (kind is ActionKind.OPINIONS):
        raise Invalid(N_("请选一下意见是怎么听来的。没有存下。"), field="route")


def roll(session: Session, unit_id: str) -> list[Member]:
    """The members of a branch, by name."""
    query = sa.select(Member).where(Member.unit_id == unit_id, Member.left_on.is_(None))
    return list(session.scalars(query.order_by(Member.name, Member.number)))


def record_of(session: Session, campaign: Campaign, unit: Unit, record_id: str) -> Record:
    """A record of this branch for this campaign. Raises NotFound."""
    query = (
        sa.select(Record)
        .join(RequiredAction, RequiredAction.id == Record.action_id)
        .where(
            Record.id == record_id,
            Record.unit_id == unit.id,
            RequiredAction.campaign_id == campaign.id,
        )
    )
    found = session.scalar(query.with_for_update())
    if found is None:
        raise NotFound(N_("没有这一条记录。请回到活动页面再看。"))
    return found


def correct(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    unit: Unit,
    found: Record,
    deed: Deed,
    reason: str,
    now: dt.datetime,
    today: dt.date,
) -> None:
    """Put a record right, down to nothing; what stood there before stays to be read.

    Raises Forbidden, Conflict, Invalid (fields `amount`, `happened_on`, `reason`).
    """
    require_record(actor, campaign, unit)
    action = session.get_one(RequiredAction, found.action_id)
    _check(action.kind, deed, campaign, today)
    before = _said(action.kind, found.amount, found.happened_on, found.evidence)
    after = _said(action.kind, deed.amount, deed.happened_on, deed.evidence)
    if before == after:
        return
    if not reason.strip():
        raise Invalid(N_("改记录要写一句为什么。没有改动，您写的还在。"), field="reason")
    found.amount, found.happened_on = deed.amount, deed.happened_on
    found.evidence = deed.evidence
    _note(session, actor, found.action_id, unit.id, found.id, before, after, reason, now)


def _said(kind: ActionKind, amount: int, on: dt.date, evidence: str) -> str:
    number = f"{amount / 60:g}" if kind is ActionKind.STUDY else str(amount)
    return f"{number} · {on.isoformat()} · {evidence}".removesuffix(" · ")


def _note(
    session: Session,
    actor: Actor,
    action_id: str,
    unit_id: str,
    record_id: str | None,
    before: str,
    after: str,
    reason: str,
    now: dt.datetime,
) -> None:
    session.add(
        Change(
            action_id=action_id,
            unit_id=unit_id,
            record_id=record_id,
            staff_id=actor.staff_id,
            changed_at=now,
            before=before,
            after=after,
            reason=reason.strip(),
        )
    )
    session.flush()


def state_due(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    action: RequiredAction,
    unit: Unit,
    due: int,
    reason: str,
    now: dt.datetime,
) -> None:
    """Set by hand how much is due at this branch, with the reason; 0: it doesn't apply here.

    Raises Forbidden, Conflict, Invalid (fields `due`, `reason`).
    """
    require_record(actor, campaign, unit)
    if not 0 <= due <= MOST_AT_ONCE:
        raise Invalid(N_("应做的数不对，没有存下。请写一个不太大的数。"), field="due")
    if not reason.strip():
        raise Invalid(
            N_("应做多少是自己定的，就要写清怎么来的，比如“班子五个人，两两谈一次”。没有存下。"),
            field="reason",
        )
    there = session.get(Due, (action.id, unit.id))
    if there is not None and (there.due, there.reason) == (due, reason.strip()):
        return
    before = f"{there.due} · {there.reason}" if there else ""
    if there is None:
        there = Due(action_id=action.id, unit_id=unit.id, due=due, reason=reason.strip())
        session.add(there)
    there.due, there.reason = due, reason.strip()
    after = f"{due} · {reason.strip()}"
    _note(session, actor, action.id, unit.id, None, before, after, reason, now)


# --- to be read -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Correction:
    """A change in a branch's records: who, when, before, after, why."""

    kind: ActionKind
    username: str
    at: dt.datetime
    before: str
    after: str
    reason: str


def records(session: Session, campaign: Campaign, unit_id: str) -> list[tuple[Record, ActionKind]]:
    """What a branch recorded, the newest first."""
    query = (
        sa.select(Record, RequiredAction.kind)
        .join(RequiredAction, RequiredAction.id == Record.action_id)
        .where(Record.unit_id == unit_id, RequiredAction.campaign_id == campaign.id)
        .order_by(Record.happened_on.desc(), Record.recorded_at.desc(), Record.id)
        .limit(MOST_SHOWN)
    )
    return [(row, kind) for row, kind in session.execute(query)]


def corrections(session: Session, campaign: Campaign, unit_id: str) -> list[Correction]:
    """What was corrected in a branch's records, the newest first."""
    query = (
        sa.select(Change, RequiredAction.kind, Staff.username)
        .join(RequiredAction, RequiredAction.id == Change.action_id)
        .outerjoin(Staff, Staff.id == Change.staff_id)
        .where(Change.unit_id == unit_id, RequiredAction.campaign_id == campaign.id)
        .order_by(Change.changed_at.desc(), Change.id)
        .limit(MOST_SHOWN)
    )
    return [
        Correction(kind, name or "", row.changed_at, row.before, row.after, row.reason)
        for row, kind, name in session.execute(query)
    ]


def study_of(session: Session, campaign: Campaign, unit_id: str) -> dict[str, int]:
    """Minutes of study of each member of a branch, by member."""
    query = sa.select(RequiredAction.id).where(
        RequiredAction.campaign_id == campaign.id, RequiredAction.kind == ActionKind.STUDY
    )
    action_id = session.scalar(query)
    if action_id is None:
        return {}
    rows = session.execute(progress.minutes_by_member(action_id, [unit_id]))
    return {member_id: int(minutes) for member_id, _, minutes in rows}
