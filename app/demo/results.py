"""The demo county's bulletins: what came of it all, and what was promised; every step by the same
services that a real county uses, only dated back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.bulletins import promises, service
from app.bulletins.models import Audience, Promise, PromiseRating
from app.bulletins.service import Pledge, Text, Writer
from app.demo.life import Spot
from app.staff import keepers


@dataclass(frozen=True)
class Kept:
    """A promise: what, who, due and done so many days after the bulletin, and how it was rated."""

    words: str
    owner: str
    due: int
    done: int | None = None
    evidence: str = ""
    rating: PromiseRating | None = None


@dataclass(frozen=True)
class Told:
    """A bulletin of so many days ago; `sort` names the places of which one tells it."""

    sort: str
    days_ago: int
    title: str
    meeting: str
    problems: str
    result: str
    kept: Sequence[Kept] = ()
    withdrawn: str = ""


BULLETINS = (
    Told(
        "县",
        28,
        "全县党员评议和意见办理情况第一次通报",
        "这一轮，各支部先后开了组织生活会。**91 个单位**都安排了时间，老党员行动不便的，"
        "由支部上门听意见。会前两周，意见箱开到了村口、窗口和食堂门口。",
        "大家说得最多的是三件事：\n\n- 路灯、水沟这些小事没人管，一拖两个月；\n"
        "- 办一件事跑几个窗口，同一张身份证复印三回；\n- 会开了，问题记了，后面没有下文。\n\n"
        "三件事都属实。原因是分工不清，也是我们没有盯到底。",
        "县里同意把上面三件列为年底前必须办好的事，哪家没有办好，在下一次通报里点出来。",
        (
            Kept(
                "每个乡镇公布一个管小事的电话",
                "县委办",
                14,
                11,
                "各乡镇的电话都贴在村务栏，也写在各支部的页面上。",
                PromiseRating.SATISFIED,
            ),
            Kept(
                "窗口不再重复收身份证复印件",
                "县政务服务中心",
                21,
                20,
                "窗口改为代印，不收钱。",
                PromiseRating.BASICALLY,
            ),
            Kept("每个支部每季度回头看一次，结果公布", "县委组织部", 60),
        ),
    ),
    Told(
        "乡镇",
        12,
        "村支部组织生活会情况通报",
        "会在村部开，应到三十一人，实到二十八人，请假的三位由支委上门谈了。先念意见，再一条一条对。",
        "收到的意见里有四件说的是同一件事：村口到小学那段路黑。另有一件说低保公示只贴一天。"
        "都是真的，没有什么可以解释的。",
        "路灯已经修好，公示改为贴满七天。支委会对这两件事作了检查，党员大会表示认可。",
        (
            Kept("路灯每月第一个周五夜里查一遍", "村支书", 10, 8, "巡查本挂在村部，谁都可以翻。"),
            Kept("低保、救助的公示贴满七天并在广播里念", "村文书", 5),
        ),
    ),
    Told(
        "学校",
        6,
        "学校支部评议党员情况通报",
        "周四下午开的会，四十二名党员到了三十九名，列席的还有六位家长代表。",
        "家长说得最重的一句：食堂的晚饭等到下晚自习已经凉了。食堂留热菜的窗口一直没有排班，是总务的责任。",
        "从本周起留两个热菜窗口到九点半。总务主任在会上作了说明。",
        (Kept("晚自习后的热菜窗口一直开到期末", "总务处", 45),),
    ),
    Told(
        "医院",
        20,
        "慢病门诊整改通报",
        "会上逐条对了意见。",
        "排队时间长。",
        "同意整改。",
        withdrawn="第二部分里的排队时间抄错了，核对以后另发一份。",
    ),
)


def tell(
    session: Session,
    spots: Mapping[str, list[Spot]],
    office: Sequence[str],
    county_id: str,
    today: dt.date,
) -> None:
    """Publish the county's bulletins: drafted by a keeper, read and published by the office."""
    for told in BULLETINS:
        if told.sort == "县":
            _one(session, told, county_id, office[0], office[1], today)
        elif places := spots.get(told.sort):
            _one(session, told, places[0].unit_id, places[0].desk.staff_id, office[0], today)


def _writer(session: Session, staff_id: str) -> Writer:
    return Writer(staff_id, keepers.roles_of(session, staff_id))


def _one(
    session: Session, told: Told, unit_id: str, author: str, reader: str, today: dt.date
) -> None:
    writer, other = _writer(session, author), _writer(session, reader)
    on = today - dt.timedelta(days=told.days_ago)
    pledges = [Pledge(k.words, k.owner, on + dt.timedelta(days=k.due)) for k in told.kept]
    text = Text(told.title, told.meeting, told.problems, told.result, pledges)
    bulletin = service.draft(session, writer, unit_id, Audience.PUBLIC, text, on)
    service.publish(session, other, bulletin, on)
    made: list[Promise] = service.promises(session, bulletin.id)
    for kept, promise in zip(told.kept, made, strict=True):
        if kept.done is None:
            continue
        done_on = on + dt.timedelta(days=kept.done)
        promises.done(session, writer, bulletin, promise, kept.evidence, done_on)
        if kept.rating is not None:
            promises.rate(session, other, bulletin, promise, kept.rating, None, done_on)
    if told.withdrawn:
        service.withdraw(session, bulletin, told.withdrawn, on + dt.timedelta(days=1))
