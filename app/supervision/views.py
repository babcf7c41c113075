"""The board: every branch a row, the units as a picture, for whoever watches or keeps them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy.orm import Session

from app.campaigns import service as campaigns
from app.db import reading
from app.organisation import contacts, tree
from app.organisation.models import Leader, Unit, UnitKind
from app.staff import guard
from app.staff.models import Role
from app.statistics import service as statistics
from app.statistics.service import Rated
from app.supervision import board as boards
from app.supervision import groups
from app.supervision.asked import PAGE, PRINTED, Asked, Cursor, Show, Sort
from app.text import printable
from app.web import clock

blueprint = Blueprint("board", __name__, url_prefix="/desk")

WHO = (Role.KEEPER, Role.SUPERVISOR, Role.OFFICE)


def _words(name: str, at_most: int = 64) -> str:
    return printable(request.args.get(name, "")).strip()[:at_most]


def _asked(unit: Unit | None, leader: Leader | None) -> Asked:
    show, sort = _words("show"), _words("sort")
    return Asked(
        show=Show(show) if show in list(Show) else Show.ALL,
        sort=Sort(sort) if sort in list(Sort) else Sort.URGENT,
        unit_id=unit.id if unit else "",
        leader_id=leader.id if leader else "",
        q=_words("q", 100),
        after=Cursor.read(_words("after")),
        most=PRINTED if _words("all") == "yes" else PAGE,
    )


def _place(session: Session) -> tuple[Unit | None, Leader | None]:
    slug, leader_id = _words("unit"), _words("leader")
    unit = tree.unit(session, slug) if slug else None
    return unit, contacts.leader(session, leader_id) if leader_id else None


@blueprint.get("/board")
@guard.desk(*WHO)
def board() -> str:
    """Every branch within one's reach; sorted, filtered, down to a unit, page by page."""
    actor, today = guard.actor(), clock().today()
    with reading() as session:
        unit, leader = _place(session)
        campaign = campaigns.chosen(session, _words("campaign"))
        asked = _asked(unit, leader)
        found = boards.board(session, actor, campaign, asked, today)
        return render_template(
            "supervision/board.html",
            board=found,
            asked=asked,
            campaign=campaign,
            campaigns=campaigns.all_of(session, drafts=False),
            unit=unit,
            leader=leader,
            shows=list(Show),
            sorts=list(Sort),
            groups=groups.recourses(session, actor, today),
            rated=_rated(session, unit),
            numbers=_words("numbers") == "yes",
            today=today,
            address=_address,
            is_office=actor.is_office,
        )


def _rated(session: Session, unit: Unit | None) -> Rated | None:
    """How speakers rated a unit's answers, as far as the public figures tell it: a quarter that is
    over, and never a branch."""
    if unit is None or unit.kind is not UnitKind.UNIT:
        return None
    return statistics.rated(session, clock().today(), slug=unit.slug)


def _address(**changes: str | None) -> str:
    """This page with something chosen differently; a new choice begins at the first page."""
    kept = {name: request.args.get(name) for name in ("campaign", "unit", "leader", "show", "sort",
                                                      "q", "all")}  # fmt: skip
    values: dict[str, Any] = {**kept, **changes}
    return url_for("board.board", **values)
