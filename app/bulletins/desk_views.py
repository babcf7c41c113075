"""Bulletins at the desk: drafted, read by another, published, withdrawn; their promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.bulletins import drafting, promises, published, service
from app.bulletins.models import Audience, Bulletin, BulletinState, PromiseRating
from app.bulletins.promises import Standing
from app.bulletins.service import Pledge, Text, Writer
from app.bulletins.views import HEADINGS, sheet_response
from app.cases.views import number
from app.db import reading, transaction
from app.errors import N_, Conflict, DomainError, Forbidden, Invalid
from app.i18n import gettext, sentence
from app.notifications import service as notifications
from app.notifications.views import unsubscribe_link
from app.staff import audit, guard
from app.staff.models import Role
from app.text import clean, printable
from app.web import STATUS, clock, config

blueprint = Blueprint("bulletin_desk", __name__, url_prefix="/desk/bulletins")

WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE)
MOST = 100
BLANK_ROWS = 3


def _writer() -> Writer:
    person = guard.current()
    return Writer(person.staff_id, person.roles)


@blueprint.get("")
@guard.desk(*WHO)
def index() -> str:
    """The bulletins within one's reach, drafts first; where to begin a new one."""
    with reading() as session:
        return render_template(
            "bulletins/desk.html",
            rows=service.at_desk(session, _writer(), MOST),
            units=[(unit.slug, unit.name) for unit in service.writable(session, _writer())],
        )


# --- drafts ---------------------------------------------------------------------------------------


@blueprint.get("/new")
@guard.desk(*WHO)
def new() -> str:
    """A first draft from what the system knows of a unit; nothing is stored before it is saved."""
    with reading() as session:
        units = {unit.slug: unit for unit in service.writable(session, _writer())}
        unit = units.get(request.args.get("unit", ""))
        if unit is None:
            raise Forbidden(N_("请先选一个您起草通报的单位。"))
        text = drafting.first_draft(session, unit, clock().today())
        return _form(unit.name, text, Audience.PUBLIC, action=url_for(".create", unit=unit.slug))


def _form(
    unit_name: str,
    text: Text,
    audience: str,
    *,
    action: str,
    alert: str | None = None,
    bulletin: Bulletin | None = None,
    promised: Sequence[published.ShownPromise] = (),
) -> str:
    rows = [(p.words, p.owner, p.due_on.isoformat()) for p in text.pledges]
    if request.method == "POST":
        rows = _typed_rows()
    blank = [("", "", "")] * max(min(BLANK_ROWS, service.MOST_PROMISES - len(rows)), 0)
    return render_template(
        "bulletins/draft.html",
        unit_name=unit_name,
        text=text,
        audience=audience,
        audiences=list(Audience),
        headings={part: gettext(words) for part, words in HEADINGS.items()},
        rows=rows + blank,
        action=action,
        alert=alert,
        bulletin=bulletin,
        promised=promised,
        version=request.form.get("version") or (bulletin.version if bulletin else ""),
        own=bulletin is not None and bulletin.drafted_by == guard.current().staff_id,
        limits={"title": service.MAX_TITLE, "part": service.MAX_PART},
    )


def _field(name: str, at_most: int) -> str:
    return clean(request.form.get(name, ""), field=name, at_most=at_most)


def _typed_rows() -> list[tuple[str, str, str]]:
    columns = [request.form.getlist(name) for name in ("promise", "owner", "due")]
    rows = [tuple(map(printable, row)) for row in zip(*columns, strict=False) if any(row)]
    return [(row[0], row[1], row[2]) for row in rows[: service.MOST_PROMISES]]


def _typed() -> tuple[Audience, Text]:
    audience = request.form.get("audience", "")
    if audience not in list(Audience):
        raise Invalid(N_("还没有选给谁看，没有存下。您写的都还在。"), field="audience")
    parts = {part: _field(part, service.MAX_PART) for part in service.PARTS}
    pledges = [_pledge(*row) for row in _typed_rows()]
    return Audience(audience), Text(_field("title", service.MAX_TITLE), pledges=pledges, **parts)


def _pledge(words: str, owner: str, due: str) -> Pledge:
    words = clean(" ".join(words.split()), field="promise", at_most=service.MAX_PROMISE)
    owner = clean(" ".join(owner.split()), field="promise", at_most=service.MAX_OWNER)
    day = _day(due)
    if not words or day is None:
        raise Invalid(
            N_("每条整改要写明做什么、哪天以前做好。没有存下，您写的都还在。"), field="promise"
        )
    return Pledge(words, owner, day)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        return None


def _as_typed() -> Text:
    names = ("title", *service.PARTS)
    title, meeting, problems, result = (printable(request.form.get(n, "")) for n in names)
    return Text(title, meeting, problems, result)


@blueprint.post("")
@guard.desk(*WHO)
def create() -> ResponseReturnValue:
    """Keep a new draft; refused, everything typed comes back."""
    slug = request.args.get("unit", "")
    with reading() as session:
        units = {unit.slug: unit for unit in service.writable(session, _writer())}
    unit = units.get(slug)
    if unit is None:
        raise Forbidden(N_("请先选一个您起草通报的单位。"))
    try:
        audience, text = _typed()
        with transaction() as session:
            today = clock().today()
            made = service.draft(session, _writer(), unit.id, audience, text, today)
            _audit(session, "draft_bulletin", made.id)
            made_id = made.id
    except Invalid as error:
        typed = request.form.get("audience", "")
        action = url_for(".create", unit=slug)
        return _form(unit.name, _as_typed(), typed, action=action, alert=sentence(error)), 422
    return _to(made_id)


def _audit(session: Session, action: str, subject: str) -> None:
    audit.record(session, clock().now(), guard.current().staff_id, action, subject)


def _to(bulletin_id: str) -> ResponseReturnValue:
    return redirect(url_for(".bulletin", bulletin_id=bulletin_id), 303)


# --- one bulletin ---------------------------------------------------------------------------------


@blueprint.get("/<bulletin_id>")
@guard.desk(*WHO)
def bulletin(bulletin_id: str) -> str:
    """A draft to be changed and published, or a published one with its promises."""
    return _page(bulletin_id)


def _page(bulletin_id: str, alert: str | None = None) -> str:
    with reading() as session:
        found = service.readable(session, _writer(), bulletin_id)
        shown = published.shown(session, [found.id], clock().today())[0]
        if found.state is BulletinState.DRAFT:
            return _draft_page(found, shown, alert)
        writes = found.unit_id in {u.id for u in service.writable(session, _writer())}
        return render_template(
            "bulletins/desk_bulletin.html",
            bulletin=shown,
            headings={part: gettext(words) for part, words in HEADINGS.items()},
            alert=alert,
            writes=writes,
            rates=promises.may_rate(session, _writer(), found),
            open_standings=(Standing.OPEN, Standing.OVERDUE),
            typed={name: printable(value) for name, value in request.form.items()},
            ratings=list(PromiseRating),
        )


def _draft_page(found: Bulletin, shown: published.ShownBulletin, alert: str | None) -> str:
    pledges = [Pledge(p.words, p.owner, p.due_on) for p in shown.promises]
    text = Text(found.title, found.meeting, found.problems, found.result, pledges)
    audience: str = found.audience
    if request.method == "POST" and "title" in request.form:
        text, audience = _as_typed(), request.form.get("audience", "")
    return _form(
        shown.unit_name,
        text,
        audience,
        action=url_for(".step", bulletin_id=found.id, step="save"),
        alert=alert,
        bulletin=found,
        promised=shown.promises,
    )


@blueprint.get("/<bulletin_id>.pdf")
@guard.desk(*WHO)
def bulletin_pdf(bulletin_id: str) -> Response:
    """The sheet of any bulletin that this person may read: members' ones are posted on paper."""
    with reading() as session:
        found = service.readable(session, _writer(), bulletin_id)
        shown = published.shown(session, [found.id], clock().today())[0]
    return sheet_response(shown)


@blueprint.post("/<bulletin_id>/<any(save,publish,discard,withdraw):step>")
@guard.desk(*WHO)
def step(bulletin_id: str, step: str) -> ResponseReturnValue:
    """One step of a bulletin; refused, the page comes back with the sentence and what was typed."""
    try:
        with transaction() as session:
            found = service.get(
                session, _writer(), bulletin_id, number(request.form.get("version", ""))
            )
            _STEPS[step](session, found)
            _audit(session, f"{step}_bulletin", bulletin_id)
    except (Invalid, Conflict, Forbidden) as error:
        return _page(bulletin_id, sentence(error)), _status(error)
    except StaleDataError:
        return _page(bulletin_id, sentence(Conflict(service.CHANGED_MEANWHILE))), 409
    return redirect(url_for(".index"), 303) if step == "discard" else _to(bulletin_id)


def _status(error: DomainError) -> int:
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def _save(session: Session, found: Bulletin) -> None:
    service.require_writer(session, _writer(), found.unit_id)
    audience, text = _typed()
    service.rewrite(session, _writer(), found, audience, text, clock().today())


def _publish(session: Session, found: Bulletin) -> None:
    service.publish(session, _writer(), found, clock().today())
    if found.audience is not Audience.PUBLIC or config().mail is None or not config().public_url:
        return
    values: dict[str, str | int] = {
        "county": config().county_name,
        "title": found.title,
        "link": config().public_url + f"/bulletins/{found.id}",
    }
    notifications.put_to_subscribers(
        session,
        clock().now(),
        keys=service.letters_of(found.id),
        kind="bulletin",
        values_of=lambda subscription_id: (
            values | {"unsubscribe": unsubscribe_link(subscription_id)}
        ),
    )


def _discard(session: Session, found: Bulletin) -> None:
    service.require_writer(session, _writer(), found.unit_id)
    service.discard(session, found)


def _withdraw(session: Session, found: Bulletin) -> None:
    service.withdraw(session, found, _field("reason", service.MAX_REASON), clock().today())


_STEPS = {"save": _save, "publish": _publish, "discard": _discard, "withdraw": _withdraw}


# --- promises -------------------------------------------------------------------------------------


@blueprint.post("/<bulletin_id>/promises/<promise_id>/<any(done,rate):step>")
@guard.desk(*WHO)
def promise(bulletin_id: str, promise_id: str, step: str) -> ResponseReturnValue:
    """Say that a promise was kept, with evidence; or rate what was called done."""
    try:
        with transaction() as session:
            found = service.get(session, _writer(), bulletin_id)
            pledge = promises.of(session, found, promise_id)
            today = clock().today()
            if step == "done":
                evidence = _field("evidence", promises.MAX_EVIDENCE)
                promises.done(session, _writer(), found, pledge, evidence, today)
            else:
                due = _day(request.form.get("due", ""))
                promises.rate(session, _writer(), found, pledge, _rating(), due, today)
            _audit(session, f"promise_{step}", promise_id)
    except (Invalid, Conflict, Forbidden) as error:
        return _page(bulletin_id, sentence(error)), _status(error)
    return _to(bulletin_id)


def _rating() -> PromiseRating:
    try:
        return PromiseRating(request.form.get("rating", ""))
    except ValueError:
        raise Invalid(N_("还没有选满意不满意，什么都没有改变。"), field="rating") from None
