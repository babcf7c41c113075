"""A bulletin's first draft from what the system knows: counts, answers, promises; never a guess.

Its words are a record of the county, so they are written in Chinese whatever the page's language.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bulletins import promises
from app.bulletins.models import Audience, Bulletin, BulletinState, Promise
from app.bulletins.promises import Standing
from app.bulletins.service import Pledge, Text
from app.cases import answers
from app.organisation.models import Box, Unit, UnitKind
from app.statistics import service as statistics
from app.statistics.tally import Tally

MOST_ANSWERS = 10
DUE_DAYS = 30
_MEETING = "会议于　　年　　月　　日召开，应到　　人，实到　　人。"


def first_draft(session: Session, unit: Unit, today: dt.date) -> Text:
    """What is known of a unit up to today, in the three parts; the committee writes the rest."""
    slug = "" if unit.kind is UnitKind.COUNTY else unit.slug
    whole = statistics.whole(session, today, slug=slug)
    kept, open_ = _promises(session, unit.id, today)
    return Text(
        title=f"{unit.name}{today.year}年{today.month}月通报",
        meeting=f"{_MEETING}\n\n{_counts(whole, today)}",
        problems=_problems(session, unit),
        result=_result(kept, open_),
        pledges=tuple(
            Pledge(p.words, p.owner, max(p.due_on, today + dt.timedelta(days=DUE_DAYS)))
            for p in open_
        ),
    )


def _counts(whole: Tally, today: dt.date) -> str:
    return (
        f"截至{today.year}年{today.month}月{today.day}日，意见箱共收到意见{whole.received}件，"
        f"其中有效{whole.valid}件；已答复{whole.answered}件，不予采纳{whole.declined}件，"
        f"还在办{whole.in_hand}件，逾期{whole.overdue}件。"
    )


def _problems(session: Session, unit: Unit) -> str:
    """The newest published summaries: what the public may read already."""
    boxes = None  # the county's: of everybody
    if unit.kind is not UnitKind.COUNTY:
        below = sa.select(Unit.id).where((Unit.id == unit.id) | (Unit.parent_id == unit.id))
        boxes = list(session.scalars(sa.select(Box.id).where(Box.unit_id.in_(below))))
    found = answers.newest(session, MOST_ANSWERS, box_ids=boxes)
    lines = [f"- {' '.join(answer.summary.split())}" for answer in found]
    return "大家提出、已经公开答复的问题：\n\n" + "\n".join(lines) if lines else ""


def _promises(
    session: Session, unit_id: str, today: dt.date
) -> tuple[list[Promise], list[Promise]]:
    query = (
        sa.select(Promise)
        .join(Bulletin, Bulletin.id == Promise.bulletin_id)
        .where(
            Bulletin.unit_id == unit_id,
            Bulletin.state == BulletinState.PUBLISHED,
            Bulletin.audience == Audience.PUBLIC,
        )
        .order_by(Promise.due_on, Promise.id)
    )
    kept: list[Promise] = []
    open_: list[Promise] = []
    for promise in session.scalars(query):
        stands = promises.standing(promise, today)
        (open_ if stands in (Standing.OPEN, Standing.OVERDUE) else kept).append(promise)
    return kept, open_


def _result(kept: list[Promise], open_: list[Promise]) -> str:
    if not kept and not open_:
        return ""
    lines = [f"上次承诺的整改{len(kept) + len(open_)}条，已做好{len(kept)}条。", ""]
    lines += [f"- 已做好：{promise.words}" for promise in kept]
    lines += [f"- 还没做好，接着做：{promise.words}" for promise in open_]
    return "\n".join(lines)
