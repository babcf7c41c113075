"""A member's own page, behind a private link: no account, no cookie, no script, nobody else's data.

What opens it stands in the address, so GET shows a door alone: what previews or scans links reads
nothing. Whether and when somebody opened it is recorded nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.appraisals import feedback, links, record, retention, self_appraisal
from app.appraisals.links import OpenLink
from app.appraisals.models import Channel, Purpose
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Invalid
from app.i18n import gettext, large, sentence
from app.organisation import service as organisation
from app.sealing import service as sealing
from app.submissions.forms import STALE_PAGE, PublicForm
from app.submissions.ticket import new_ticket, write_ticket
from app.text import clean, printable
from app.web import clock, config, keep_secret, limit, site_url

blueprint = Blueprint("member_links", __name__)

# In the large view a page asks so many questions; turning it saves the draft.
QUESTIONS_A_PAGE = 3


@dataclass
class Told:
    """What a page says about the act before it; `answers`: what was typed, where it was refused."""

    notice: str | None = None
    alert: str | None = None
    answers: list[str] | None = field(default=None, repr=False)
    part: int = 0


def address_of(token: str) -> str:
    """A link's address as it stands on paper: the same in every language and view."""
    return site_url(url_for("member_links.link", token=token, lang=None, view=None))


def _look(session: Session, token: str, *, to_act: bool = False) -> OpenLink:
    return links.look(session, token, config().secrets, clock().now(), to_act=to_act)


@blueprint.route("/appraisal/<token>", methods=["GET", "POST"])
def link(token: str) -> ResponseReturnValue:
    """The door; posted, the page itself, or one act of it."""
    if request.method != "POST":
        return _door(token)
    limit("act")
    step = request.form.get("step", "open")
    told = Told(part=_part())
    try:
        form = PublicForm()
        ticket = form.check()
        with transaction() if step in _STEPS else reading() as session:
            opened = _look(session, token, to_act=step in _STEPS)
            if ticket is None or ticket.place != opened.link.id:
                raise Invalid(STALE_PAGE)
            _act(session, opened, step, told)
    except Invalid as error:
        return _refused(token, error, told), 422
    except (Conflict, StaleDataError) as error:
        return _refused(token, error, told), 409
    return _page(token, told)


def _door(token: str) -> str:
    with reading() as session:
        opened = _look(session, token)
        ticket = _ticket(session, opened)
    keep_secret()
    return render_template(
        "appraisals/door.html", token=token, purpose=opened.link.purpose, ticket=ticket
    )


def _ticket(session: Session, opened: OpenLink) -> str:
    key = sealing.opening_key(session)
    fresh = new_ticket(opened.link.id, key.id, clock().now())
    return write_ticket(fresh, config().secrets.instance_secret)


def _refused(token: str, error: DomainError | StaleDataError, told: Told) -> str:
    if isinstance(error, StaleDataError):
        error = Conflict(record.CHANGED_MEANWHILE)
    told.alert = sentence(error)
    return _page(token, told)


def _act(session: Session, opened: OpenLink, step: str, told: Told) -> None:
    if (opened.link.purpose, step) in _ACTS:
        _ACTS[opened.link.purpose, step](session, opened, told)


# --- self-appraisal -------------------------------------------------------------------------------


def _part() -> int:
    typed = request.form.get("part", "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 3 else 0


def _typed_answers(session: Session, opened: OpenLink, told: Told) -> list[str]:
    """What the draft holds, with what this form brought: a page may ask a few questions alone."""
    count = len(self_appraisal.questions_of(session, opened.appraisal))
    kept = self_appraisal.answers_in(self_appraisal.own_words(session, opened), count)
    names = [f"answer-{number}" for number in range(1, count + 1)]
    posted = [request.form.get(n, old) for n, old in zip(names, kept, strict=True)]
    told.answers = [printable(answer) for answer in posted]
    most = self_appraisal.MAX_ANSWER
    return [clean(a, field=n, at_most=most) for n, a in zip(names, posted, strict=True)]


def _save(session: Session, opened: OpenLink, told: Told) -> None:
    answers = _typed_answers(session, opened, told)
    self_appraisal.save(session, opened, answers, clock().today())
    told.notice = gettext(N_("草稿存好了，只有您这个链接打得开。还没有交。"))


def _next(session: Session, opened: OpenLink, told: Told) -> None:
    _save(session, opened, told)
    told.part += QUESTIONS_A_PAGE


def _back(session: Session, opened: OpenLink, told: Told) -> None:
    _save(session, opened, told)
    told.part = max(told.part - QUESTIONS_A_PAGE, 0)


def _hand_in(session: Session, opened: OpenLink, told: Told) -> None:
    answers = _typed_answers(session, opened, told)
    self_appraisal.hand_in(session, opened, answers, clock().today())
    told.notice = gettext(N_("交上去了，谢谢您。"))


# --- feedback -------------------------------------------------------------------------------------


def _acknowledge(session: Session, opened: OpenLink, told: Told) -> None:
    feedback.acknowledge(session, opened.appraisal, clock().today(), Channel.LINK)
    told.notice = gettext(N_("记下了：您今天看过了。"))


def _reply(session: Session, opened: OpenLink, told: Told) -> None:
    posted = request.form.get("reply", "")
    told.answers = [printable(posted)]
    words = clean(posted, field="reply", at_most=feedback.MAX_REPLY)
    today = clock().today()
    if not feedback.said_already(session, opened, words, today):
        feedback.reply(session, opened.appraisal, words, today, Channel.LINK, opened.link)
    told.answers = None
    told.notice = gettext(N_("您的话交给支部了，只有支部委员会的保管人看得到。"))


_ACTS: dict[tuple[Purpose, str], Callable[[Session, OpenLink, Told], None]] = {
    (Purpose.SELF, "save"): _save,
    (Purpose.SELF, "next"): _next,
    (Purpose.SELF, "back"): _back,
    (Purpose.SELF, "hand-in"): _hand_in,
    (Purpose.FEEDBACK, "acknowledge"): _acknowledge,
    (Purpose.FEEDBACK, "reply"): _reply,
}
_STEPS = frozenset(step for _, step in _ACTS)


# --- the page -------------------------------------------------------------------------------------


def _page(token: str, told: Told) -> str:
    keep_secret()
    with reading() as session:
        opened = _look(session, token)
        box_id = record.occasion_of(session, opened.appraisal).box_id
        shown = {
            "token": token,
            "told": told,
            "ticket": _ticket(session, opened),
            "member_name": opened.member.name,
            "branch": organisation.branches_of_boxes(session, [box_id])[box_id],
            "occasion": record.occasion_of(session, opened.appraisal).name,
            "kept_until": retention.destroyed_on(session, opened.appraisal),
            "link_until": opened.link.expires_at.astimezone(config().timezone).date(),
        }
        if opened.link.purpose is Purpose.SELF:
            return render_template("appraisals/self.html", **shown, **_self(session, opened, told))
        return render_template("appraisals/feedback.html", **shown, **_feedback(session, opened))


def _self(session: Session, opened: OpenLink, told: Told) -> dict[str, object]:
    asked = self_appraisal.questions_of(session, opened.appraisal)
    words = self_appraisal.own_words(session, opened)
    answers = told.answers or self_appraisal.answers_in(words, len(asked))
    writes = self_appraisal.may_write(session, opened)
    step = QUESTIONS_A_PAGE if large() and writes else len(asked)
    first = min(told.part, (len(asked) - 1) // step * step)
    return {
        "questions": list(enumerate(zip(asked, answers, strict=True), start=1))[
            first : first + step
        ],
        "part": first,
        "more": first + step < len(asked),
        "writes": writes,
        "handed_on": words.written_on if words and not writes else None,
        "max_answer": self_appraisal.MAX_ANSWER,
        "template": not record.occasion_of(session, opened.appraisal).questions,
    }


def _feedback(session: Session, opened: OpenLink) -> dict[str, object]:
    return {
        "given": feedback.received(session, opened),
        "acknowledges": feedback.may_acknowledge(opened.appraisal),
        "may_reply": feedback.may_reply(opened.appraisal),
        "replies": feedback.own_replies(session, opened),
        "max_reply": feedback.MAX_REPLY,
    }
