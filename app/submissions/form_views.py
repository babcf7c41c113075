"""How the box's form is shown: with what was typed, or blank, as nearly everybody gets it."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from dataclasses import dataclass, replace

from flask import current_app, render_template, request
from markupsafe import escape

from app.db import reading
from app.i18n import kept_in_links
from app.organisation.views import BranchCard
from app.sealing import service as sealing
from app.sealing.front import Front
from app.submissions import service
from app.submissions.models import SpeakerGroup
from app.submissions.receipt_views import opens_by
from app.submissions.service import About, Aspect, Publish, Recipient
from app.submissions.ticket import new_ticket, write_ticket
from app.web import clock, config

# What a blank form has of its own; all the rest is the same for every branch of its kind.
_OWN = ("slug", "name", "path", "superior_name", "ticket")
_MOST_LAYOUTS = 500


@dataclass(frozen=True)
class Typed:
    """What was typed and chosen, to be shown again."""

    opinion: str = ""
    speaker: str = SpeakerGroup.UNSAID
    aspect: str = Aspect.OTHER
    about: str = About.UNSAID
    recipient: str = Recipient.BRANCH
    publish: str = Publish.SUMMARY


def fresh_ticket(slug: str, lock_id: str) -> str:
    """The ticket of a form that is being shown."""
    ticket = new_ticket(slug, lock_id, clock().now())
    return write_ticket(ticket, config().secrets.instance_secret)


def form_page(
    card: BranchCard,
    typed: Typed,
    alert: str | None = None,
    ticket: str | None = None,
    *,
    files_chosen: bool = False,
) -> str:
    """The form with what was typed; `ticket`: the one that it came with, while it is good."""
    with reading() as session:
        key = sealing.opening_key(session)
    ticket = ticket or fresh_ticket(card.slug, key.id)
    opens_next = opens_by(key.made_on, clock().today())
    return _laid_out(card, typed, ticket, opens_next, alert, files_chosen=files_chosen)


def _laid_out(
    card: BranchCard,
    typed: Typed,
    ticket: str,
    opens_next: dt.date,
    alert: str | None = None,
    *,
    files_chosen: bool = False,
) -> str:
    return render_template(
        "submissions/box.html",
        branch=card,
        typed=typed,
        alert=alert,
        ticket=ticket,
        opens_next=opens_next,
        max_length=service.MAX_OPINION,
        files_chosen=files_chosen,
    )


def blank_page(card: BranchCard, found: Front) -> str:
    """The form of an open box, blank: laid out once for all branches alike, then filled in.

    Threat: a page that is quicker because somebody was here before. What is kept is never of one
    branch: it goes by language, view, the crowd's size, whether there is a group, and the day of
    the opening; it is made at an address of its own, so that nothing of a request gets in.
    """
    own = (card.slug, card.name, card.path, card.superior_name)
    ticket = fresh_ticket(card.slug, found.lock_id)
    values = [str(escape(value)) for value in (*own, ticket)]
    return "".join(
        part if place % 2 == 0 else values[int(part)]
        for place, part in enumerate(_layout(card, found))
    )


def _layout(card: BranchCard, found: Front) -> list[str]:
    """The page in pieces: its text, and between the pieces the places of `_OWN`."""
    kept = kept_in_links()
    opens_next = opens_by(found.locked_on, clock().today())
    alike = (*kept.items(), card.crowd, bool(card.superior_box_id), opens_next, request.script_root)
    layouts: dict[object, list[str]] = current_app.extensions.setdefault("blank_forms", {})
    if alike not in layouts:
        if len(layouts) >= _MOST_LAYOUTS:
            layouts.clear()
        mark = secrets.token_hex(16)
        marks = {name: f"{mark}-{place}-" for place, name in enumerate(_OWN)}
        root = {"SCRIPT_NAME": request.script_root}
        at = f"/box/{marks['slug']}"
        with current_app.test_request_context(at, query_string=kept, environ_overrides=root):
            page = _laid_out(_marked(card, marks), Typed(), marks["ticket"], opens_next)
        layouts[alike] = re.split(f"{mark}-([0-9])-", page)
    return layouts[alike]


def _marked(card: BranchCard, marks: dict[str, str]) -> BranchCard:
    superior = marks["superior_name"]
    return replace(
        card, slug=marks["slug"], name=marks["name"], path=marks["path"], superior_name=superior
    )
