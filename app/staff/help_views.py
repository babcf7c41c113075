"""What helps at the desk: the page of somebody's first day, and all components on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, render_template, url_for
from sqlalchemy.orm import Session

from app.campaigns import service as campaigns
from app.cases import queue
from app.cases.models import DeclineReason
from app.cases.workflow import State
from app.clock import knows_year
from app.db import reading
from app.errors import N_
from app.i18n import gettext
from app.notifications import service as notifications
from app.organisation.models import Box
from app.sealing import service as sealing
from app.staff import box_status, guard, recovery
from app.staff.models import RecoveryKey, Role
from app.statistics import chart
from app.web import clock, config
from config import DEMO_PHONE

blueprint = Blueprint("help", __name__, url_prefix="/desk")


@dataclass(frozen=True)
class Step:
    """One thing to do on the first day; `done` is None where nobody but the person can tell."""

    name: str
    what: str
    why: str
    url: str
    label: str
    done: bool | None = None


def _step(name: str, what: str, why: str, place: str, label: str, done: bool | None) -> Step:
    words = gettext(what), gettext(why)
    return Step(name, *words, url_for(place), gettext(label), done)


@blueprint.get("/welcome")
@guard.desk()
def welcome() -> str:
    """The few steps of a first day, by what the person is here for, and what of them is done."""
    with reading() as session:
        parts = [
            (role, list(steps(session)))
            for role, steps in STEPS.items()
            if guard.current().has(role)
        ]
    return render_template("staff/first_day.html", parts=parts)


def _keeper(session: Session) -> Iterator[Step]:
    person = guard.current()
    boxes = list(session.scalars(sa.select(Box).where(Box.id.in_(person.box_ids))))
    rings = box_status.read(session, guard.actor(), boxes)
    pairs = {b.unit_id: k for b in boxes for k in rings.pairs[b.id] if k.retired_on is None}
    alone = any(len(rings.openers[k.id] & rings.appointed[unit]) < 2 for unit, k in pairs.items())
    offered = any(rings.offered.values())
    yield _step(
        "colleague",
        N_("请一位同事也拿上钥匙"),
        N_("只有您一个人有钥匙，您忘了密码，以前的意见就谁也打不开了。至少要有两个人。"),
        "roster.staff", N_("去邀请同事、交给钥匙"), bool(pairs) and not alone,
    )  # fmt: skip
    if offered or any(recovery.recoverable(session, key.id) for key in pairs.values()):
        yield _step(
            "back_up",
            N_("把钥匙封一份给县里的备用钥匙"),
            N_("备用钥匙印在两张纸上，两个单位各存一半，谁也不能单独打开。"),
            "roster.staff", N_("去封存"), not offered,
        )  # fmt: skip
    yield _step(
        "posters",
        N_("印一张海报，贴在人来人往的地方"),
        N_("扫海报上的码，两屏就能投一件。不上网的人，印几张意见表放在箱子旁边。"),
        "intake.index", N_("去打印"), None,
    )  # fmt: skip
    yield _channel_step(session)
    yield _step(
        "first_case",
        N_("办第一件"),
        N_("每天到点，够几件就开箱；到星期五，全部打开。每一件都写着最晚哪天要办。"),
        "cases.queue", N_("去看办件"), queue.ever_moved(session, person.box_ids),
    )  # fmt: skip


def _supervisor(session: Session) -> Iterator[Step]:
    yield _step(
        "board",
        N_("看看您监督的支部走到哪里了"),
        N_("一个支部一行，没人管的箱子和过了期的排在最前面。"),
        "board.board", N_("去看进度"), None,
    )  # fmt: skip
    yield _channel_step(session)
    yield _step(
        "recourse",
        N_("申诉和“我受了责难”，只有监督组看得到"),
        N_("支部看不到是谁说的、说了什么。到期以前要给一个说法。"),
        "cases.queue", N_("去看办件"), None,
    )  # fmt: skip


def _office(session: Session) -> Iterator[Step]:
    made = session.scalar(sa.select(sa.exists().where(RecoveryKey.retired_on.is_(None))))
    boxes = session.scalar(sa.select(sa.exists().select_from(Box)))
    yield _step(
        "units",
        N_("把单位和支部录进来"),
        N_("一张表格一次导入：单位、支部、党员名册、工作人员。也可以一个一个加。"),
        "units.index", N_("去录单位"), bool(boxes),
    )  # fmt: skip
    yield _step(
        "recovery",
        N_("做备用钥匙，印成两张纸"),
        N_("有人忘了密码、突然离开时，靠它把意见箱找回来。两个单位各存一半。"),
        "recovery.recovery", N_("去做备用钥匙"), bool(made),
    )  # fmt: skip
    yield _step(
        "keepers",
        N_("给每个意见箱请两位保管人"),
        N_("没有保管人的箱子是关着的，收不了意见。"),
        "roster.staff", N_("去邀请"), bool(boxes) and not sealing.closed_boxes(session, 1),
    )  # fmt: skip
    yield _step(
        "campaign",
        N_("发起一次活动"),
        N_("分几步、每个支部要做什么，写一遍，所有支部就都看得到。不搞活动，可以先不管。"),
        "campaign_setup.index", N_("去发起"), bool(campaigns.running(session)) or None,
    )  # fmt: skip


def _operator(_session: Session) -> Iterator[Step]:
    known = knows_year(clock().today().year)
    yield _step(
        "phone",
        N_("写上县里真正的电话"),
        N_("设好 COUNTY_PHONE：每一页都印着它，不上网的人全靠它。没有设的时候，哪里都没有号码。"),
        "organisation.home", N_("去看首页"), config().county_phone not in ("", DEMO_PHONE),
    )  # fmt: skip
    yield _step(
        "mail",
        N_("接通邮件"),
        N_("设好 MAIL_URL、MAIL_FROM 和 PUBLIC_URL，每天的办件数和新的通报才发得出去。"),
        "notifications.index", N_("去看通知"),
        config().mail is not None and bool(config().public_url),
    )  # fmt: skip
    yield _step(
        "calendar",
        N_("核对放假安排"),
        N_("期限按工作日算。系统不知道的年份，请写进 DATA_DIR 里的 calendar.csv。"),
        "notifications.index", N_("去看通知"), known,
    )  # fmt: skip
    yield _step(
        "backup",
        N_("每天备份，放到另一台机器上"),
        N_("命令是 flask backup。secrets.json 要单独存：没有它，备份谁也打不开。"),
        "units.index", N_("去看单位"), None,
    )  # fmt: skip


def _channel_step(session: Session) -> Step:
    units = {unit_id for _, unit_id in guard.current().roles if unit_id}
    return _step(
        "channel",
        N_("让每天的件数送到您手上"),
        N_("邮箱、企业微信、钉钉、飞书都行；只有数字和地址，没有意见的内容。"),
        "notifications.index", N_("去加一条渠道"), bool(notifications.channels(session, units)),
    )  # fmt: skip


STEPS: dict[Role, Callable[[Session], Iterator[Step]]] = {
    Role.KEEPER: _keeper,
    Role.SUPERVISOR: _supervisor,
    Role.OFFICE: _office,
    Role.OPERATOR: _operator,
}


@blueprint.get("/components")
@guard.desk(Role.OPERATOR)
def components() -> str:
    """Every component in every state: what the pages of the product are put together from."""
    return render_template(
        "staff/components.html",
        states_of_cases=list(State),
        reasons=list(DeclineReason),
        columns=chart.columns([("2026-09", 12, 9), ("2026-10", 31, 28), ("2026-11", 18, 6)]),
        chart=chart,
        today=clock().today(),
    )
