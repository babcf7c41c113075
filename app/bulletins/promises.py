"""Promises: due, done with evidence, looked at by the supervision group, open again if it isn't."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy.orm import Session

from app.bulletins import service
from app.bulletins.models import Bulletin, BulletinState, Promise, PromiseRating
from app.bulletins.service import Writer
from app.errors import N_, Conflict, Forbidden, Invalid, NotFound
from app.organisation import service as organisation
from app.staff.models import Role

MAX_EVIDENCE = 1000


class Standing(StrEnum):
    """How a promise stands; computed from its dates, never stored."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    KEPT = "kept"


def standing(promise: Promise, today: dt.date) -> Standing:
    """Open or overdue; done once the branch says so; kept once the supervision group agrees."""
    if promise.done_on is None:
        return Standing.OPEN if today <= promise.due_on else Standing.OVERDUE
    return Standing.DONE if promise.rating is None else Standing.KEPT


def of(session: Session, bulletin: Bulletin, promise_id: str) -> Promise:
    """A promise of a published bulletin. Raises NotFound, Conflict."""
    promise = session.get(Promise, promise_id)
    if promise is None or promise.bulletin_id != bulletin.id:
        raise NotFound(N_("没有这条整改。请回到通报里再看一看。"))
    if bulletin.state is not BulletinState.PUBLISHED:
        raise Conflict(N_("这份通报现在没有发布，整改不能登记。什么都没有改变。"))
    return promise


def done(
    session: Session,
    writer: Writer,
    bulletin: Bulletin,
    promise: Promise,
    evidence: str,
    today: dt.date,
) -> None:
    """Say that it was done, and how one can see it. Raises Forbidden, Conflict, Invalid."""
    service.require_writer(session, writer, bulletin.unit_id)
    if promise.done_on is not None:
        raise Conflict(N_("这一条已经登记过了，正等监督组看。什么都没有改变。"))
    if not evidence.strip():
        raise Invalid(
            N_("请写明做成了什么、到哪里看得见。没有依据，不能算做好。"), field="evidence"
        )
    promise.done_on, promise.evidence = today, evidence.strip()
    promise.rating = promise.rated_on = None
    session.flush()


def may_rate(session: Session, writer: Writer, bulletin: Bulletin) -> bool:
    """The group that watches the unit, or the office; nobody who keeps the unit's own box."""
    if bulletin.unit_id in writer.units_as(Role.KEEPER):
        return False
    group = organisation.superior(session, bulletin.unit_id)
    watches = group is not None and group.id in writer.units_as(Role.SUPERVISOR)
    return writer.is_office or watches


def rate(
    session: Session,
    writer: Writer,
    bulletin: Bulletin,
    promise: Promise,
    rating: PromiseRating,
    due_on: dt.date | None,
    today: dt.date,
) -> None:
    """Rate again what was called done; dissatisfied opens it once more, with a new day.

    Raises Forbidden, Conflict, Invalid (field `due`).
    """
    if not may_rate(session, writer, bulletin):
        raise Forbidden(N_("整改好不好，由监督组来评，支部不能自己评。什么都没有改变。"))
    if promise.done_on is None or promise.rating is not None:
        raise Conflict(N_("这一条现在不等着评。什么都没有改变，请刷新后再看。"))
    if rating is PromiseRating.DISSATISFIED and (due_on is None or due_on <= today):
        raise Invalid(N_("不满意，就要重新整改：请定一个今天以后的日子。"), field="due")
    promise.rating, promise.rated_on = rating, today
    if rating is PromiseRating.DISSATISFIED and due_on is not None:
        promise.done_on, promise.evidence, promise.due_on = None, "", due_on
        promise.reopenings += 1
    session.flush()
