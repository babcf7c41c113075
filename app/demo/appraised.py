"""The demo branch in the middle of appraising its members; every step by the same services that a
real branch uses, only dated back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.appraisals import feedback, links, occasions, plan, self_appraisal, written
from app.appraisals.links import OpenLink
from app.appraisals.models import Appraisal, Channel
from app.appraisals.written import Written
from app.cases.queue import Unlocked
from app.clock import Clock
from app.organisation.models import Member
from config import Secrets

WEEKS_AGO = 3


@dataclass(frozen=True)
class Told:
    """A member: what they wrote, what the committee wrote, how far it came, what they said."""

    answers: Sequence[str] = ()
    text: Written | None = None
    finished: bool = False
    delivered: bool = False
    reply: str = ""
    plan: Sequence[tuple[str, int, str]] = ()


# From the furthest on to who has only been asked; the rest of the roll waits.
PEOPLE = (
    Told(
        (
            "三十年前举手说的话，修路架桥算是做到了，常下去坐坐这一条淡了。",
            "",
            "给三组接了水。",
            "",
            "拆旧房那几户，是我去谈的。",
            "开会爱抢话。",
            "",
            "",
            "下次会上先听完再说。",
        ),
        Written(
            "接水、修路两件事盯到了底，三组的人都说好。",
            "会上说话急，别人的话常常没有听完。",
            "多听少抢，每月到每个组坐一次。",
        ),
        finished=True,
        delivered=True,
        reply="说我抢话，我认。有一次是有人跑题我才打断的，请下次会上说明一下。",
        plan=(
            ("每月到每个组听一次意见", 4, ""),
            ("村民会先请群众讲", 10, "这两次会都是群众先讲，有记录。"),
        ),
    ),
    Told(
        ("", "学了新的低保办法，照着重新核了一遍。", "", "窗口的事都当天办完。"),
        Written("低保核得细，没有人再来问第二遍。", "年轻，遇事容易躲。", "难办的户，先上门一趟。"),
        finished=True,
        delivered=True,
    ),
    Told(
        ("", "", "", "", "", "有时推给别人。", "组织生活缺过一次。", "", "不再缺。"),
        Written("值班从不误。", "推拖，组织生活缺过一次。", "自己的事自己办完。"),
        finished=True,
    ),
    Told(
        ("", "", "帮五保户换了灯。", "", "", "", "", "公家的车没有私用过。"),
        Written("热心，肯帮忙。", "账目记得乱。", ""),
    ),
    Told(("入党二十年，话没有忘，劲头不如从前。",)),
    Told(),
)


def appraise(session: Session, desk: Unlocked, box_id: str, clock: Clock, secrets: Secrets) -> None:
    """Begin the occasion and bring its first members as far as their story goes."""
    begun = clock.today() - dt.timedelta(weeks=WEEKS_AGO)
    name = f"{begun.year}年度组织生活会"
    occasion = occasions.begin(session, desk, box_id, name, "", begun)
    query = sa.select(Appraisal).join(Member).where(Appraisal.occasion_id == occasion.id)
    roll = session.scalars(query.order_by(Member.number).limit(len(PEOPLE)))
    teller = _Teller(session, desk, clock, secrets, begun)
    for told, appraisal in zip(PEOPLE, roll.all(), strict=False):
        teller.tell(told, appraisal)


@dataclass(frozen=True)
class _Teller:
    session: Session
    desk: Unlocked
    clock: Clock
    secrets: Secrets
    begun: dt.date

    def tell(self, told: Told, appraisal: Appraisal) -> None:
        """One member's way, a step every few days."""
        at = self.clock.now() - dt.timedelta(weeks=WEEKS_AGO)
        asked = self_appraisal.ask(self.session, self.desk, appraisal, at, self.begun, self.secrets)
        if told.answers:
            opened = self._look(asked.token, at)
            self_appraisal.hand_in(self.session, opened, told.answers, self._day(3))
        for words, days, evidence in told.plan:
            item = plan.add(self.session, appraisal, words, "", self._day(days), self._day(4))
            if evidence:
                plan.done(self.session, item, appraisal, evidence, self._day(9))
        if told.text is not None:
            written.draft(self.session, self.desk, appraisal, told.text, self._day(5))
        if told.finished:
            written.finish(self.session, self.desk, appraisal, self._day(6))
        if told.delivered:
            self._deliver(told, appraisal, at + dt.timedelta(days=7))

    def _deliver(self, told: Told, appraisal: Appraisal, at: dt.datetime) -> None:
        given = feedback.deliver(self.session, self.desk, appraisal, at, self._day(7), self.secrets)
        if told.reply:
            link = self._look(given.token, at).link
            feedback.acknowledge(self.session, appraisal, self._day(8), Channel.LINK)
            words, day = told.reply, self._day(8)
            feedback.reply(self.session, appraisal, words, day, Channel.LINK, link)

    def _look(self, token: str, at: dt.datetime) -> OpenLink:
        return links.look(self.session, token, self.secrets, at)

    def _day(self, days: int) -> dt.date:
        return self.begun + dt.timedelta(days=days)
