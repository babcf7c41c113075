"""The end of what was said: threads long settled lose their words; their leaves stay in the log.

Counted from the desk's last message, never from a visit: that a receipt was read is recorded
nowhere. What a speaker wrote after that message lives as long again, for nobody answered it yet.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.cases.models import Case, ItemKind, Recourse, ThreadItem
from app.cases.thread import ThreadPage
from app.cases.workflow import State
from app.clock import shift_months
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Locator

SETTLED = (State.DECLINED, State.CLOSED, State.UPHELD)
_EMPTIED = (State.WITHDRAWN, State.REMOVED)
_BATCH = 500


def expire(session: Session, today: dt.date, months: int, instance_secret: bytes) -> int:
    """Destroy words and pictures of what was settled so many months ago, and part its receipts.

    The code then opens nothing, like any unknown one. The case itself stays, for the figures and
    for `verify-log`, and so does what was published. Returns how many threads ended.
    """
    due = _due(shift_months(today, -months))
    ended = 0
    while ids := list(session.scalars(due.limit(_BATCH))):
        items = sa.select(ThreadItem.item_id).where(ThreadItem.case_id.in_(ids))
        gone = list(session.scalars(items))
        session.execute(sa.delete(ThreadItem).where(ThreadItem.case_id.in_(ids)))
        sealing.destroy(session, gone)
        places = sa.select(Case.sealed_locator).where(Case.id.in_(ids))
        for place in filter(None, session.scalars(places)):
            attachments.destroy(session, Locator.unsealed(place, instance_secret))
        parted = {"lookup_id": None, "receipt_key": None, "version": Case.version + 1}
        parted["sealed_locator"] = None
        session.execute(sa.update(Case).where(Case.id.in_(ids)).values(parted))
        ended += len(ids)
    return ended


def _due(last_said: dt.date) -> sa.Select[str]:
    """Settled cases in which nothing was said after this day, with something left to destroy.

    A thread that a supervision group still has to look at isn't settled.
    """
    followed = aliased(Case)
    follows = sa.exists().where(followed.id == Case.merged_into, followed.state.in_(SETTLED))
    items = sa.select(ThreadItem.item_id).where(ThreadItem.case_id == Case.id)
    said = items.where(ThreadItem.written_on > last_said, ThreadItem.kind != ItemKind.DRAFT)
    open_recourse = sa.exists().where(Recourse.case_id == Case.id, Recourse.decided_on.is_(None))
    return (
        sa.select(Case.id)
        .where(
            Case.opened_on <= last_said,
            Case.state.in_(SETTLED)
            | (Case.state.in_(_EMPTIED) & (Case.state_on <= last_said))
            | ((Case.state == State.MERGED) & follows),
            ~said.exists(),
            ~open_recourse,
            Case.lookup_id.is_not(None) | items.exists(),
        )
        .order_by(Case.id)
    )


def kept_until(page: ThreadPage, months: int) -> dt.date | None:
    """Until when a settled thread is kept at least; None while it goes on or something lies."""
    if (page.followed or page.state) not in SETTLED:
        return None
    said = [message.written_on for message in page.messages]
    return shift_months(max(filter(None, said)), months) if None not in said and said else None
