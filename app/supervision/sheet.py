"""The look-back's summary on paper: verdicts, each question, each unit, what is made up for."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import N_
from app.sheets.flow import Flow
from app.supervision.models import Judgement, Question, Verdict
from app.supervision.summary import Summary

QUESTIONS = {
    Question.BOX: N_("意见箱有人管吗？"),
    Question.OPINIONS: N_("意见听够了吗？几条路都走了吗？"),
    Question.ANSWERS: N_("收到的意见都答复了吗？有没有拖着的？"),
    Question.STUDY: N_("学够了吗？每个人都学了吗？"),
    Question.TALKS: N_("该谈的心都谈了吗？是面对面谈的吗？"),
    Question.MATERIALS: N_("对照检查写的是自己的问题吗？"),
    Question.MEETINGS: N_("该开的会开了吗？批评是真的吗？"),
    Question.APPRAISAL: N_("评议了吗？结果当面告诉本人了吗？"),
    Question.BULLETIN: N_("情况通报了吗？大家看得到吗？"),
    Question.PROMISES: N_("答应整改的，做到了吗？"),
}
VERDICTS = {
    Verdict.GOOD: N_("做得好"),
    Verdict.FAIR: N_("一般"),
    Verdict.MAKE_UP: N_("要补课"),
}


def summary_sheet(
    found: Summary, name: str, county: str, day: str, say: Callable[..., str]
) -> bytes:
    """The sheet; `say` translates a sentence, `day` is today as one says it."""
    flow = Flow(sealed=True)
    flow.line(county, 10, centred=True, grey=True)
    flow.line(say(N_("“回头看”汇总")), 18, centred=True)
    flow.line(f"{name}　{day}", 10.5, centred=True, grey=True)
    flow.rule()
    flow.line(
        say(N_("%(all)d 个支部，看完 %(done)d 个。"), all=found.branches, done=found.decided), 12
    )
    flow.line("　".join(_verdicts(found.verdicts, say)), 12)
    flow.line(
        say(
            N_("补课 %(all)d 件，做完并看过 %(closed)d 件，过期 %(late)d 件。"),
            all=found.tasks,
            closed=found.closed,
            late=found.overdue,
        ),
        12,
    )
    flow.heading(say(N_("一项一项看")))
    for question, counts in found.judgements.items():
        flow.line(say(QUESTIONS[question]), 11.5)
        flow.line(
            say(
                N_("做到 %(yes)d，部分做到 %(partly)d，没做到 %(no)d"),
                yes=counts[Judgement.YES],
                partly=counts[Judgement.PARTLY],
                no=counts[Judgement.NO],
            ),
            10,
            grey=True,
        )
    flow.heading(say(N_("各单位")))
    for unit in found.units:
        flow.line(f"{unit.name}：{'　'.join(_verdicts(unit.verdicts, say))}", 10.5)
    return flow.bytes()


def _verdicts(counts: dict[Verdict | None, int], say: Callable[..., str]) -> list[str]:
    said = [f"{say(words)} {counts[verdict]}" for verdict, words in VERDICTS.items()]
    return [*said, f"{say(N_('还没看'))} {counts[None]}"]
