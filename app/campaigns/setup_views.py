"""Campaigns at the desk: which there are; for the office, setting one up, starting, ending it."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.campaigns import figures, progress, service
from app.campaigns.models import ActionKind, Basis, Campaign, CampaignState
from app.campaigns.service import Plan, PlannedAction, PlannedStage
from app.campaigns.views import WHO, day, field, status_of, whole
from app.clock import add_working_days
from app.db import reading, transaction
from app.errors import N_, Conflict, Invalid
from app.i18n import gettext, sentence
from app.organisation.models import Unit
from app.staff import audit, guard, rights
from app.staff.models import Role
from app.supervision import measure
from app.text import printable
from app.web import clock

blueprint = Blueprint("campaign_setup", __name__, url_prefix="/desk/campaigns")
# How long a stage lasts in a first draft, in working days.
STAGE_DAYS = 20


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """The campaigns, and for each the branches that one records for."""
    actor = guard.actor()
    with reading() as session:
        kept = sorted(unit for role, unit in actor.roles if role is Role.KEEPER and unit)
        own = rights.reach(actor).where(Unit.id.in_(kept)).subquery()
        mine = session.execute(
            Unit.__table__.select().where(Unit.id.in_(own.select())).order_by(Unit.name)
        )
        return render_template(
            "campaigns/index.html",
            campaigns=service.all_of(session, drafts=actor.is_office),
            mine=[(unit.slug, unit.name) for unit in mine],
            office=actor.is_office,
        )


@blueprint.get("/new")
@guard.desk(Role.OFFICE)
def new() -> str:
    """A first draft of what most campaigns ask; nothing is stored before it is saved."""
    start = clock().today()
    days = [add_working_days(start, STAGE_DAYS * (n + 1)) for n in range(3)]
    stages = [
        PlannedStage(gettext(name), on) for name, on in zip(service.USUAL_STAGES, days, strict=True)
    ]
    return _form(Plan("", start, days[-1], stages, service.USUAL_ACTIONS))


def _form(plan: Plan, campaign: Campaign | None = None, alert: str | None = None) -> str:
    stages = [(stage.name, stage.due_on.isoformat()) for stage in plan.stages]
    chosen = {action.kind: action for action in plan.actions}
    return render_template(
        "campaigns/setup.html",
        campaign=campaign,
        plan=plan,
        stages=(stages + [("", "")] * service.MOST_STAGES)[: service.MOST_STAGES],
        rows=[(kind, chosen.get(kind)) for kind in ActionKind],
        bases=list(Basis),
        alert=alert,
        typed={name: printable(value) for name, value in request.form.items()} if alert else None,
        version=request.form.get("version") or (campaign.version if campaign else ""),
        used=request.form.getlist("use"),
        fixed=campaign is not None and campaign.state is not CampaignState.DRAFT,
    )


def _typed(fixed: Plan | None = None) -> Plan:
    """The plan as typed; of a running campaign (`fixed`) what is asked stays as it was."""
    stages: list[PlannedStage] = []
    places: dict[int, int] = {}
    for number in range(1, service.MOST_STAGES + 1):
        name, due = field(f"stage-name-{number}", service.MAX_STAGE), day(f"stage-due-{number}")
        if bool(name) != bool(due):
            raise Invalid(
                N_("每个阶段都要有名称和到期的日子。没有存下，您写的都还在。"),
                field=f"stage-name-{number}",
            )
        if due:
            places[number] = len(stages)
            stages.append(PlannedStage(name, due))
    starts, ends = day("starts_on"), day("ends_on")
    if starts is None or ends is None:
        raise Invalid(N_("请写上开始和结束的日子。没有存下，您写的都还在。"), field="starts_on")
    actions = fixed.actions if fixed else [_typed_action(kind, places) for kind in _used()]
    return Plan(field("name", service.MAX_NAME), starts, ends, stages, actions)


def _used() -> list[ActionKind]:
    used = request.form.getlist("use")
    return [kind for kind in ActionKind if kind.value in used]


def _typed_action(kind: ActionKind, places: dict[int, int]) -> PlannedAction:
    basis = request.form.get(f"basis-{kind}", "")
    if basis not in list(Basis):
        raise Invalid(N_("请选好应做的数从哪里来。没有存下，您写的都还在。"), field="basis")
    stage = places.get(whole(f"stage-{kind}"), service.MOST_STAGES)
    return PlannedAction(kind, stage, Basis(basis), whole(f"amount-{kind}"))


def _as_typed() -> Plan:
    """What the form begins from after a refusal; its fields come from the request."""
    today = clock().today()
    return Plan("", day("starts_on") or today, day("ends_on") or today, (), ())


def _audit(session: Session, action: str, subject: str) -> None:
    audit.record(session, clock().now(), guard.current().staff_id, action, subject)


@blueprint.post("")
@guard.desk(Role.OFFICE)
def create() -> ResponseReturnValue:
    """Keep a new draft."""
    try:
        with transaction() as session:
            made = service.draft(session, _typed())
            _audit(session, "draft_campaign", made.id)
            made_id = made.id
    except Invalid as error:
        return _form(_as_typed(), alert=sentence(error)), 422
    return redirect(url_for(".campaign", campaign_id=made_id), 303)


@blueprint.get("/<campaign_id>")
@guard.desk(Role.OFFICE)
def campaign(campaign_id: str) -> str:
    """A campaign: what it asks, how far all branches are, what can be done with it."""
    return _page(campaign_id)


def _page(campaign_id: str, alert: str | None = None) -> str:
    with reading() as session:
        found = service.get(session, campaign_id)
        branches = progress.branches(session)
        started = found.state is not CampaignState.DRAFT
        measured = measure.measured(session, found, branches) if started else {}
        return render_template(
            "campaigns/campaign.html",
            campaign=found,
            stages=service.stages(session, found.id),
            figures=figures.of(session, found, branches, measured) if started else (),
            actions=progress.required(session, found.id),
            branches=len(branches),
            alert=alert,
        )


@blueprint.get("/<campaign_id>/edit")
@guard.desk(Role.OFFICE)
def edit(campaign_id: str) -> str:
    """The form again; of a running campaign only its name and its days."""
    with reading() as session:
        found = service.get(session, campaign_id)
        return _form(service.plan_of(session, found), found)


@blueprint.post("/<campaign_id>/save")
@guard.desk(Role.OFFICE)
def save(campaign_id: str) -> ResponseReturnValue:
    """Keep what was changed."""
    with reading() as session:
        shown = service.get(session, campaign_id)
        plan = service.plan_of(session, shown)
    try:
        with transaction() as session:
            found = service.get(session, campaign_id, whole("version"))
            kept = plan if found.state is not CampaignState.DRAFT else None
            service.rewrite(session, found, _typed(kept))
            _audit(session, "save_campaign", found.id)
    except (Invalid, Conflict) as error:
        return _form(_as_typed(), shown, sentence(error)), status_of(error)
    except StaleDataError:
        return _form(_as_typed(), shown, gettext(service.CHANGED_MEANWHILE)), 409
    return redirect(url_for(".campaign", campaign_id=campaign_id), 303)


@blueprint.post("/<campaign_id>/<any(start,close,discard):step>")
@guard.desk(Role.OFFICE)
def step(campaign_id: str, step: str) -> ResponseReturnValue:
    """Start it, end it, or throw a draft away."""
    try:
        with transaction() as session:
            found = service.get(session, campaign_id, whole("version"))
            _STEPS[step](session, found)
            _audit(session, f"{step}_campaign", campaign_id)
    except (Invalid, Conflict) as error:
        return _page(campaign_id, sentence(error)), status_of(error)
    except StaleDataError:
        return _page(campaign_id, gettext(service.CHANGED_MEANWHILE)), 409
    if step == "discard":
        return redirect(url_for(".index"), 303)
    return redirect(url_for(".campaign", campaign_id=campaign_id), 303)


def _start(session: Session, found: Campaign) -> None:
    service.start(session, found)
    today: dt.date = clock().today()
    for some in progress.batches(progress.branches(session)):
        measured = measure.measured(session, found, some)
        progress.recount(session, found, some, measured, today)


_STEPS = {"start": _start, "close": service.close, "discard": service.discard}
