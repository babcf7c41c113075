"""Passing a case on: to another box, with its keys, from the keeper's unlocked session."""

from __future__ import annotations

import datetime as dt
import json

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases import merging, record, tallies
from app.cases.models import Case, ItemKind, ThreadItem
from app.cases.queue import Unlocked
from app.cases.workflow import Move
from app.errors import N_, Conflict, Forbidden, Invalid
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.sealing import service as sealing
from app.sealing.models import BoxKey, KeyWrap
from app.submissions.service import About


def refer(
    session: Session,
    desk: Unlocked,
    case: Case,
    to: Branch,
    sentence: str,
    about: str,
    today: dt.date,
) -> None:
    """Give a case and its keys to another box; its clock starts anew there, its speaker is told.

    About an individual: only to the supervision group. A second referral: only to, or by, the
    supervision group. Raises Invalid (fields `unit`, `message`), Conflict.
    """
    here = organisation.branches_of_boxes(session, [case.box_id])[case.box_id]
    group = organisation.superior(session, here.id)
    to_group = group is not None and to.box_id == group.box_id
    if not sentence.strip():
        raise Invalid(
            N_("转到哪里、为什么，要对人家说一句。请写上这句话，别的都还在。"), field="message"
        )
    if to.box_id is None or to.box_id == case.box_id:
        raise Invalid(N_("要转去的地方没有意见箱，或者就是这里。请另选一个。"), field="unit")
    if about == About.INDIVIDUAL and not to_group and not here.is_group:
        raise Invalid(N_("这件意见说的是某个人，只能转给监督组。请选监督组。"), field="unit")
    if case.referrals and not to_group and not here.is_group:
        raise Invalid(N_("这一件已经转过一次了。再转，要由监督组来定，请选监督组。"), field="unit")
    key = sealing.current_box_key(session, to.box_id)
    if key is None:
        raise Conflict(N_("那边的意见箱现在没有人保管，转过去没人看得到。什么都没有改变。"))
    merging.require_unmerged(session, case)
    record.move(session, case, Move.REFER, today)
    _give(session, desk, case, to.box_id, key)
    case.clock_on = today
    case.referrals += 1
    raw = json.dumps({"text": sentence, "from": here.name, "to": to.name}, ensure_ascii=False)
    record.tell(session, case, ItemKind.REFERRAL, raw.encode(), today, group=here.is_group)


def _give(session: Session, desk: Unlocked, case: Case, box_id: str, key: BoxKey) -> None:
    items = record.thread_items(session, case.id)
    if not sealing.open_items_at_desk(session, [items[0].item_id], desk.keys):
        raise Forbidden(N_("您手里的钥匙打不开这一件，请找同箱的保管人办理。"))
    sealing.hand_over(session, [item.item_id for item in items], desk.keys, key)
    left, case.box_id = case.box_id, box_id
    session.flush()
    tallies.referred(session, case, left)


def left_behind(session: Session, desk: Unlocked) -> list[ThreadItem]:
    """What speakers wrote to a box of this person after the case had left it, still unread there.

    A message that lay in the shut box while its case was referred is sealed to the old key.
    """
    if not desk.box_ids:
        return []
    mine = sa.select(BoxKey.id).where(BoxKey.box_id.in_(desk.box_ids))
    theirs = (
        sa.select(KeyWrap.item_id)
        .join(BoxKey, BoxKey.id == KeyWrap.box_key_id)
        .where(KeyWrap.item_id == ThreadItem.item_id, BoxKey.box_id == Case.box_id)
    )
    # The few first, to the letter, or their index isn't used and every thread is read.
    referred = sa.select(Case.id).where(
        Case.referrals > sa.literal_column("0"), Case.box_id.not_in(desk.box_ids)
    )
    query = (
        sa.select(ThreadItem)
        .join(Case, Case.id == ThreadItem.case_id)
        .join(KeyWrap, KeyWrap.item_id == ThreadItem.item_id)
        .where(
            ThreadItem.case_id.in_(referred),
            KeyWrap.box_key_id.in_(mine),
            ~theirs.exists(),
        )
        .order_by(ThreadItem.case_id, ThreadItem.position)
    )
    return list(session.scalars(query).unique())


def forward(session: Session, desk: Unlocked) -> int:
    """Pass on what was left behind to the boxes that hold the cases now; returns how many items."""
    done = 0
    for item in left_behind(session, desk):
        case = session.get_one(Case, item.case_id)
        key = sealing.current_box_key(session, case.box_id)
        if key is not None:
            sealing.hand_over(session, [item.item_id], desk.keys, key)
            done += 1
    return done
