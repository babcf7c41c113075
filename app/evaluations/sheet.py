"""A round's result on paper: what its page says, in an embedded Chinese font."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from app.errors import N_
from app.evaluations.counting import Grade
from app.evaluations.models import VoidReason
from app.evaluations.published import ShownRound, ShownSubject
from app.evaluations.rounds import State
from app.evaluations.voting import Paper
from app.sheets.flow import Flow
from app.suppression import Figure

GRADE_WORDS = {
    Grade.SATISFIED: N_("满意"),
    Grade.BASICALLY: N_("基本满意"),
    Grade.DISSATISFIED: N_("不满意"),
    Grade.UNKNOWN: N_("不了解"),
    Grade.EXCELLENT: N_("优秀"),
    Grade.QUALIFIED: N_("合格"),
    Grade.BASIC: N_("基本合格"),
    Grade.UNQUALIFIED: N_("不合格"),
}
STATE_WORDS = {
    State.DRAFT: N_("草稿"),
    State.FROZEN: N_("定下来了，等着抽票签"),
    State.OPEN: N_("正在投票"),
    State.CLOSED: N_("已经截止，等着开票"),
    State.COUNTED: N_("点过票了，等另一位核对"),
    State.CONFIRMED: N_("核对过了，等着公布"),
    State.PUBLISHED: N_("已经公布"),
    State.VOID: N_("已经作废"),
}
VOID_WORDS = {
    VoidReason.QUORUM: N_("收回的票没有超过发出票签的一半，这一轮不算数。"),
    VoidReason.STUFFED: N_("票箱里的票比用掉的票签多，这一轮不算数。"),
    VoidReason.MISSING: N_("票箱里的票比用掉的票签少，这一轮不算数。"),
    VoidReason.ALTERED: N_("核对时，票和点出来的数对不上，这一轮不算数。"),
    VoidReason.DECIDED: N_("还没有开票就作废了。"),
}

Say = Callable[..., str]


def result_sheet(
    shown: ShownRound,
    county: str,
    address: str,
    said: Callable[[Figure], str],
    say: Say,
    day: Callable[[dt.date | None], str],
) -> bytes:
    """The sheet; `said` tells a figure, `say` translates a sentence, `day` says a date."""
    flow = Flow(sealed=True)
    flow.line(county, 10, centred=True, grey=True)
    flow.line(shown.title, 18, centred=True)
    under = shown.unit_name + (f"　{day(shown.on)}" if shown.on else "")
    flow.line(under, 10.5, centred=True, grey=True)
    flow.rule()
    if shown.void_reason is not None:
        flow.line(say(VOID_WORDS[shown.void_reason]), 12)
        flow.line(shown.void_words, 11)
    else:
        flow.line(say(STATE_WORDS[shown.state]), 12)
    if shown.is_settled:
        issued, returned = shown.issued, shown.returned
        words = N_("发出票签 %(issued)d 张，收回选票 %(returned)d 张。")
        flow.line(say(words, issued=issued, returned=returned), 11.5)
    for part in shown.parts:
        words = N_("%(groups)s：发出 %(issued)d 张，收回 %(returned)d 张")
        groups = say(N_("、")).join(part.groups)
        line = say(words, groups=groups, issued=part.issued, returned=part.returned)
        flow.line(line, 10, grey=True)
    for subject in shown.subjects:
        _subject(flow, shown, subject, said, say)
    flow.rule()
    for batch in shown.batches:
        words = N_("票签 %(count)d 张（%(group)s），校验值 %(root)s")
        flow.line(say(words, count=batch.count, group=batch.group, root=batch.root), 8, grey=True)
    flow.line(say(N_("网上的这一份：%(address)s"), address=address), 9, grey=True)
    return flow.bytes()


def _subject(
    flow: Flow, shown: ShownRound, subject: ShownSubject, said: Callable[[Figure], str], say: Say
) -> None:
    flow.heading(subject.name)
    good = say(N_("、")).join(say(GRADE_WORDS[grade]) for grade in shown.grades[:2])
    flow.line(say(N_("%(grades)s合起来：%(rate)s"), grades=good, rate=said(subject.whole)), 11.5)
    if subject.whole.shares is not None:
        flow.line("　".join(shares(subject.whole, shown.grades, say)), 10.5)
    if len(subject.parts) > 1:
        for groups, figure in subject.parts:
            flow.line(f"{say(N_('、')).join(groups)}　{said(figure)}", 10, grey=True)
    if subject.verdict:
        flow.line(say(N_("委员会的话：%(words)s"), words=subject.verdict), 11.5)


def ballot_sheet(paper: Paper, say: Say, day: Callable[[dt.date | None], str]) -> bytes:
    """A ballot to be filled in with a pen: the same questions, no number, no date of printing."""
    flow = Flow()
    flow.line(paper.unit_name, 10, centred=True, grey=True)
    flow.line(paper.title, 18, centred=True)
    flow.line(say(N_("每一项在一个方框里打勾；不勾算弃权。填好对折，连票签一起交。")), 11)
    if paper.most_excellent is not None:
        most = paper.most_excellent
        flow.line(say(N_("“优秀”一张票最多选 %(most)d 个。"), most=most), 11)
    flow.rule()
    boxes = "　　".join(f"□ {say(GRADE_WORDS[grade])}" for grade in paper.grades)
    for number, subject in enumerate(paper.subjects, start=1):
        flow.line(f"{number}. {subject.name}", 12.5)
        flow.line(boxes, 13)
    flow.rule()
    flow.line(say(N_("%(day)s夜里十二点截止。"), day=day(paper.closes_on)), 9, grey=True)
    return flow.bytes()


def shares(figure: Figure, grades: tuple[Grade, ...], say: Say) -> list[str]:
    """Each grade's share and that of abstentions, where they may be told."""
    names = [*(say(GRADE_WORDS[grade]) for grade in grades), say(N_("弃权"))]
    return [
        f"{name} {share * 100 / figure.per:g}%"
        for name, share in zip(names, figure.shares or (), strict=False)
    ]
