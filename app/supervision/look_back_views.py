"""The look-back at the desk: the summary, a branch's checklist and verdict, make-up tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.bulletins import service as bulletins
from app.bulletins.models import Audience
from app.bulletins.service import Writer
from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.campaigns.views import WHO, day, field, seen, status_of, whole
from app.db import reading, transaction
from app.errors import N_, Conflict, Invalid
from app.i18n import day as say_day
from app.i18n import gettext, sentence
from app.organisation.models import Unit
from app.organisation.service import county
from app.staff import audit, guard, rights
from app.staff.models import Role
from app.supervision import facts, look_back, sheet, summary
from app.supervision.asked import Cursor
from app.supervision.look_back import Typed, TypedFinding, TypedTask
from app.supervision.models import Judgement, Question, Verdict
from app.text import clean, date_of, printable
from app.web import clock, config

blueprint = Blueprint("look_back", __name__, url_prefix="/desk/look-back")

BLANK_TASKS = 3


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """What the look-back comes to so far, and the branches, those not looked at first."""
    actor, args = guard.actor(), request.args
    only, q = printable(args.get("only", "")), printable(args.get("q", "")).strip()[:100]
    with reading() as session:
        campaign = campaigns.chosen(session, printable(args.get("campaign", ""))[:32])
        if campaign is None:
            return render_template("supervision/look_back.html", campaign=None)
        after = Cursor.read(args.get("after", ""))
        lines, last = summary.branches(session, actor, campaign, after=after, only=only, q=q)
        here: dict[str, Any] = {"campaign": campaign.id, "only": only or None, "q": q or None}
        return render_template(
            "supervision/look_back.html",
            campaign=campaign,
            campaigns=campaigns.all_of(session, drafts=False),
            summary=summary.summary(session, actor, campaign, clock().today()),
            lines=lines,
            questions={question: gettext(words) for question, words in sheet.QUESTIONS.items()},
            only=only,
            q=q,
            next_url=url_for(".index", after=str(last), **here) if last else None,
            is_office=actor.is_office,
        )


@blueprint.get("/<campaign_id>.pdf")
@guard.desk(*WHO)
def pdf(campaign_id: str) -> Response:
    """The summary as a sheet to be printed."""
    with reading() as session:
        campaign = campaigns.started(session, campaign_id)
        found = summary.summary(session, guard.actor(), campaign, clock().today())
        name = campaign.name
    content = sheet.summary_sheet(
        found, name, config().county_name, say_day(clock().today()), gettext
    )
    return Response(content, mimetype="application/pdf")


@blueprint.post("/<campaign_id>/bulletin")
@guard.desk(Role.OFFICE)
def tell(campaign_id: str) -> ResponseReturnValue:
    """The summary as the draft of a bulletin of the county; another of the office publishes it."""
    person = guard.current()
    with transaction() as session:
        campaign, today = campaigns.started(session, campaign_id), clock().today()
        found = summary.summary(session, guard.actor(), campaign, today)
        if not found.decided:
            raise Conflict(N_("还没有一个支部看完，没有什么可以通报。什么都没有改变。"))
        text = summary.bulletin(found, campaign, today)
        writer = Writer(person.staff_id, person.roles)
        made = bulletins.draft(session, writer, county(session).id, Audience.PUBLIC, text, today)
        audit.record(session, clock().now(), person.staff_id, "draft_bulletin", made.id)
        made_id = made.id
    return redirect(url_for("bulletin_desk.bulletin", bulletin_id=made_id), 303)


# --- a branch -------------------------------------------------------------------------------------


@blueprint.get("/<campaign_id>/branches/<slug>")
@guard.desk(*WHO)
def branch(campaign_id: str, slug: str) -> str:
    """The questions beside their figures, the group's judgements, the verdict, what to make up."""
    return _page(campaign_id, slug)


def _page(campaign_id: str, slug: str, alert: str | None = None) -> str:
    today, actor = clock().today(), guard.actor()
    with reading() as session:
        campaign, unit = seen(session, campaign_id, slug)
        found = look_back.of(session, campaign, unit.id)
        tasks = look_back.tasks(session, found) if found else []
        return render_template(
            "supervision/look_back_branch.html",
            campaign=campaign,
            unit=unit,
            found=found,
            facts=facts.of(session, campaign, [unit.id], today)[unit.id],
            findings=look_back.findings(session, found) if found else {},
            tasks=[(task, look_back.standing(task, today)) for task in tasks],
            questions={question: gettext(words) for question, words in sheet.QUESTIONS.items()},
            judges=rights.watches(session, actor, unit.id),
            reports=actor.is_office or (Role.KEEPER, unit.id) in actor.roles,
            judgements=list(Judgement),
            verdicts=list(Verdict),
            alert=alert,
            typed={name: printable(value) for name, value in request.form.items()},
            typed_tasks=_rows(),
        )


def _typed() -> Typed:
    given = {}
    for question in Question:
        chosen = request.form.get(f"judgement-{question}", "")
        judgement = Judgement(chosen) if chosen in list(Judgement) else None
        given[question] = TypedFinding(judgement, field(f"note-{question}", look_back.MAX_NOTE))
    verdict = request.form.get("verdict", "")
    decides = request.form.get("decision") == "decide"
    if decides and verdict not in list(Verdict):
        raise Invalid(N_("还没有选结论，没有定下。您写的都还在。"), field="verdict")
    return Typed(
        findings=given,
        verdict=Verdict(verdict) if decides else None,
        remark=field("remark", look_back.MAX_REMARK),
        tasks=_typed_tasks(),
    )


def _typed_tasks() -> list[TypedTask]:
    return [_task(words, due) for words, due in _rows() if words.strip()]


def _rows() -> list[tuple[str, str]]:
    rows = zip(request.form.getlist("task"), request.form.getlist("due"), strict=False)
    typed = [(printable(words), printable(due)) for words, due in list(rows)[:BLANK_TASKS]]
    return typed + [("", "")] * (BLANK_TASKS - len(typed))


def _task(words: str, due: str) -> TypedTask:
    on = date_of(due)
    words = clean(" ".join(words.split()), field="task", at_most=look_back.MAX_TASK)
    if on is None:
        raise Invalid(
            N_("每条补课要写明做什么、今天以后哪天以前做好。没有存下，您写的都还在。"),
            field="task",
        )
    return TypedTask(words, on)


@blueprint.post("/<campaign_id>/branches/<slug>")
@guard.desk(Role.SUPERVISOR, Role.OFFICE)
def write(campaign_id: str, slug: str) -> ResponseReturnValue:
    """Keep what was judged so far, or decide."""

    def change(session: Session, campaign: Campaign, unit: Unit) -> str:
        today = clock().today()
        known = facts.of(session, campaign, [unit.id], today)[unit.id]
        typed = _typed()
        made = look_back.write(
            session, guard.actor(), campaign, unit, typed, known, today, whole("version")
        )
        return f"look_back_{made.verdict or 'kept'}"

    return _change(campaign_id, slug, change)


@blueprint.post("/<campaign_id>/branches/<slug>/tasks/<task_id>/<any(done,close,return):step>")
@guard.desk(*WHO)
def task(campaign_id: str, slug: str, task_id: str, step: str) -> ResponseReturnValue:
    """The branch says that it made up for it; the group closes it, or sends it back."""

    def change(session: Session, campaign: Campaign, unit: Unit) -> str:
        found, today = look_back.of(session, campaign, unit.id), clock().today()
        chosen = look_back.task_of(session, found, task_id)
        actor = guard.actor()
        if step == "done":
            evidence = field("evidence", look_back.MAX_EVIDENCE)
            look_back.done(actor, unit, chosen, evidence, today)
        elif step == "close":
            look_back.close(session, actor, unit, chosen, today)
        else:
            look_back.send_back(session, actor, unit, chosen, day("due"), today)
        return f"task_{step}"

    return _change(campaign_id, slug, change)


def _change(
    campaign_id: str, slug: str, change: Callable[[Session, Campaign, Unit], str]
) -> ResponseReturnValue:
    """One change of a branch's look-back, audited; refused, the page comes back as typed."""
    try:
        with transaction() as session:
            campaign, unit = seen(session, campaign_id, slug)
            action = change(session, campaign, unit)
            audit.record(session, clock().now(), guard.current().staff_id, action, unit.id)
    except (Invalid, Conflict) as error:
        return _page(campaign_id, slug, sentence(error)), status_of(error)
    except StaleDataError:
        return _page(campaign_id, slug, gettext(look_back.CHANGED_MEANWHILE)), 409
    return redirect(url_for(".branch", campaign_id=campaign_id, slug=slug), 303)
