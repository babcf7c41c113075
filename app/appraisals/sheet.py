"""Appraisals on paper: the empty form, the feedback to be signed for, talks, link cards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.appraisals.feedback import Feedback, ShownResult
from app.appraisals.links import Issued
from app.appraisals.models import Purpose
from app.errors import N_
from app.sheets.cards import Card, cards
from app.sheets.flow import Flow

Say = Callable[..., str]
Day = Callable[[dt.date | None], str]
HEADINGS = {
    "achievements": N_("成绩"),
    "problems": N_("问题"),
    "direction": N_("努力的方向"),
}
_LINES_TO_WRITE = 4


@dataclass(frozen=True)
class Whose:
    """What stands at the head of every sheet."""

    member: str
    branch: str
    occasion: str


def _head(title: str, whose: Whose) -> Flow:
    flow = Flow()
    flow.line(whose.branch, 10, centred=True, grey=True)
    flow.line(title, 18, centred=True)
    flow.line(f"{whose.member}　{whose.occasion}", 12, centred=True)
    flow.rule()
    return flow


def empty_form(whose: Whose, questions: Sequence[str], say: Say) -> bytes:
    """The questions with lines for a pen; a member who uses no phone gives it back by hand."""
    flow = _head(say(N_("个人自评")), whose)
    flow.line(say(N_("写不下，可以接着写在背面。写好了当面交给支部。")), 10, grey=True)
    for number, question in enumerate(questions, start=1):
        flow.heading(f"{number}. {question}")
        flow.to_write_on(_LINES_TO_WRITE)
    flow.line("", 12)
    flow.line(say(N_("本人签名：＿＿＿＿＿＿＿　　　日期：＿＿＿＿＿＿＿")), 12)
    return flow.bytes()


def feedback_sheet(
    whose: Whose, given: Feedback, say: Say, day: Day, told: Callable[[ShownResult], str]
) -> bytes:
    """What a member is given to read, with a place to sign for it and one to answer.

    `told` says what may be told of ballots, as the page says it.
    """
    flow = _head(say(N_("支部给您的评议意见")), whose)
    for part, heading in HEADINGS.items():
        flow.heading(say(heading))
        for line in getattr(given, part).splitlines():
            flow.line(line, 11.5)
    if given.opinions:
        flow.heading(say(N_("大家的意见（支部转述）")))
        for opinion in given.opinions:
            flow.line(f"· {opinion}", 11.5)
    if given.results:
        flow.heading(say(N_("评议的票")))
        for one in given.results:
            flow.line(f"{one.title}：{told(one)}", 11.5)
            if one.verdict:
                flow.line(one.verdict, 10, grey=True)
    if given.plan:
        flow.heading(say(N_("请您做的整改")))
        for number, (words, owner, due) in enumerate(given.plan, start=1):
            flow.line(f"{number}. {words}", 11.5)
            by = say(N_("%(day)s以前"), day=day(due))
            flow.line("　".join(filter(None, (owner, by))), 10, grey=True)
    flow.rule()
    flow.line(say(N_("签名只表示看过了，不表示都同意。有话说，请写在下面或背面，交给支部。")), 10)
    flow.to_write_on(_LINES_TO_WRITE)
    flow.line("", 12)
    flow.line(say(N_("本人签名：＿＿＿＿＿＿＿　　　日期：＿＿＿＿＿＿＿")), 12)
    return flow.bytes()


def oral_sheet(whose: Whose, talks: Sequence[Mapping[str, object]], say: Say, day: Day) -> bytes:
    """Talks as they were recorded: who spoke, when, the gist."""
    flow = _head(say(N_("口头反馈记录")), whose)
    for talk in talks:
        on = dt.date.fromisoformat(str(talk["on"]))
        flow.heading(f"{day(on)}　{talk['who']}")
        for line in str(talk["gist"]).splitlines():
            flow.line(line, 11.5)
    flow.rule()
    flow.line(say(N_("谈话人签名：＿＿＿＿＿＿＿　　　本人签名：＿＿＿＿＿＿＿")), 12)
    return flow.bytes()


def link_cards(
    branch: str,
    issued: Sequence[tuple[Issued, str]],
    purpose: Purpose,
    left_out: Sequence[str],
    until: dt.date,
    say: Say,
    day: Day,
) -> bytes:
    """A card for each link with its address; the heading names whoever got none, and why."""
    heading = say(N_("%(branch)s　剪开以后当面交给本人；只印这一次。"), branch=branch)
    if left_out:
        names = "、".join(left_out)
        heading += say(N_("现在不能发、没有印的：%(names)s"), names=names)
    what = say(N_("请您写个人自评")) if purpose is Purpose.SELF else say(N_("支部给您的评议意见"))
    listed = [
        Card(
            one.member_name,
            (
                what,
                say(N_("用手机扫一扫，就能打开。")),
                say(N_("到%(day)s为止。"), day=day(until)),
                say(N_("只给您本人，请收好。")),
                say(N_("不用手机的，找支部要纸。")),
            ),
            address,
        )
        for one, address in issued
    ]
    return cards(heading, listed)
