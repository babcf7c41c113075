"""The demo county's campaign, six weeks old: some branches are through with its first stage, some
have begun, some have done nothing; who answers for which branch; the first look-backs."""

from __future__ import annotations

import datetime as dt
import random

from sqlalchemy.orm import Session

from app.campaigns import progress, recording, service
from app.campaigns.models import ActionKind, Campaign, RequiredAction, Route
from app.campaigns.recording import Deed
from app.campaigns.service import USUAL_ACTIONS, USUAL_STAGES, Plan, PlannedStage
from app.clock import Clock
from app.organisation import contacts
from app.organisation.models import Unit
from app.staff import keepers as keepers_of
from app.staff.models import Role
from app.staff.rights import Actor
from app.supervision import facts, look_back, measure
from app.supervision.look_back import Typed, TypedFinding, TypedTask
from app.supervision.models import Judgement, Question, Verdict

NAME = "党员评议和群众路线专题教育"
WEEKS_AGO = 6
LEADERS = (
    ("王建国", "县委书记"), ("李秀英", "县长"), ("张德福", "县委副书记"),
    ("刘玉兰", "组织部部长"), ("陈志强", "纪委书记"), ("杨桂芳", "宣传部部长"),
    ("黄国庆", "政法委书记"), ("赵永春", "常务副县长"), ("周明华", "副县长"),
    ("吴翠霞", "副县长"), ("徐有才", "人大常委会主任"), ("孙淑珍", "政协主席"),
)  # fmt: skip
CONTACT_POINTS = 120
# How much a branch has done: nothing, something, the first stage, nearly all.
_DILIGENCE = (0, 1, 1, 2, 2, 2, 3)
_PAPERS = ("签到表在支部文件柜", "会议记录本第 12 页", "谈心登记表", "照片在党建台账里")


def run(session: Session, keepers: dict[str, list[Unit]], watcher: str, clock: Clock) -> Campaign:
    """Set it up, start it, record what each kept branch did; `keepers`: staff id -> branches."""
    campaign = _started(session, clock.today())
    dice = random.Random(48)  # noqa: S311 (the same county each time, no secret)
    actions = {
        action.kind: session.get_one(RequiredAction, action.id)
        for action in progress.required(session, campaign.id)
    }
    for staff_id, branches in keepers.items():
        actor = Actor(staff_id, frozenset((Role.KEEPER, unit.id) for unit in branches))
        for unit in (unit for unit in branches if unit.closed_on is None):
            diligence = dice.choice(_DILIGENCE) if unit.slug != "demo" else 2
            _branch(session, actor, campaign, actions, unit, diligence, dice, clock)
    recount(session, campaign, clock.today())
    there = [unit for units in keepers.values() for unit in units if unit.closed_on is None]
    _contacts(session, there)
    _look_backs(session, campaign, watcher, there[1:10], clock.today())
    return campaign


def _started(session: Session, today: dt.date) -> Campaign:
    start = today - dt.timedelta(weeks=WEEKS_AGO)
    ends = [start + dt.timedelta(weeks=weeks) for weeks in (4, 7, 10)]
    stages = [PlannedStage(name, on) for name, on in zip(USUAL_STAGES, ends, strict=True)]
    plan = Plan(f"{today.year}年{NAME}", start, ends[-1], stages, USUAL_ACTIONS)
    campaign = service.draft(session, plan)
    service.start(session, campaign)
    return campaign


def recount(session: Session, campaign: Campaign, today: dt.date) -> None:
    """Count all branches anew."""
    for some in progress.batches(progress.branches(session)):
        progress.recount(session, campaign, some, measure.measured(session, campaign, some), today)


def _branch(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    actions: dict[ActionKind, RequiredAction],
    unit: Unit,
    diligence: int,
    dice: random.Random,
    clock: Clock,
) -> None:
    """What one branch recorded, as far as its diligence goes."""

    def note(kind: ActionKind, amount: int, week: int, route: Route | None = None) -> None:
        on = campaign.starts_on + dt.timedelta(weeks=week, days=dice.randrange(5))
        deed = Deed(amount, on, dice.choice(_PAPERS), route)
        now, today = clock.now(), clock.today()
        recording.record(session, actor, campaign, actions[kind], unit, deed, now, today)

    if diligence >= 1:
        note(ActionKind.STUDY, 240, 1)
        note(ActionKind.OPINIONS, dice.randrange(2, 9), 2, dice.choice(list(Route)))
    if diligence >= 2:
        note(ActionKind.STUDY, 240, 3)
        note(ActionKind.OPINIONS, dice.randrange(4, 12), 3, Route.FORUM)
        note(ActionKind.TALK_MEMBERS, dice.randrange(3, 12), 4)
    if diligence >= 3:
        for kind, due, why in (
            (ActionKind.TALK_LEADERS, 10, "支委五个人，两两谈一次"),
            (ActionKind.TALK_HEADS, 0, "没有下属单位"),
            (ActionKind.LEADERS_MEETING, 0, "不是领导班子所在的支部"),
        ):
            recording.state_due(
                session, actor, campaign, actions[kind], unit, due, why, clock.now()
            )
        note(ActionKind.TALK_LEADERS, 10, 4)
        note(ActionKind.TALK_PUBLIC, dice.randrange(10, 40), 5)
        note(ActionKind.MATERIALS, dice.randrange(3, 15), 5)


def _contacts(session: Session, branches: list[Unit]) -> None:
    """The leaders, and the branches that they answer for: spread over the county."""
    found = [contacts.named(session, name, post) for name, post in LEADERS]
    stride = max(len(branches) // CONTACT_POINTS, 1)
    for number, unit in enumerate(branches[::stride][:CONTACT_POINTS]):
        contacts.assign(session, unit, found[number % len(found)])


def _look_backs(
    session: Session, campaign: Campaign, watcher: str, branches: list[Unit], today: dt.date
) -> None:
    """What a group found at the first few branches; every third makes up for something."""
    actor = Actor(watcher, keepers_of.roles_of(session, watcher))
    known = facts.of(session, campaign, [unit.id for unit in branches], today)
    for number, unit in enumerate(branches):
        behind = number % 3 == 0
        found = {
            question: TypedFinding(Judgement.PARTLY if number % 2 else Judgement.YES)
            for question in Question
        }
        if behind:
            found[Question.TALKS] = TypedFinding(Judgement.NO, "有三位老党员还没有谈")
        typed = Typed(
            found,
            Verdict.MAKE_UP if behind else (Verdict.FAIR if number % 2 else Verdict.GOOD),
            "先把谈心补上，再来看。" if behind else "",
            [TypedTask("三位老党员上门谈一次", today + dt.timedelta(days=14))] if behind else (),
        )
        look_back.write(session, actor, campaign, unit, typed, known[unit.id], today)
    first = look_back.of(session, campaign, branches[0].id) if branches else None
    for task in look_back.tasks(session, first) if first else ():
        task.done_on, task.evidence = today, "都谈过了，谈心登记表第三页。"
    session.flush()
