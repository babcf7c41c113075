"""A branch's page of a campaign: what is due, what was done, recorded in a tap, corrected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.campaigns import progress, recording, service
from app.campaigns.models import ActionKind, Campaign, CampaignState, Record, Route
from app.campaigns.recording import Deed
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Forbidden, Invalid
from app.i18n import moment, sentence
from app.organisation import tree
from app.organisation.models import Unit
from app.staff import audit, guard, rights
from app.staff.models import Role
from app.supervision import measure
from app.text import clean, date_of, printable
from app.web import STATUS, clock

blueprint = Blueprint("campaigns", __name__, url_prefix="/desk/campaigns")

WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE)
TALKS = (
    ActionKind.TALK_LEADERS,
    ActionKind.TALK_HEADS,
    ActionKind.TALK_MEMBERS,
    ActionKind.TALK_PUBLIC,
)


def seen(session: Session, campaign_id: str, slug: str) -> tuple[Campaign, Unit]:
    """A started campaign and a branch within reach. Raises NotFound, Forbidden."""
    campaign = service.started(session, campaign_id)
    unit = tree.unit(session, slug)
    if unit.id not in set(session.scalars(rights.reach(guard.actor()).where(Unit.id == unit.id))):
        raise Forbidden(N_("这个支部不归您看，什么都没有改变。"))
    return campaign, unit


@blueprint.get("/<campaign_id>/branches/<slug>")
@guard.desk(*WHO)
def branch(campaign_id: str, slug: str) -> str:
    """What the branch has to do, how far it is, and a place to say that something was done."""
    return _page(campaign_id, slug)


def _page(campaign_id: str, slug: str, alert: str | None = None) -> str:
    with reading() as session:
        campaign, unit = seen(session, campaign_id, slug)
        actions = progress.required(session, campaign.id)
        measured = measure.measured(session, campaign, [unit.id])
        lines = progress.standings(session, actions, [unit.id], measured)[unit.id]
        open_ = campaign.state is CampaignState.RUNNING
        return render_template(
            "campaigns/branch.html",
            campaign=campaign,
            unit=unit,
            lines=lines,
            today=clock().today(),
            records=recording.records(session, campaign, unit.id),
            corrections=recording.corrections(session, campaign, unit.id),
            roll=recording.roll(session, unit.id),
            studied=recording.study_of(session, campaign, unit.id),
            records_here=open_ and recording.may_record(guard.actor(), unit.id),
            routes=list(Route),
            talks=TALKS,
            recorded_by_hand=measure.BY_HAND,
            moment=moment,
            alert=alert,
            typed={name: printable(value) for name, value in request.form.items()},
            done=request.args.get("done") if not alert else None,
        )


def _change(
    campaign_id: str, slug: str, action: str, change: Callable[[Session, Campaign, Unit], str]
) -> ResponseReturnValue:
    """One change of a branch's records, audited and counted; refused, the page comes back."""
    try:
        with transaction() as session:
            campaign, unit = seen(session, campaign_id, slug)
            kind = change(session, campaign, unit)
            measured = measure.measured(session, campaign, [unit.id])
            progress.recount(session, campaign, [unit.id], measured, clock().today())
            staff_id = guard.current().staff_id
            audit.record(session, clock().now(), staff_id, action, unit.id, kind)
    except (Invalid, Conflict) as error:
        return _page(campaign_id, slug, sentence(error)), status_of(error)
    address = url_for(".branch", campaign_id=campaign_id, slug=slug, done=kind)
    return redirect(f"{address}#{kind}", 303)


def status_of(error: DomainError) -> int:
    """The status of a refusal that is shown on its own page."""
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def field(name: str, at_most: int) -> str:
    """A typed line."""
    return " ".join(clean(request.form.get(name, ""), field=name, at_most=at_most).split())


def day(name: str) -> dt.date | None:
    """A typed date."""
    return date_of(request.form.get(name, ""))


def whole(name: str) -> int:
    """A typed whole number; -1 when it is none."""
    text = request.form.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1


def _amount(kind: ActionKind) -> int:
    """The typed number; of study hours, halves too, as minutes."""
    if kind is not ActionKind.STUDY:
        return whole("amount")
    try:
        hours = float(request.form.get("amount", "").strip()[:6])
    except ValueError:
        return -1
    return round(hours * 60) if hours * 2 == round(hours * 2) else -1


def _deed(kind: ActionKind) -> Deed:
    route = request.form.get("route", "")
    return Deed(
        amount=_amount(kind),
        happened_on=day("happened_on") or dt.date.min,
        evidence=field("evidence", recording.MAX_EVIDENCE),
        route=Route(route) if route in list(Route) else None,
    )


@blueprint.post("/<campaign_id>/branches/<slug>/record")
@guard.desk(*WHO)
def record(campaign_id: str, slug: str) -> ResponseReturnValue:
    """Something was done."""

    def change(session: Session, campaign: Campaign, unit: Unit) -> str:
        action = recording.action_of(session, campaign, request.form.get("action", ""))
        deed = _deed(action.kind)
        if not deed.amount:
            raise Invalid(N_("数目不对，没有存下。请写一个不太大的数。"), field="amount")
        absent = request.form.getlist("absent")
        now, today = clock().now(), clock().today()
        recording.record(session, guard.actor(), campaign, action, unit, deed, now, today, absent)
        return action.kind

    return _change(campaign_id, slug, "record_action", change)


@blueprint.post("/<campaign_id>/branches/<slug>/due")
@guard.desk(*WHO)
def due(campaign_id: str, slug: str) -> ResponseReturnValue:
    """So much is due here, and why."""

    def change(session: Session, campaign: Campaign, unit: Unit) -> str:
        action = recording.action_of(session, campaign, request.form.get("action", ""))
        reason = field("reason", recording.MAX_REASON)
        number = whole("due")
        recording.state_due(
            session, guard.actor(), campaign, action, unit, number, reason, clock().now()
        )
        return action.kind

    return _change(campaign_id, slug, "state_due", change)


@blueprint.post("/<campaign_id>/branches/<slug>/records/<record_id>/correct")
@guard.desk(*WHO)
def correct(campaign_id: str, slug: str, record_id: str) -> ResponseReturnValue:
    """Put a record right."""

    def change(session: Session, campaign: Campaign, unit: Unit) -> str:
        found: Record = recording.record_of(session, campaign, unit, record_id)
        action = recording.action_of(session, campaign, found.action_id)
        typed = _deed(action.kind)
        deed = Deed(typed.amount, typed.happened_on, typed.evidence, found.route)
        reason = field("reason", recording.MAX_REASON)
        now, today = clock().now(), clock().today()
        recording.correct(session, guard.actor(), campaign, unit, found, deed, reason, now, today)
        return action.kind

    return _change(campaign_id, slug, "correct_record", change)
