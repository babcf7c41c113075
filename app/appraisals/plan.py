"""The plan to put right (整改): who, by when, done and how one can see it, asked again later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.appraisals import record
from app.appraisals.models import Appraisal, Occasion, PlanItem
from app.cases import terms
from app.cases.queue import Unlocked
from app.clock import add_working_days, working_days_between
from app.errors import N_, Conflict, Invalid, NotFound
from app.evaluations import results
from app.evaluations.results import MemberResult
from app.sealing import service as sealing

MAX_WORDS, MAX_OWNER, MAX_EVIDENCE = 200, 60, 1000
MOST = 8
USUAL_TERM = 30


class Standing(StrEnum):
    """How an item stands; computed from its dates, never stored."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    KEPT = "kept"


@dataclass(frozen=True)
class ShownItem:
    """An item as the committee sees it; words are empty where the keys don't open them."""

    id: str
    words: str
    owner: str
    due_on: dt.date
    days_left: int | None
    standing: Standing
    done_on: dt.date | None
    evidence: str
    asked_again_on: dt.date | None
    asked_again_round_id: str | None
    reopenings: int
    occasion: str


def usual_due_on(today: dt.date) -> dt.date:
    """The day that a new item is due unless somebody chooses another: 30 working days."""
    return add_working_days(today, USUAL_TERM)


def overdue_since(today: dt.date) -> dt.date:
    """The newest due day that is overdue today: at least one working day has passed since."""
    day = today - dt.timedelta(days=1)
    while working_days_between(day, today) == 0:
        day -= dt.timedelta(days=1)
    return day


def standing(item: PlanItem, today: dt.date) -> Standing:
    """Open or overdue by the working-day calendar; done once said so; kept once asked again."""
    if item.done_on is None:
        return Standing.OVERDUE if item.due_on <= overdue_since(today) else Standing.OPEN
    return Standing.KEPT if item.kept else Standing.DONE


def add(
    session: Session,
    appraisal: Appraisal,
    words: str,
    owner: str,
    due_on: dt.date | None,
    today: dt.date,
) -> PlanItem:
    """Add what is to be put right. Raises Invalid (fields `words`, `due`), Conflict."""
    record.require_words(appraisal)
    words, owner = " ".join(words.split()), " ".join(owner.split())
    if not words:
        raise Invalid(N_("还没有写整改什么，没有存下。请写好再加。"), field="words")
    if due_on is None or due_on < today:
        raise Invalid(N_("请定一个今天或今天以后的日子。没有存下，您写的还在。"), field="due")
    there = _of(session, [appraisal.id])
    if len(there) >= MOST:
        raise Invalid(N_("一个人的整改最多 %(most)d 条，没有加上。"), field="words", most=MOST)
    made = PlanItem(
        appraisal_id=appraisal.id,
        position=max((item.position for item in there), default=-1) + 1,
        item_id=record.seal(session, appraisal, {"words": words, "owner": owner}),
        due_on=due_on,
    )
    session.add(made)
    session.flush()
    return made


def get(session: Session, desk: Unlocked, item_id: str) -> tuple[PlanItem, Appraisal]:
    """An item of a kept branch's member. Raises NotFound."""
    item = session.get(PlanItem, item_id)
    if item is None:
        raise NotFound(N_("没有这条整改。请回到评议里再看一看。"))
    return item, record.get(session, desk, item.appraisal_id)


def done(
    session: Session, item: PlanItem, appraisal: Appraisal, evidence: str, today: dt.date
) -> None:
    """Say that it was done, and how one can see it. Raises Conflict, Invalid (`evidence`)."""
    if item.done_on is not None:
        raise Conflict(N_("这一条已经登记过做好了。什么都没有改变。"))
    if not evidence.strip():
        raise Invalid(
            N_("请写明做成了什么、到哪里看得见。没有依据，不能算做好。"), field="evidence"
        )
    item.evidence_id = record.seal(session, appraisal, {"words": evidence.strip()})
    item.done_on, item.kept, item.asked_again_on = today, None, None
    item.asked_again_round_id = None
    session.flush()


def later(found: Sequence[MemberResult], done_on: dt.date | None) -> list[MemberResult]:
    """Of the rounds on a member those that were confirmed after an item was called done."""
    return [one for one in found if done_on is not None and one.confirmed_on >= done_on]


def ask_again(
    session: Session,
    item: PlanItem,
    due_on: dt.date | None,
    today: dt.date,
    *,
    kept: bool,
    round_id: str | None = None,
) -> None:
    """What a later look finds: it was kept, or it is open once more with a new day.

    `round_id`: the later round that it relies on, one of `later`. Raises Conflict, Invalid
    (fields `due`, `round`).
    """
    if item.done_on is None or item.kept:
        raise Conflict(N_("这一条现在不等着回头看。什么都没有改变，请刷新后再看。"))
    if not kept and (due_on is None or due_on <= today):
        raise Invalid(N_("没有做到，就要重新整改：请定一个今天以后的日子。"), field="due")
    member_id = session.get_one(Appraisal, item.appraisal_id).member_id
    since = later(results.of_member(session, member_id), item.done_on) if round_id else []
    if round_id and round_id not in {one.round_id for one in since}:
        raise Invalid(N_("这一轮评议不是在做好以后问的，不能作依据。"), field="round")
    item.asked_again_on, item.kept, item.asked_again_round_id = today, kept, round_id
    if not kept and due_on is not None:
        gone, item.evidence_id, item.done_on = item.evidence_id, None, None
        item.due_on, item.reopenings = due_on, item.reopenings + 1
        session.flush()
        sealing.destroy(session, [gone] if gone else [])
    session.flush()


# --- shown ----------------------------------------------------------------------------------------


def _of(session: Session, appraisal_ids: Sequence[str]) -> list[PlanItem]:
    query = sa.select(PlanItem).where(PlanItem.appraisal_id.in_(appraisal_ids))
    return list(session.scalars(query.order_by(PlanItem.appraisal_id, PlanItem.position)))


def of_member(
    session: Session, desk: Unlocked, appraisal: Appraisal, today: dt.date
) -> tuple[list[ShownItem], list[ShownItem]]:
    """The items of this appraisal, and those of the member's earlier ones; three queries.

    Those of earlier occasions that aren't kept yet are asked again: first of all on this page.
    """
    own = record.occasion_of(session, appraisal)
    rows = session.execute(
        sa.select(PlanItem, Occasion.name)
        .join(Appraisal, Appraisal.id == PlanItem.appraisal_id)
        .join(Occasion, Occasion.id == Appraisal.occasion_id)
        .where(
            Appraisal.member_id == appraisal.member_id,
            Occasion.box_id == own.box_id,
            Occasion.begun_on <= own.begun_on,
        )
        .order_by(Occasion.begun_on, PlanItem.appraisal_id, PlanItem.position)
    ).all()
    ids = [i for item, _ in rows for i in (item.item_id, item.evidence_id) if i]
    raws = sealing.open_items_at_desk(session, ids, desk.keys)
    here, before = [], []
    for item, name in rows:
        shown = _shown(item, name, raws, today)
        if item.appraisal_id == appraisal.id:
            here.append(shown)
        elif shown.standing is not Standing.KEPT:
            before.append(shown)
    return here, before


def _shown(item: PlanItem, name: str, raws: Mapping[str, bytes], today: dt.date) -> ShownItem:
    told = record.content_of(raws.get(item.item_id))
    evidence = record.content_of(raws.get(item.evidence_id or ""))
    return ShownItem(
        id=item.id,
        words=str(told.get("words", "")),
        owner=str(told.get("owner", "")),
        due_on=item.due_on,
        days_left=None if item.done_on else terms.days_left(item.due_on, today),
        standing=standing(item, today),
        done_on=item.done_on,
        evidence=str(evidence.get("words", "")),
        asked_again_on=item.asked_again_on,
        asked_again_round_id=item.asked_again_round_id,
        reopenings=item.reopenings,
        occasion=name,
    )


def destroy(session: Session, appraisal: Appraisal) -> None:
    """Destroy the words of a plan; the items go with them."""
    items = _of(session, [appraisal.id])
    ids = [i for item in items for i in (item.item_id, item.evidence_id) if i]
    session.execute(sa.delete(PlanItem).where(PlanItem.appraisal_id == appraisal.id))
    sealing.destroy(session, ids)
