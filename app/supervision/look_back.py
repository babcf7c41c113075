"""The look-back (回头看): the group judges each question beside its figure, and gives a verdict.

Whoever keeps a branch's box doesn't look back on it. A branch that has to make up for something
gets tasks with days; it closes them with evidence, and the group says whether that will do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign, CampaignState
from app.errors import N_, Conflict, Forbidden, Invalid, NotFound
from app.organisation.models import Unit
from app.staff import rights
from app.staff.models import Role
from app.staff.rights import Actor
from app.supervision.facts import Facts, total
from app.supervision.models import (
    Finding,
    Judgement,
    LookBack,
    MakeUpTask,
    Question,
    Verdict,
)

MAX_NOTE, MAX_REMARK, MAX_TASK, MAX_EVIDENCE = 300, 500, 300, 500
MOST_TASKS = 20
CHANGED_MEANWHILE = N_(
    "您看着的时候，组里另一位刚改过。什么都没有覆盖，您写的还在下面，请先看最新的。"
)


class Standing(StrEnum):
    """How a make-up task stands; computed from its days, never stored."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    CLOSED = "closed"


@dataclass(frozen=True)
class TypedFinding:
    """A judgement as it is typed; None while nothing is chosen."""

    judgement: Judgement | None
    note: str = ""


@dataclass(frozen=True)
class TypedTask:
    """A make-up task as it is typed."""

    words: str
    due_on: dt.date


@dataclass(frozen=True)
class Typed:
    """A look-back as it is typed; without a verdict it is kept to be gone on with."""

    findings: Mapping[Question, TypedFinding]
    verdict: Verdict | None
    remark: str = ""
    tasks: Sequence[TypedTask] = ()


def standing(task: MakeUpTask, today: dt.date) -> Standing:
    """Open or overdue; done once the branch says so; closed once the group agrees."""
    if task.closed_on is not None:
        return Standing.CLOSED
    if task.done_on is not None:
        return Standing.DONE
    return Standing.OPEN if today <= task.due_on else Standing.OVERDUE


def of(session: Session, campaign: Campaign, unit_id: str) -> LookBack | None:
    """A branch's look-back, as far as it is."""
    query = sa.select(LookBack).where(
        LookBack.campaign_id == campaign.id, LookBack.unit_id == unit_id
    )
    return session.scalar(query)


def findings(session: Session, found: LookBack) -> dict[Question, Finding]:
    """What was judged."""
    query = sa.select(Finding).where(Finding.look_back_id == found.id)
    return {row.question: row for row in session.scalars(query)}


def tasks(session: Session, found: LookBack) -> list[MakeUpTask]:
    """What the branch makes up for, in the order it was given."""
    query = sa.select(MakeUpTask).where(MakeUpTask.look_back_id == found.id)
    return list(session.scalars(query.order_by(MakeUpTask.position)))


def require_group(session: Session, actor: Actor, unit: Unit) -> None:
    """Raises Forbidden unless this person looks back on the branch: its group, or the office."""
    if not rights.watches(session, actor, unit.id):
        raise Forbidden(
            N_("回头看由管这个支部的监督组来做，自己保管的支部不能自己看。什么都没有改变。")
        )


# --- judging --------------------------------------------------------------------------------------


def write(
    session: Session,
    actor: Actor,
    campaign: Campaign,
    unit: Unit,
    typed: Typed,
    facts: Facts,
    today: dt.date,
    version: int | None = None,
) -> LookBack:
    """Keep the judgements with the figures of now; with a verdict, decide.

    Raises Forbidden, Conflict, Invalid (fields `judgement-<question>`, `verdict`, `task`).
    """
    require_group(session, actor, unit)
    if campaign.state is CampaignState.DRAFT:
        raise Conflict(N_("这次活动还没有开始，没有什么可以回头看。什么都没有改变。"))
    found = of(session, campaign, unit.id)
    if (found.version if found else 0) != (version or 0):
        raise Conflict(CHANGED_MEANWHILE)
    if found is not None and found.verdict and not typed.verdict:
        raise Conflict(N_("结论已经定过了。要改，请直接选新的结论。什么都没有改变。"))
    kept = tasks(session, found) if found else []
    _check(typed, len(kept), today)
    if found is None:
        found = LookBack(campaign_id=campaign.id, unit_id=unit.id, version=1)
        session.add(found)
        session.flush()
    else:
        found.version += 1
    found.remark, found.verdict = typed.remark, typed.verdict
    found.decided_on = today if typed.verdict else None
    found.decided_by = actor.staff_id if typed.verdict else None
    _judge(session, found, typed.findings, facts)
    _give(session, found, typed.tasks, len(kept))
    return found


def _give(session: Session, found: LookBack, more: Sequence[TypedTask], first: int) -> None:
    """Add tasks behind those that there are: what was given once is not taken away unseen."""
    session.add_all(
        MakeUpTask(look_back_id=found.id, position=place, words=task.words, due_on=task.due_on)
        for place, task in enumerate(more, start=first)
    )
    session.flush()


def _check(typed: Typed, kept: int, today: dt.date) -> None:
    if kept + len(typed.tasks) > MOST_TASKS:
        raise Invalid(N_("补课最多 %(most)d 条。没有存下。"), field="task", most=MOST_TASKS)
    for task in typed.tasks:
        if not task.words or task.due_on <= today:
            raise Invalid(
                N_("每条补课要写明做什么、今天以后哪天以前做好。没有存下，您写的都还在。"),
                field="task",
            )
    if typed.verdict is None:
        return
    for question in Question:
        if typed.findings.get(question, TypedFinding(None)).judgement is None:
            raise Invalid(
                N_("还有没看的问题，不能下结论。可以先存着，看完再定。"),
                field=f"judgement-{question}",
            )
    if (typed.verdict is Verdict.MAKE_UP) != bool(kept + len(typed.tasks)):
        raise Invalid(
            N_("要补课，就至少写一条补什么；不用补课，就不要写。没有定下，您写的都还在。"),
            field="verdict",
        )


def _judge(
    session: Session, found: LookBack, typed: Mapping[Question, TypedFinding], facts: Facts
) -> None:
    session.execute(sa.delete(Finding).where(Finding.look_back_id == found.id))
    for question, finding in typed.items():
        if finding.judgement is None:
            continue
        done, due = total(facts[question])
        session.add(
            Finding(
                look_back_id=found.id,
                question=question,
                judgement=finding.judgement,
                note=finding.note,
                done=done,
                due=due,
            )
        )
    session.flush()


# --- making up ------------------------------------------------------------------------------------


def task_of(session: Session, found: LookBack | None, task_id: str) -> MakeUpTask:
    """A task of this look-back. Raises NotFound."""
    task = session.get(MakeUpTask, task_id)
    if found is None or task is None or task.look_back_id != found.id:
        raise NotFound(N_("没有这一条补课。请回到回头看的页面再看。"))
    return task


def done(actor: Actor, unit: Unit, task: MakeUpTask, evidence: str, today: dt.date) -> None:
    """The branch says that it was done, and how one can see it.

    Raises Forbidden, Conflict, Invalid (field `evidence`).
    """
    if not actor.is_office and (Role.KEEPER, unit.id) not in actor.roles:
        raise Forbidden(N_("补课做没做，由这个支部自己的人来报。什么都没有改变。"))
    if task.done_on is not None:
        raise Conflict(N_("这一条已经报过了，正等监督组看。什么都没有改变。"))
    if not evidence.strip():
        raise Invalid(
            N_("请写明做成了什么、到哪里看得见。没有依据，不能算做好。"), field="evidence"
        )
    task.done_on, task.evidence = today, evidence.strip()


def close(session: Session, actor: Actor, unit: Unit, task: MakeUpTask, today: dt.date) -> None:
    """The group saw it: that will do. Raises Forbidden, Conflict."""
    require_group(session, actor, unit)
    _require_done(task)
    task.closed_on = today


def send_back(
    session: Session,
    actor: Actor,
    unit: Unit,
    task: MakeUpTask,
    due_on: dt.date | None,
    today: dt.date,
) -> None:
    """The group saw it, and it won't do: once more, by a new day. Raises Invalid (field `due`)."""
    require_group(session, actor, unit)
    _require_done(task)
    if due_on is None or due_on <= today:
        raise Invalid(N_("退回去重做，就要定一个今天以后的日子。没有退回。"), field="due")
    task.done_on, task.evidence, task.due_on = None, "", due_on
    task.returns += 1


def _require_done(task: MakeUpTask) -> None:
    if task.done_on is None or task.closed_on is not None:
        raise Conflict(N_("这一条现在不等着看。什么都没有改变，请刷新后再看。"))
