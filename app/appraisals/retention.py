"""How long an appraisal's words are kept, and what happens when its member leaves the branch."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.appraisals import links, plan, record
from app.appraisals.models import Appraisal, Occasion, TextKind
from app.appraisals.workflow import Move, State
from app.organisation import service as organisation
from app.organisation.models import Box, Member

# Words are kept three years from the occasion's beginning: the next ones look back at it.
KEPT = dt.timedelta(days=3 * 365 + 1)
# After leaving there is this much time to hand the sheet to the member or to the next branch.
AFTER_LEAVING = dt.timedelta(days=90)
MOST_AT_ONCE = 200
_UNFINISHED = (TextKind.SELF_DRAFT, TextKind.WRITTEN)


def leave(session: Session, appraisal: Appraisal, today: dt.date) -> None:
    """Say that a member left: off the roll of this branch, and what follows for this appraisal.

    Somebody who moved to another branch stays on that one's roll.
    """
    member = record.member_of(session, appraisal)
    if not links.has_left(session, appraisal, member):
        organisation.leave(session, member, today)
    take_leave(session, appraisal, today)


def take_leave(session: Session, appraisal: Appraisal, today: dt.date) -> None:
    """A member who left: links die at once, and with them drafts of either side.

    What was handed in, delivered or answered stays for 90 days, so that it can be given along.
    A finished text that was never delivered stays as long: it is the committee's word by then.
    """
    if appraisal.gone_on is not None:
        return
    links.revoke_all(session, appraisal)
    if appraisal.state in (State.OPEN, State.DRAFTED):
        record.destroy(session, record.texts(session, appraisal.id, _UNFINISHED))
    appraisal.gone_on = today
    session.flush()


def remove(session: Session, appraisal: Appraisal) -> None:
    """Destroy every word of an appraisal; that there was one, and its days, stay."""
    links.revoke_all(session, appraisal)
    record.destroy(session, record.texts(session, appraisal.id))
    plan.destroy(session, appraisal)
    record.move(appraisal, Move.REMOVE)
    session.flush()


def destroyed_on(session: Session, appraisal: Appraisal) -> dt.date:
    """The day on which its words are destroyed, as things stand."""
    last = record.occasion_of(session, appraisal).begun_on + KEPT
    gone = appraisal.gone_on
    return last if gone is None else min(last, gone + AFTER_LEAVING)


def due(session: Session, today: dt.date) -> list[str]:
    """Appraisals whose member left since, or whose words are past their time; at most 200."""
    left = Member.left_on.is_not(None) | (Member.unit_id != Box.unit_id)
    told = Appraisal.gone_on.is_not(None)
    gone = Appraisal.gone_on <= today - AFTER_LEAVING
    query = (
        sa.select(Appraisal.id)
        .join(Occasion, Occasion.id == Appraisal.occasion_id)
        .join(Box, Box.id == Occasion.box_id)
        .join(Member, Member.id == Appraisal.member_id)
        .where(
            Appraisal.state != State.REMOVED,
            (left & ~told) | (~left & told) | gone | (Occasion.begun_on <= today - KEPT),
        )
        .order_by(Appraisal.id)
        .limit(MOST_AT_ONCE)
    )
    return list(session.scalars(query))


def settle(session: Session, appraisal_id: str, today: dt.date) -> None:
    """Do what is due for one appraisal; safe to run twice."""
    appraisal = session.get_one(Appraisal, appraisal_id)
    if links.has_left(session, appraisal, record.member_of(session, appraisal)):
        take_leave(session, appraisal, today)
    else:
        appraisal.gone_on = None  # on the roll again: what was destroyed stays so
    if appraisal.state is not State.REMOVED and destroyed_on(session, appraisal) <= today:
        remove(session, appraisal)
