"""Bulletins for everybody: the list, one, its sheet, the feed."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for
from markupsafe import Markup, escape

from app.bulletins import published
from app.bulletins.models import BulletinState
from app.bulletins.published import ShownBulletin
from app.bulletins.sheet import bulletin_sheet
from app.cases.cursor import Cursor
from app.db import reading
from app.errors import N_
from app.i18n import a_page, day, gettext
from app.notifications.feed import Entry
from app.text import printable, rich_text
from app.web import clock, config, feed_response, site_url

blueprint = Blueprint("bulletins", __name__)
MAX_SOUGHT = 100
HEADINGS = {
    "meeting": N_("会开得怎样"),
    "problems": N_("查出的问题和整改"),
    "result": N_("委员会的结论"),
}


@blueprint.get("/bulletins")
def bulletins() -> str:
    """Public bulletins, newest first; with `q` those in which every word stands."""
    after = Cursor.read(request.args.get("after", ""))
    q = printable(request.args.get("q", "")).strip()[:MAX_SOUGHT]
    most, today = a_page(published.PAGE), clock().today()
    with reading() as session:
        page = (
            published.find(session, q, most + 1, today, after=after)
            if q
            else published.newest(session, most + 1, today, after=after)
        )
    shown, more = page[:most], len(page) > most
    return render_template(
        "bulletins/bulletins.html",
        bulletins=shown,
        q=q,
        next_url=_next(shown[-1], q) if more else None,
    )


def _next(last: ShownBulletin, q: str) -> str | None:
    if last.published_on is None:
        return None
    after = str(Cursor(last.published_on, last.id))
    return url_for("bulletins.bulletins", after=after, q=q or None)


def _one(bulletin_id: str) -> ShownBulletin:
    with reading() as session:
        return published.one(session, bulletin_id, clock().today())


@blueprint.get("/bulletins/<bulletin_id>")
def bulletin(bulletin_id: str) -> str:
    """One bulletin; a withdrawn one says so and why."""
    return render_template(
        "bulletins/bulletin.html",
        bulletin=_one(bulletin_id),
        headings={part: gettext(words) for part, words in HEADINGS.items()},
    )


@blueprint.get("/bulletins/<bulletin_id>.pdf")
def bulletin_pdf(bulletin_id: str) -> Response:
    """The same as a sheet to be printed."""
    return sheet_response(_one(bulletin_id))


def sheet_response(shown: ShownBulletin) -> Response:
    """A bulletin as a PDF; in the page's language but for what the committee wrote."""
    address = site_url(url_for("bulletins.bulletin", bulletin_id=shown.id))
    content = bulletin_sheet(shown, HEADINGS, config().county_name, address, gettext, day)
    return Response(content, mimetype="application/pdf")


@blueprint.get("/bulletins.atom")
def bulletins_feed() -> Response:
    """The newest bulletins as a feed; a withdrawn one takes the place of what it said."""
    with reading() as session:
        page = published.newest(session, published.PAGE, clock().today())
    entries = [_entry(shown) for shown in page]
    return feed_response("bulletins.bulletins_feed", "bulletins.bulletins", N_("通报"), entries)


def _entry(shown: ShownBulletin) -> Entry:
    html = Markup()
    for part, text in shown.parts:
        html += Markup("<h2>{}</h2>{}").format(gettext(HEADINGS[part]), rich_text(text))
    if shown.promises:
        promised = Markup().join(Markup("<li>{}</li>").format(p.words) for p in shown.promises)
        html += Markup("<h2>{}</h2><ul>{}</ul>").format(gettext(N_("承诺的整改")), promised)
    if shown.state is BulletinState.WITHDRAWN:
        words = gettext(N_("这份通报已经撤下。原因：%(reason)s"), reason=shown.withdrawn_because)
        html = Markup("<p>{}</p>").format(escape(words))
    on = shown.published_on or clock().today()
    return Entry(
        shown.id,
        f"{shown.unit_name}：{shown.title}",
        on,
        html,
        site_url(url_for("bulletins.bulletin", bulletin_id=shown.id)),
        shown.withdrawn_on,
    )
