"""What the look-back comes to over many branches: to be read, printed, and told as a bulletin.

The draft of the bulletin is a record of the county, so it is written in Chinese.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from app.bulletins.service import Pledge, Text
from app.campaigns.models import Campaign
from app.organisation.models import Unit
from app.staff import rights
from app.staff.rights import Actor
from app.supervision.asked import Cursor
from app.supervision.models import Finding, Judgement, LookBack, MakeUpTask, Question, Verdict

PAGE = 50
_ORDER = {None: 0, Verdict.MAKE_UP: 1, Verdict.FAIR: 2, Verdict.GOOD: 3}
_ASKED = {
    Question.BOX: "意见箱有人管、按时开",
    Question.OPINIONS: "意见听够了",
    Question.ANSWERS: "收到的意见都答复了",
    Question.STUDY: "学习学够了",
    Question.TALKS: "该谈的心都谈了",
    Question.MATERIALS: "对照检查材料写的是自己的问题",
    Question.MEETINGS: "该开的会开了，开得实",
    Question.APPRAISAL: "评议了，结果反馈到人",
    Question.BULLETIN: "情况通报了",
    Question.PROMISES: "答应的整改做到了",
}


@dataclass(frozen=True)
class Line:
    """A branch in the list of the look-back."""

    id: str
    slug: str
    name: str
    unit_name: str
    verdict: Verdict | None
    begun: bool
    tasks: int
    closed: int


@dataclass(frozen=True)
class UnitLine:
    """A unit: how many of its branches got which verdict; None counts those not decided."""

    name: str
    verdicts: Counter[Verdict | None]


@dataclass(frozen=True)
class Summary:
    """The look-back over all branches within somebody's reach."""

    verdicts: Counter[Verdict | None]
    judgements: dict[Question, Counter[Judgement]]
    units: tuple[UnitLine, ...]
    tasks: int
    closed: int
    overdue: int
    last_due: dt.date | None

    @property
    def branches(self) -> int:
        """How many there are."""
        return self.verdicts.total()

    @property
    def decided(self) -> int:
        """How many have a verdict."""
        return self.branches - self.verdicts[None]


def _mine(campaign: Campaign) -> sa.ColumnElement[bool]:
    return (LookBack.unit_id == Unit.id) & (LookBack.campaign_id == campaign.id)


def summary(session: Session, actor: Actor, campaign: Campaign, today: dt.date) -> Summary:
    """Verdicts, judgements and tasks; three queries."""
    reach, above = rights.reach(actor), aliased(Unit)
    verdicts = (
        sa.select(above.name, LookBack.verdict, sa.func.count())
        .select_from(Unit)
        .outerjoin(above, above.id == Unit.parent_id)
        .outerjoin(LookBack, _mine(campaign))
        .where(Unit.id.in_(reach))
        .group_by(above.name, LookBack.verdict)
    )
    units: dict[str, Counter[Verdict | None]] = {}
    for name, verdict, number in session.execute(verdicts):
        units.setdefault(name or "", Counter())[verdict] += number
    judged = (
        sa.select(Finding.question, Finding.judgement, sa.func.count())
        .join(LookBack, LookBack.id == Finding.look_back_id)
        .where(
            LookBack.campaign_id == campaign.id,
            LookBack.verdict.is_not(None),
            LookBack.unit_id.in_(reach),
        )
        .group_by(Finding.question, Finding.judgement)
    )
    judgements: dict[Question, Counter[Judgement]] = {question: Counter() for question in Question}
    for question, judgement, number in session.execute(judged):
        judgements[question][judgement] += number
    tasks, closed, overdue, last = _tasks(session, campaign, reach, today)
    return Summary(
        verdicts=sum(units.values(), Counter()),
        judgements=judgements,
        units=tuple(UnitLine(name, found) for name, found in sorted(units.items())),
        tasks=tasks,
        closed=closed,
        overdue=overdue,
        last_due=last,
    )


def _tasks(
    session: Session, campaign: Campaign, reach: sa.Select[str], today: dt.date
) -> tuple[int, int, int, dt.date | None]:
    late = MakeUpTask.done_on.is_(None) & (MakeUpTask.due_on < today)
    query = (
        sa.select(
            sa.func.count(),
            sa.func.sum(sa.case((MakeUpTask.closed_on.is_not(None), 1), else_=0)),
            sa.func.sum(sa.case((late, 1), else_=0)),
            sa.func.max(MakeUpTask.due_on),
        )
        .join(LookBack, LookBack.id == MakeUpTask.look_back_id)
        .where(
            LookBack.campaign_id == campaign.id,
            LookBack.verdict.is_not(None),
            LookBack.unit_id.in_(reach),
        )
    )
    number, closed, overdue, last = session.execute(query).one()
    return number, int(closed or 0), int(overdue or 0), last


def branches(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    *,
    after: Cursor | None = None,
    only: str = "",
    q: str = "",
    most: int = PAGE,
) -> tuple[list[Line], Cursor | None]:
    """A page of the branches, those without a verdict first; two queries.

    `only`: a verdict, or `none` for those that have none yet.
    """
    above = aliased(Unit)
    weight = sa.case(
        *((LookBack.verdict == verdict, place) for verdict, place in _ORDER.items() if verdict),
        else_=0,
    ).label("weight")
    query = (
        sa.select(Unit, above.name, LookBack.id, LookBack.verdict, weight)
        .outerjoin(above, above.id == Unit.parent_id)
        .outerjoin(LookBack, _mine(campaign))
        .where(Unit.id.in_(rights.reach(actor)), *_chosen(only, q, above))
    )
    if after is not None:
        named = sa.select(Unit.name).where(Unit.id == after.id).scalar_subquery()
        here = sa.tuple_(weight, Unit.name, Unit.id)
        query = query.where(here > sa.tuple_(sa.literal(after.weight), named, sa.literal(after.id)))
    found = session.execute(query.order_by(weight, Unit.name, Unit.id).limit(most + 1)).all()
    shown = found[:most]
    tasks = _tasks_of(session, [look_back for _, _, look_back, _, _ in shown if look_back])
    lines = [
        Line(unit.id, unit.slug, unit.name, name or "", verdict, look_back is not None,
             *tasks.get(look_back or "", (0, 0)))
        for unit, name, look_back, verdict, _ in shown
    ]  # fmt: skip
    return lines, Cursor(shown[-1][4], shown[-1][0].id) if len(found) > most else None


def _chosen(only: str, q: str, above: type[Unit]) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if only == "none":
        conditions.append(LookBack.verdict.is_(None))
    elif only in list(Verdict):
        conditions.append(LookBack.verdict == Verdict(only))
    for word in q.split()[:5]:
        places = (Unit.name, above.name, Unit.search_key)
        conditions.append(sa.or_(*(place.icontains(word, autoescape=True) for place in places)))
    return conditions


def _tasks_of(session: Session, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    closed = sa.func.sum(sa.case((MakeUpTask.closed_on.is_not(None), 1), else_=0))
    query = (
        sa.select(MakeUpTask.look_back_id, sa.func.count(), closed)
        .where(MakeUpTask.look_back_id.in_(ids))
        .group_by(MakeUpTask.look_back_id)
    )
    return {look_back: (number, int(done)) for look_back, number, done in session.execute(query)}


# --- told -----------------------------------------------------------------------------------------


def bulletin(found: Summary, campaign: Campaign, today: dt.date) -> Text:
    """A first draft of the county's bulletin, in its three parts; the office goes on from there."""
    verdicts = found.verdicts
    on = f"{today.year}年{today.month}月{today.day}日"
    pledges = []
    if found.tasks > found.closed and found.last_due is not None:
        words = f"{found.tasks - found.closed} 件补课全部做完，由监督组逐件看过"
        due = max(found.last_due, today + dt.timedelta(days=1))
        pledges.append(Pledge(words, "各有关支部、监督组", due))
    return Text(
        title=f"{campaign.name}“回头看”情况通报"[:120],
        meeting=(
            f"到{on}，监督组对 {found.branches} 个支部中的 {found.decided} 个做了“回头看”，"
            "一项一项对着系统里的数看，再由监督组下结论。"
        ),
        problems=_problems(found),
        result=(
            f"做得好的 {verdicts[Verdict.GOOD]} 个，一般的 {verdicts[Verdict.FAIR]} 个，"
            f"要补课的 {verdicts[Verdict.MAKE_UP]} 个；还没有看的 {verdicts[None]} 个。\n\n"
            f"补课 {found.tasks} 件，已做完并看过 {found.closed} 件，"
            f"过了期还没做的 {found.overdue} 件。"
        ),
        pledges=pledges,
    )


def _problems(found: Summary) -> str:
    lines = ["看过的支部里，每一项的情况：", ""]
    for question, counts in found.judgements.items():
        lines.append(
            f"- {_ASKED[question]}：做到 {counts[Judgement.YES]} 个，"
            f"部分做到 {counts[Judgement.PARTLY]} 个，没有做到 {counts[Judgement.NO]} 个"
        )
    return "\n".join(lines)
