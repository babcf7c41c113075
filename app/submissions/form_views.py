"""How the box's form is shown: with what was typed, or blank, as nearly everybody gets it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from flask import render_template

from app import layouts
from app.db import reading
from app.organisation.views import BranchCard
from app.sealing import service as sealing
from app.sealing.front import Front
from app.submissions import service
from app.submissions.models import SpeakerGroup
from app.submissions.receipt_views import opens_by
from app.submissions.service import About, Aspect, Publish, Recipient
from app.submissions.ticket import new_ticket, write_ticket
from app.web import clock, config


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
    """The form of an open box, blank: it goes by the crowd's size, the group, the opening's day."""
    opens_next = opens_by(found.locked_on, clock().today())
    own = {
        "slug": card.slug,
        "name": card.name,
        "path": card.path,
        "superior_name": card.superior_name,
        "ticket": fresh_ticket(card.slug, found.lock_id),
    }

    def blank(marks: dict[str, str]) -> str:
        return _laid_out(_marked(card, marks), Typed(), marks["ticket"], opens_next)

    alike = (card.crowd, bool(card.superior_box_id), opens_next)
    return layouts.filled("/box/{slug}", alike, own, blank)


def _marked(card: BranchCard, marks: dict[str, str]) -> BranchCard:
    superior = marks["superior_name"]
    return replace(
        card, slug=marks["slug"], name=marks["name"], path=marks["path"], superior_name=superior
    )
