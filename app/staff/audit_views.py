"""What staff did, for the county office to read: who, when, what act; never a word of a speaker."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, render_template, request, url_for
from sqlalchemy.orm import Session

from app.db import reading
from app.errors import N_
from app.i18n import gettext, moment
from app.organisation.models import Box, Unit
from app.staff import guard
from app.staff.audit import AuditRow, Place, newest
from app.staff.keepers import normal_username
from app.staff.models import Role, Staff
from app.text import printable

blueprint = Blueprint("audit", __name__, url_prefix="/desk/audit")

PAGE = 50
# The codes of acts, in words; a code that isn't here is shown as it is.
ACTIONS = {
    "sign_in": N_("登录"),
    "sign_in_refused": N_("登录没有成功"),
    "sign_out": N_("退出登录"),
    "trust_device": N_("信任一台设备"),
    "end_device": N_("不再信任一台设备"),
    "end_desk": N_("结束别处的登录"),
    "change_password": N_("换密码"),
    "change_second_factor": N_("换验证器"),
    "renew_recovery_codes": N_("换恢复码"),
    "invite": N_("邀请"),
    "appoint": N_("加上职责"),
    "withdraw_invitation": N_("撤回邀请"),
    "enrol": N_("办好账号"),
    "renew": N_("发出重设链接"),
    "renewed": N_("重设了账号"),
    "take_away": N_("撤下职责"),
    "first_key": N_("配上第一把钥匙"),
    "hand_over": N_("交给钥匙"),
    "rotate": N_("换上新钥匙"),
    "back_up": N_("封给备用钥匙"),
    "make_recovery_key": N_("做备用钥匙"),
    "recover": N_("用备用钥匙找回"),
    "start_anew": N_("旧钥匙丢了，重新开始"),
    "accept": N_("受理"),
    "decline": N_("不予采纳"),
    "ask": N_("请补充"),
    "refer": N_("转办"),
    "merge": N_("并单"),
    "draft": N_("起草答复"),
    "discard": N_("退回草稿"),
    "approve": N_("发布答复"),
    "key_in": N_("代为录入"),
    "draft_bulletin": N_("起草通报"),
    "save_bulletin": N_("改通报的草稿"),
    "discard_bulletin": N_("丢掉通报的草稿"),
    "publish_bulletin": N_("发布通报"),
    "withdraw_bulletin": N_("撤下通报"),
    "promise_done": N_("登记整改做好了"),
    "promise_rate": N_("复评整改"),
    "begin_appraisals": N_("开始评议党员"),
    "link_self": N_("发自评链接"),
    "link_feedback": N_("发反馈链接"),
    "appraisal_paper": N_("照纸录入自评"),
    "appraisal_revoke": N_("收回链接"),
    "appraisal_draft": N_("起草评议意见"),
    "appraisal_finish": N_("评议意见定稿"),
    "appraisal_return": N_("退回评议意见"),
    "appraisal_revise": N_("重写评议意见"),
    "appraisal_handover": N_("当面交评议意见"),
    "appraisal_acknowledge": N_("登记本人签收"),
    "appraisal_reply": N_("照纸录入本人的话"),
    "appraisal_oral": N_("记口头反馈"),
    "appraisal_plan": N_("加一条整改"),
    "appraisal_leave": N_("登记离开支部"),
    "plan_done": N_("登记整改做好了"),
    "plan_again": N_("回头看整改"),
    "draft_campaign": N_("起草活动"),
    "save_campaign": N_("改活动"),
    "start_campaign": N_("开始活动"),
    "close_campaign": N_("结束活动"),
    "discard_campaign": N_("丢掉活动的草稿"),
    "record_action": N_("记规定动作"),
    "state_due": N_("定应做数"),
    "correct_record": N_("改规定动作的记录"),
    "look_back_kept": N_("回头看，先存着"),
    "look_back_good": N_("回头看：做得好"),
    "look_back_fair": N_("回头看：一般"),
    "look_back_make_up": N_("回头看：要补课"),
    "task_done": N_("报补课做好了"),
    "task_close": N_("看过补课"),
    "task_return": N_("退回补课"),
    "contact_point": N_("定联系点"),
    "release_contact_point": N_("取消联系点"),
    "delete_leader": N_("删去联系领导"),
}
DETAILS = {
    "unknown": N_("没有这个用户名"),
    "wait": N_("还在等待"),
    "password": N_("密码不对"),
    "totp": N_("动态码"),
    "recovery": N_("恢复码"),
    "device": N_("信任的设备"),
    "keeper": N_("保管人"),
    "supervisor": N_("监督组成员"),
    "office": N_("县管理员"),
    "operator": N_("运维员"),
}


@dataclass(frozen=True)
class Line:
    """A row in words."""

    at: str
    who: str
    action: str
    about: str
    detail: str


@blueprint.get("")
@guard.desk(Role.OFFICE)
def audit() -> str:
    """The record, newest first; by person (`person`) and act (`action`)."""
    person = printable(request.args.get("person", ""))[:64]
    action = request.args.get("action", "")
    after = Place.read(request.args.get("after", ""))
    with reading() as session:
        staff_id = _staff_id(session, person)
        rows = newest(session, PAGE + 1, staff_id=staff_id, action=action, after=after)
        lines = _lines(session, rows[:PAGE])
    last = Place(rows[PAGE - 1].at, rows[PAGE - 1].id) if len(rows) > PAGE else None
    return render_template(
        "staff/audit.html",
        lines=lines,
        person=person,
        chosen=action,
        actions=[(code, gettext(words)) for code, words in ACTIONS.items()],
        next_url=_next(str(last), person, action) if last else None,
        continued=after is not None,
    )


def _next(after: str, person: str, action: str) -> str:
    return url_for("audit.audit", after=after, person=person or None, action=action or None)


def _staff_id(session: Session, person: str) -> str | None:
    if not person.strip():
        return None
    name = normal_username(person)
    return session.scalar(sa.select(Staff.id).where(Staff.username == name)) or "nobody"


def _lines(session: Session, rows: list[AuditRow]) -> list[Line]:
    ids = {row.staff_id for row in rows} | {row.subject for row in rows}
    ids |= {word for row in rows for word in row.detail.split()}
    names = _names(session, {found for found in ids if found})
    return [
        Line(
            at=moment(row.at),
            who=names.get(row.staff_id or "", row.staff_id or "—"),
            action=gettext(ACTIONS[row.action]) if row.action in ACTIONS else row.action,
            about=names.get(row.subject, row.subject[:8]) if row.subject != row.staff_id else "",
            detail=" ".join(_word(word, names, row.action) for word in row.detail.split()),
        )
        for row in rows
    ]


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    people = sa.select(Staff.id, Staff.username).where(Staff.id.in_(ids))
    units = sa.select(Unit.id, Unit.name).where(Unit.id.in_(ids))
    boxes = sa.select(Box.id, Unit.name).join(Unit, Unit.id == Box.unit_id).where(Box.id.in_(ids))
    return {key: name for query in (people, units, boxes) for key, name in session.execute(query)}


def _word(word: str, names: dict[str, str], action: str) -> str:
    if word in DETAILS:
        return gettext(DETAILS[word])
    if word == "box":
        return ""
    # Whoever checks the public log needs the whole of a use's 16 bytes; of other ids the beginning.
    whole = action in ("recover", "start_anew") or len(word) != 32
    return names.get(word, word if whole else word[:8])
