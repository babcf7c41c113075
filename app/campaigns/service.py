"""Setting campaigns up: drafted, started, closed; which there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.campaigns.models import ActionKind, Basis, Campaign, CampaignState, RequiredAction, Stage
from app.errors import N_, Conflict, Invalid, NotFound

MAX_NAME, MAX_STAGE = 80, 60
MOST_STAGES = 5
MOST_AMOUNT = 999
LONGEST = dt.timedelta(days=3 * 366)
GONE = N_("没有这次活动。请从活动列表里找。")
CHANGED_MEANWHILE = N_(
    "您看着的时候，同事刚改过这次活动。什么都没有覆盖，您写的还在下面，请先看最新的。"
)


@dataclass(frozen=True)
class PlannedStage:
    """A stage as it is typed."""

    name: str
    due_on: dt.date


@dataclass(frozen=True)
class PlannedAction:
    """A required action as it is typed; `stage` counts from 0."""

    kind: ActionKind
    stage: int
    basis: Basis
    amount: int


@dataclass(frozen=True)
class Plan:
    """A campaign as it is typed."""

    name: str
    starts_on: dt.date
    ends_on: dt.date
    stages: Sequence[PlannedStage]
    actions: Sequence[PlannedAction]


# What most campaigns ask of a branch: where the office begins from.
USUAL_ACTIONS = (
    PlannedAction(ActionKind.STUDY, 0, Basis.ROLL, 8),
    PlannedAction(ActionKind.OPINIONS, 0, Basis.FIXED, 10),
    PlannedAction(ActionKind.TALK_LEADERS, 1, Basis.STATED, 1),
    PlannedAction(ActionKind.TALK_HEADS, 1, Basis.STATED, 1),
    PlannedAction(ActionKind.TALK_MEMBERS, 1, Basis.ROLL, 1),
    PlannedAction(ActionKind.TALK_PUBLIC, 1, Basis.ROLL, 2),
    PlannedAction(ActionKind.MATERIALS, 1, Basis.ROLL, 1),
    PlannedAction(ActionKind.LEADERS_MEETING, 1, Basis.STATED, 1),
    PlannedAction(ActionKind.BRANCH_MEETING, 1, Basis.FIXED, 1),
    PlannedAction(ActionKind.APPRAISAL, 2, Basis.ROLL, 1),
    PlannedAction(ActionKind.FEEDBACK, 2, Basis.ROLL, 1),
    PlannedAction(ActionKind.BULLETIN, 2, Basis.FIXED, 1),
)
USUAL_STAGES = (
    N_("学习教育、听取意见"),
    N_("查摆问题、开展批评"),
    N_("整改落实、建章立制"),
)


def get(session: Session, campaign_id: str, version: int | None = None) -> Campaign:
    """A campaign of the version that was seen. Raises NotFound, Conflict."""
    found = session.get(Campaign, campaign_id)
    if found is None:
        raise NotFound(GONE)
    if version is not None and found.version != version:
        raise Conflict(CHANGED_MEANWHILE)
    return found


def started(session: Session, campaign_id: str) -> Campaign:
    """A campaign that runs or ran. Raises NotFound."""
    found = get(session, campaign_id)
    if found.state is CampaignState.DRAFT:
        raise NotFound(GONE)
    return found


def all_of(session: Session, *, drafts: bool) -> list[Campaign]:
    """The campaigns, the newest first; drafts are the office's alone."""
    query = sa.select(Campaign).order_by(Campaign.starts_on.desc(), Campaign.id)
    if not drafts:
        query = query.where(Campaign.state != CampaignState.DRAFT)
    return list(session.scalars(query.limit(100)))


def running(session: Session) -> list[Campaign]:
    """The campaigns that are running, the newest first."""
    query = sa.select(Campaign).where(Campaign.state == CampaignState.RUNNING)
    return list(session.scalars(query.order_by(Campaign.starts_on.desc(), Campaign.id)))


def chosen(session: Session, campaign_id: str) -> Campaign | None:
    """The campaign of an address, else the newest that runs, else the newest that ran."""
    if campaign_id:
        return started(session, campaign_id)
    return next(iter([*running(session), *all_of(session, drafts=False)]), None)


def stages(session: Session, campaign_id: str) -> list[Stage]:
    """The stages of a campaign, in their order."""
    query = sa.select(Stage).where(Stage.campaign_id == campaign_id)
    return list(session.scalars(query.order_by(Stage.position)))


def plan_of(session: Session, campaign: Campaign) -> Plan:
    """A campaign as it would be typed again."""
    kept = stages(session, campaign.id)
    place = {stage.id: number for number, stage in enumerate(kept)}
    query = sa.select(RequiredAction).where(RequiredAction.campaign_id == campaign.id)
    return Plan(
        campaign.name,
        campaign.starts_on,
        campaign.ends_on,
        tuple(PlannedStage(stage.name, stage.due_on) for stage in kept),
        tuple(
            PlannedAction(a.kind, place[a.stage_id], a.basis, a.amount)
            for a in session.scalars(query)
        ),
    )


def draft(session: Session, plan: Plan) -> Campaign:
    """Keep a new campaign; nobody but the office sees it before it starts. Raises Invalid."""
    _check(plan)
    made = Campaign(name=plan.name, starts_on=plan.starts_on, ends_on=plan.ends_on)
    session.add(made)
    session.flush()
    _write(session, made, plan)
    return made


def rewrite(session: Session, campaign: Campaign, plan: Plan) -> None:
    """Change a draft; of a running campaign its name and its days alone. Raises Conflict, Invalid.

    What branches have recorded for must not change under them; a day may be put off.
    """
    if campaign.state is CampaignState.CLOSED:
        raise Conflict(N_("这次活动已经结束，不能再改。什么都没有改变。"))
    _check(plan)
    campaign.name, campaign.starts_on, campaign.ends_on = plan.name, plan.starts_on, plan.ends_on
    # The stages are rows of their own: the version must rise for them too.
    campaign.version += 1
    if campaign.state is CampaignState.DRAFT:
        session.execute(sa.delete(RequiredAction).where(RequiredAction.campaign_id == campaign.id))
        session.execute(sa.delete(Stage).where(Stage.campaign_id == campaign.id))
        _write(session, campaign, plan)
        return
    kept = stages(session, campaign.id)
    if len(kept) != len(plan.stages):
        raise Conflict(N_("活动已经开始，阶段不能增减，只能改名称和日期。什么都没有改变。"))
    for stage, planned in zip(kept, plan.stages, strict=True):
        stage.name, stage.due_on = planned.name, planned.due_on
    session.flush()


def start(session: Session, campaign: Campaign) -> None:
    """Ask it of every branch from now on. Raises Conflict."""
    if campaign.state is not CampaignState.DRAFT:
        raise Conflict(N_("这次活动已经开始过了。什么都没有改变。"))
    campaign.state = CampaignState.RUNNING
    session.flush()


def close(session: Session, campaign: Campaign) -> None:
    """End it: nothing is recorded any more; board and look-back stay. Raises Conflict."""
    if campaign.state is not CampaignState.RUNNING:
        raise Conflict(N_("这次活动现在没有在进行。什么都没有改变。"))
    campaign.state = CampaignState.CLOSED
    session.flush()


def discard(session: Session, campaign: Campaign) -> None:
    """Throw a draft away. Raises Conflict once it was started."""
    if campaign.state is not CampaignState.DRAFT:
        raise Conflict(N_("这次活动已经开始，不能丢掉；可以结束它。什么都没有改变。"))
    session.delete(campaign)
    session.flush()


def _write(session: Session, campaign: Campaign, plan: Plan) -> None:
    made = [
        Stage(campaign_id=campaign.id, position=place, name=stage.name, due_on=stage.due_on)
        for place, stage in enumerate(plan.stages)
    ]
    session.add_all(made)
    session.flush()
    session.add_all(
        RequiredAction(
            campaign_id=campaign.id,
            stage_id=made[action.stage].id,
            kind=action.kind,
            basis=action.basis,
            amount=action.amount,
        )
        for action in plan.actions
    )
    session.flush()


def _check(plan: Plan) -> None:
    if not plan.name:
        raise Invalid(N_("还没有写活动的名称，没有存下。您写的都还在。"), field="name")
    if not plan.starts_on <= plan.ends_on <= plan.starts_on + LONGEST:
        raise Invalid(N_("结束的日子要在开始以后，三年以内。没有存下。"), field="ends_on")
    if not plan.stages:
        raise Invalid(
            N_("至少要有一个阶段，写上名称和到期的日子。没有存下。"), field="stage-name-1"
        )
    days = [stage.due_on for stage in plan.stages]
    if sorted(days) != days or not plan.starts_on <= days[0] or days[-1] > plan.ends_on:
        raise Invalid(
            N_("各阶段到期的日子要一个比一个晚，都在活动期间。没有存下。"), field="stage-due-1"
        )
    if not plan.actions:
        raise Invalid(N_("还没有选规定动作，没有存下。请至少选一项。"), field="use")
    for action in plan.actions:
        if action.stage >= len(plan.stages):
            raise Invalid(N_("有的动作放在了没有写的阶段里。没有存下，请改一改。"), field="stage")
        if not 0 < action.amount <= MOST_AMOUNT:
            raise Invalid(
                N_("数量请写 1 到 %(most)d。没有存下。"), field="amount", most=MOST_AMOUNT
            )
