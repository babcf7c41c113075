"""One member's appraisal at the desk: what the committee reads, writes, delivers and records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

from flask import Blueprint, get_template_attribute, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app import qr
from app.appraisals import feedback, links, plan, record, retention, self_appraisal, sheet, written
from app.appraisals.committee_page import CommitteePage, Search, committee_page
from app.appraisals.desk_views import note, pdf, unlocked
from app.appraisals.feedback import Feedback, ShownResult
from app.appraisals.links import Issued
from app.appraisals.models import Appraisal, Channel, Purpose
from app.appraisals.sheet import Whose
from app.appraisals.views import address_of
from app.appraisals.written import Citation, Written
from app.cases.views import number
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Forbidden, Invalid, NotFound
from app.i18n import day, gettext, sentence
from app.staff import guard
from app.staff.models import Role
from app.text import clean, printable
from app.web import STATUS, clock, config, keep_secret

blueprint = Blueprint("appraisal", __name__, url_prefix="/desk/appraisals")


@blueprint.get("/<appraisal_id>")
@guard.desk(Role.KEEPER)
def appraisal(appraisal_id: str) -> str:
    """The member's own words, what was gathered, what the committee wrote, what came of it."""
    return _page(appraisal_id)


def _load(session: Session, appraisal_id: str, search: Search | None = None) -> CommitteePage:
    now, zone = clock().now(), config().timezone
    return committee_page(session, unlocked(), appraisal_id, now, zone, search or Search())


def _page(appraisal_id: str, alert: str | None = None) -> str:
    typed = {name: printable(value) for name, value in request.form.items()}
    with reading() as session:
        text = _typed_text(as_typed=True) if "achievements" in request.form else None
        cited = [one.case_id for one in text.cited] if text else []
        page = _load(session, appraisal_id, Search(typed.get("q", ""), cited))
    text = text or page.written
    return render_template(
        "appraisals/appraisal.html",
        page=page,
        text=text,
        cited={one.case_id: one.words for one in text.cited},
        alert=alert,
        typed=typed,
        step=(request.view_args or {}).get("step"),
        limits={"part": written.MAX_PART, "cite": written.MAX_CITE, "cited": written.MOST_CITED},
        due_on=plan.usual_due_on(clock().today()),
        today=clock().today(),
        may_add_plan=len(page.plan) < plan.MOST,
    )


# --- what is typed --------------------------------------------------------------------------------


def _field(name: str, at_most: int) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most)


def _day(name: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(request.form.get(name, "").strip())
    except ValueError:
        return None


def _typed_text(*, as_typed: bool = False) -> Written:
    """The draft as typed; `as_typed`: to be shown again, whatever is wrong with it."""
    parts = {
        part: printable(request.form.get(part, "")) if as_typed else _field(part, written.MAX_PART)
        for part in written.PARTS
    }
    pairs = zip(request.form.getlist("case"), request.form.getlist("cite"), strict=False)
    cited = [(case_id, words) for case_id, words in pairs if words.strip()]
    if as_typed:
        return Written(**parts, cited=[Citation(printable(c), printable(w)) for c, w in cited])
    if len(cited) > written.MOST_CITED:
        raise Invalid(
            N_("一份意见最多引用 %(most)d 条。没有存下，您写的都还在。"),
            field="cite",
            most=written.MOST_CITED,
        )
    return Written(**parts, cited=tuple(_citation(*pair) for pair in cited))


def _citation(case_id: str, words: str) -> Citation:
    words = clean(" ".join(words.split()), field="cite", at_most=written.MAX_CITE)
    return Citation(clean(case_id, field="cite", at_most=32), words)


# --- steps ----------------------------------------------------------------------------------------


def _paper(session: Session, found: Appraisal) -> None:
    count = len(self_appraisal.questions_of(session, found))
    names = [f"answer-{place}" for place in range(1, count + 1)]
    answers = [_field(name, self_appraisal.MAX_ANSWER) for name in names]
    self_appraisal.copy_from_paper(session, found, answers, clock().today())


def _revoke(session: Session, found: Appraisal) -> None:
    purpose = request.form.get("purpose", "")
    if purpose not in list(Purpose) or not links.revoke(session, found, Purpose(purpose)):
        raise Conflict(N_("没有这样的链接在外面，不用收回。什么都没有改变。"))


def _draft(session: Session, found: Appraisal) -> None:
    written.draft(session, unlocked(), found, _typed_text(), clock().today())


def _finish(session: Session, found: Appraisal) -> None:
    written.finish(session, unlocked(), found, clock().today())


def _return(session: Session, found: Appraisal) -> None:
    written.send_back(session, found)


def _revise(session: Session, found: Appraisal) -> None:
    written.revise(session, found)


def _hand_over(session: Session, found: Appraisal) -> None:
    feedback.deliver_on_paper(session, unlocked(), found, clock().today())


def _acknowledge(session: Session, found: Appraisal) -> None:
    feedback.acknowledge(session, found, clock().today(), Channel.PAPER)


def _reply(session: Session, found: Appraisal) -> None:
    words = _field("reply", feedback.MAX_REPLY)
    feedback.reply(session, found, words, clock().today(), Channel.PAPER)


def _oral(session: Session, found: Appraisal) -> None:
    who, gist = _field("who", feedback.MAX_WHO), _field("gist", feedback.MAX_GIST)
    feedback.note_oral(session, found, who, _day("on"), gist, clock().today())


def _plan(session: Session, found: Appraisal) -> None:
    words, owner = _field("words", plan.MAX_WORDS), _field("owner", plan.MAX_OWNER)
    plan.add(session, found, words, owner, _day("due"), clock().today())


def _leave(session: Session, found: Appraisal) -> None:
    if request.form.get("confirm") != "yes":
        raise Invalid(N_("还没有打勾确认，什么都没有改变。"), field="confirm")
    retention.leave(session, found, clock().today())


_STEPS: dict[str, Callable[[Session, Appraisal], None]] = {
    "paper": _paper,
    "revoke": _revoke,
    "draft": _draft,
    "finish": _finish,
    "return": _return,
    "revise": _revise,
    "handover": _hand_over,
    "acknowledge": _acknowledge,
    "reply": _reply,
    "oral": _oral,
    "plan": _plan,
    "leave": _leave,
}


@blueprint.post(f"/<appraisal_id>/<any({','.join(_STEPS)}):step>")
@guard.desk(Role.KEEPER)
def step(appraisal_id: str, step: str) -> ResponseReturnValue:
    """One step; refused, the page comes back with the sentence and what was typed."""
    try:
        with transaction() as session:
            _STEPS[step](session, _get(session, appraisal_id))
            note(session, f"appraisal_{step}", appraisal_id)
    except (Invalid, Conflict, Forbidden, StaleDataError) as error:
        return _refused(appraisal_id, error)
    return _to(appraisal_id)


def _get(session: Session, appraisal_id: str) -> Appraisal:
    version = number(request.form.get("version", ""))
    return record.get(session, unlocked(), appraisal_id, version)


def _to(appraisal_id: str) -> ResponseReturnValue:
    return redirect(url_for(".appraisal", appraisal_id=appraisal_id), 303)


def _refused(appraisal_id: str, error: Exception) -> ResponseReturnValue:
    told = error if isinstance(error, DomainError) else Conflict(record.CHANGED_MEANWHILE)
    status = next(status for kind, status in STATUS.items() if isinstance(told, kind))
    return _page(appraisal_id, sentence(told)), status


@blueprint.post("/<appraisal_id>/gather")
@guard.desk(Role.KEEPER)
def gather(appraisal_id: str) -> str:
    """Look for opinions by other words; nothing is stored, what was typed stays on the page."""
    return _page(appraisal_id)


# --- links ----------------------------------------------------------------------------------------


@blueprint.post("/<appraisal_id>/<any(link,deliver):step>")
@guard.desk(Role.KEEPER)
def give(appraisal_id: str, step: str) -> ResponseReturnValue:
    """A link for this member alone, shown in this answer and never again."""
    now, today, secrets = clock().now(), clock().today(), config().secrets
    try:
        with transaction() as session:
            found, desk = _get(session, appraisal_id), unlocked()
            if step == "link":
                issued = self_appraisal.ask(session, desk, found, now, today, secrets)
            else:
                issued = feedback.deliver(session, desk, found, now, today, secrets)
            note(session, f"link_{issued.purpose}", appraisal_id)
    except (Invalid, Conflict, StaleDataError) as error:
        return _refused(appraisal_id, error)
    return _link_page(appraisal_id, issued)


def _link_page(appraisal_id: str, issued: Issued) -> str:
    keep_secret()
    address = address_of(issued.token)
    return render_template(
        "appraisals/link.html",
        appraisal_id=appraisal_id,
        member_name=issued.member_name,
        purpose=issued.purpose,
        address=address,
        qr=qr.picture(address, gettext(N_("链接的二维码"))),
        until=issued.expires_at.astimezone(config().timezone).date(),
    )


# --- the plan -------------------------------------------------------------------------------------


@blueprint.post("/<appraisal_id>/plan/<item_id>/<any(done,again):step>")
@guard.desk(Role.KEEPER)
def plan_item(appraisal_id: str, item_id: str, step: str) -> ResponseReturnValue:
    """Say that it was done, with evidence; or what a later look found."""
    try:
        with transaction() as session:
            item, owner = plan.get(session, unlocked(), item_id)
            if step == "done":
                evidence = _field("evidence", plan.MAX_EVIDENCE)
                plan.done(session, item, owner, evidence, clock().today())
            else:
                round_id = printable(request.form.get("round", ""))[:32] or None
                due, today = _day("due"), clock().today()
                plan.ask_again(session, item, due, today, kept=_kept(), round_id=round_id)
            note(session, f"plan_{step}", owner.id, item_id)
    except (Invalid, Conflict, StaleDataError) as error:
        return _refused(appraisal_id, error)
    return _to(appraisal_id)


def _kept() -> bool:
    chosen = request.form.get("kept", "")
    if chosen not in ("yes", "no"):
        raise Invalid(N_("还没有选做到没做到，什么都没有改变。"), field="kept")
    return chosen == "yes"


# --- paper ----------------------------------------------------------------------------------------


@blueprint.get("/<appraisal_id>/<any(form,feedback,talks):name>.pdf")
@guard.desk(Role.KEEPER)
def sheet_pdf(appraisal_id: str, name: str) -> ResponseReturnValue:
    """The empty form, what was delivered (before delivery: what would be), or the talks."""
    with reading() as session:
        page = _load(session, appraisal_id)
        now = feedback.content_now(
            session, unlocked(), record.get(session, unlocked(), appraisal_id), clock().today()
        )
    whose = Whose(page.member_name, page.branch.name, page.occasion)
    return pdf(_sheet(name, page, whose, now), f"{name}.pdf")


def _sheet(name: str, page: CommitteePage, whose: Whose, now: dict[str, object]) -> bytes:
    if name == "form":
        asked: Iterable[str] = page.questions
        if not page.own_questions:
            asked = map(gettext, page.questions)
        return sheet.empty_form(whose, list(asked), gettext)
    if name == "talks":
        return sheet.oral_sheet(whose, [talk.content for talk in page.talks], gettext, day)
    given = page.delivered[-1] if page.delivered else None
    if given is None and page.written.problems:
        given = Feedback.from_content(now, clock().today())
    if given is None:
        raise NotFound(N_("还没有写好评议意见，没有可以印的。"))
    return sheet.feedback_sheet(whose, given, gettext, day, _told)


def _told(result: ShownResult) -> str:
    """What may be told of ballots, in the words of the page's own macro."""
    macro = get_template_attribute("components/appraisals.html", "result_words")
    return str(macro(result)).strip()
