"""Home, the tree, a branch's page: public, without a cookie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.bulletins import published
from app.cases import answers
from app.db import reading
from app.evaluations import published as evaluations
from app.organisation import service
from app.sealing import front as fronts
from app.sealing import service as sealing
from app.sealing.front import Front
from app.statistics import service as statistics
from app.text import printable
from app.web import clock

blueprint = Blueprint("organisation", __name__)


NEWEST = 3
# Below so many members the form says how thin the crowd is.
THIN = 10


@dataclass(frozen=True)
class BranchCard:
    """A branch and whether somebody keeps its box.

    `superior_box_id`: the box of the supervision group above, None while nobody keeps that one.
    `crowd`: how many members a small branch has, None from THIN on and where no roll is kept.
    """

    name: str
    path: str
    slug: str
    phone: str
    open: bool
    superior_name: str = ""
    superior_slug: str = ""
    superior_box_id: str | None = None
    crowd: int | None = None
    closed: bool = False
    merged_slug: str = ""
    merged_name: str = ""


def cards(session: Session, branches: Sequence[service.Branch]) -> list[BranchCard]:
    """Branches as cards; one query for all boxes."""
    kept = sealing.open_boxes(session, [b.box_id for b in branches if b.box_id])
    return [
        BranchCard(
            b.name, b.path, b.slug, b.phone, b.box_id in kept and not b.closed, closed=b.closed
        )
        for b in branches
    ]


def box_card(connection: Connection, found: Front) -> BranchCard:
    """A branch's card with its crowd, where it went, and the wider box above it."""
    branch, group = found.branch, found.group
    into = None
    if branch.merged_into:
        with Session(connection) as session:
            into = service.unit_of(session, branch.merged_into)
    return BranchCard(
        name=branch.name,
        path=branch.path,
        slug=branch.slug,
        phone=branch.phone,
        open=found.kept and not branch.closed,
        superior_name=group.name if group else "",
        superior_slug=group.slug if group else "",
        superior_box_id=group.box_id if group else None,
        crowd=found.members if 0 < found.members < THIN else None,
        closed=branch.closed,
        merged_slug=into.slug if into else "",
        merged_name=into.name if into else "",
    )


@blueprint.get("/")
def home() -> str:
    """Find a branch, an answer or a bulletin; enter a receipt; read the newest."""
    q = printable(request.args.get("q", "")).strip()[:100]
    today = clock().today()
    with reading() as session:
        return render_template(
            "organisation/home.html",
            q=q,
            results=cards(session, service.search(session, q)) if q else None,
            most=service.MOST_RESULTS,
            found_answers=answers.find(session, q, NEWEST) if q else [],
            found_bulletins=published.find(session, q, NEWEST, today) if q else [],
            answers=answers.newest(session, NEWEST),
            bulletins=published.newest(session, NEWEST, today, withdrawn=False),
        )


@blueprint.get("/units")
def units() -> str:
    """The whole tree."""
    with reading() as session:
        return render_template("organisation/units.html", tree=service.tree(session))


@blueprint.get("/units/<slug>")
def branch(slug: str) -> str:
    """A branch's page: its box, answers, bulletins, figures; a unit's: its branches too."""
    today = clock().today()
    with reading() as session:
        front = fronts.front(session.connection(), slug)
        found = front.branch
        told = found.is_group or not found.path
        return render_template(
            "organisation/branch.html",
            branch=box_card(session.connection(), front),
            has_box=found.box_id is not None,
            below=cards(session, service.below(session, found.id)),
            answers=answers.newest(session, 10, box_ids=[found.box_id]) if found.box_id else [],
            bulletins=published.newest(session, NEWEST, today, unit_id=found.id),
            rounds=evaluations.newest(session, NEWEST, unit_id=found.id),
            whole=None if told else statistics.whole(session, today, slug=slug),
        )
