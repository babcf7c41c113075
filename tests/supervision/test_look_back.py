"""The look-back: judged by whoever doesn't keep the branch, with figures, tasks and a summary."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping

import pypdf
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app import db
from app.campaigns import service as campaigns
from app.campaigns.models import ActionKind
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.staff.models import Role
from app.staff.rights import Actor
from app.supervision import facts, look_back, summary
from app.supervision.facts import Fact
from app.supervision.look_back import Standing, Typed, TypedFinding, TypedTask
from app.supervision.models import Finding, Judgement, LookBack, MakeUpTask, Question, Verdict
from config import Config
from tests.campaigns.conftest import PLAN, Drive, counted, desk_of
from tests.conftest import Hand

DUE = dt.date(2026, 12, 4)
ALL_YES = {question: TypedFinding(Judgement.YES) for question in Question}
TASK = TypedTask("把谈心补齐", DUE)


def write(
    drive: Drive, typed: Typed, who: Actor | None = None, *, version: int = 0, there: bool = False
) -> str:
    box = drive.there if there else drive.here
    with drive.writing() as session:
        campaign, unit = drive.campaign(session), session.get_one(Unit, box.unit_id)
        today = drive.clock.today()
        known = facts.of(session, campaign, [unit.id], today)[unit.id]
        who = who or drive.watcher
        return look_back.write(session, who, campaign, unit, typed, known, today, version).id


def make_up(drive: Drive) -> str:
    """The first branch has to make up for something; the task's id."""
    write(drive, Typed(ALL_YES | {Question.TALKS: TypedFinding(Judgement.NO, "没谈")},
                       Verdict.MAKE_UP, "抓紧", [TASK]))  # fmt: skip
    with drive.writing() as session:
        return session.scalars(sa.select(MakeUpTask.id)).one()


def known(drive: Drive) -> facts.Facts:
    with drive.writing() as session:
        campaign, unit_id = drive.campaign(session), drive.here.unit_id
        return facts.of(session, campaign, [unit_id], drive.clock.today())[unit_id]


def test_the_figures_beside_the_questions_are_those_that_were_measured(drive: Drive) -> None:
    _, case_id = drive.opened("路灯坏了")
    drive.opened("桥坏了")
    drive.answer(case_id)
    drive.record(ActionKind.TALK_MEMBERS, 2)
    found = known(drive)
    assert found[Question.BOX] == (Fact("open", 1, 1),)
    assert found[Question.ANSWERS] == (Fact("answered", 1, 2), Fact("overdue", 0, None))
    assert Fact("talk_members", 2, 3) in found[Question.TALKS]
    assert Fact("talk_leaders", 0, None) in found[Question.TALKS]
    assert len(found) == len(Question)
    assert facts.total(found[Question.TALKS]) == (2, 9)
    assert facts.total(found[Question.ANSWERS]) == (1, 2)


def test_a_judgement_is_kept_with_the_figure_that_it_was_given_on(drive: Drive) -> None:
    drive.record(ActionKind.MATERIALS, 2)
    write(drive, Typed(ALL_YES, Verdict.GOOD))
    drive.record(ActionKind.MATERIALS, 1)
    with drive.writing() as session:
        row = session.scalars(sa.select(Finding).where(Finding.question == "materials")).one()
        assert (row.judgement, row.done, row.due) == (Judgement.YES, 2, 3)


def test_whoever_keeps_a_branch_does_not_look_back_on_it(drive: Drive) -> None:
    both = Actor("both", drive.keeper.roles | drive.watcher.roles)
    office_too = Actor("boss", drive.keeper.roles | drive.office.roles)
    with drive.writing() as session:
        bank = organisation.add_unit(session, slug="bank", name="县银行", kind=UnitKind.GROUP)
        other = Actor("other", frozenset({(Role.SUPERVISOR, bank.id)}))
    for who in (drive.keeper, both, office_too, other, Actor("nobody", frozenset())):
        with pytest.raises(Forbidden):
            write(drive, Typed(ALL_YES, Verdict.GOOD), who)
    write(drive, Typed(ALL_YES, Verdict.GOOD), both, there=True)
    write(drive, Typed(ALL_YES, Verdict.GOOD), drive.office)


def test_a_verdict_needs_every_question_and_make_up_needs_tasks(drive: Drive) -> None:
    half = {question: ALL_YES[question] for question in list(Question)[:3]}
    for typed in (
        Typed(half, Verdict.GOOD),
        Typed(ALL_YES, Verdict.MAKE_UP),
        Typed(ALL_YES, Verdict.GOOD, tasks=[TASK]),
        Typed(ALL_YES, Verdict.MAKE_UP, tasks=[TypedTask("", DUE)]),
        Typed(ALL_YES, Verdict.MAKE_UP, tasks=[TypedTask("补", drive.clock.today())]),
        Typed(ALL_YES, Verdict.MAKE_UP, tasks=[TASK] * (look_back.MOST_TASKS + 1)),
    ):
        with pytest.raises(Invalid):
            write(drive, typed)
    write(drive, Typed(half, None))  # kept, to be gone on with
    with drive.writing() as session:
        found = look_back.of(session, drive.campaign(session), drive.here.unit_id)
        assert found is not None
        assert found.verdict is None
        assert len(look_back.findings(session, found)) == 3
        seen = found.version
    write(drive, Typed(ALL_YES, Verdict.FAIR), version=seen)
    with pytest.raises(Conflict):
        write(drive, Typed(ALL_YES, Verdict.GOOD), version=seen)
    with pytest.raises(Conflict):
        write(drive, Typed(ALL_YES, None), version=seen + 1)


def step(drive: Drive, task_id: str, name: str, who: Actor, due: dt.date | None = None) -> None:
    with drive.writing() as session:
        unit = session.get_one(Unit, drive.here.unit_id)
        found = look_back.of(session, drive.campaign(session), unit.id)
        task, today = look_back.task_of(session, found, task_id), drive.clock.today()
        if name == "done":
            look_back.done(who, unit, task, "谈了，登记表在此", today)
        elif name == "close":
            look_back.close(session, who, unit, task, today)
        else:
            look_back.send_back(session, who, unit, task, due, today)


def test_a_task_is_closed_by_the_group_on_the_branchs_evidence(drive: Drive, hand: Hand) -> None:
    task_id = make_up(drive)

    def stands() -> Standing:
        with drive.writing() as session:
            return look_back.standing(session.get_one(MakeUpTask, task_id), drive.clock.today())

    assert stands() is Standing.OPEN
    for name in ("close", "return"):
        with pytest.raises(Conflict):
            step(drive, task_id, name, drive.watcher, DUE)
    with pytest.raises(Forbidden):
        step(drive, task_id, "done", drive.watcher)
    step(drive, task_id, "done", drive.keeper)
    assert stands() is Standing.DONE
    with pytest.raises(Conflict):
        step(drive, task_id, "done", drive.keeper)
    with pytest.raises(Forbidden):
        step(drive, task_id, "close", drive.keeper)
    with pytest.raises(Invalid):
        step(drive, task_id, "return", drive.watcher, drive.clock.today())
    step(drive, task_id, "return", drive.watcher, DUE)
    hand.forward(days=30)
    assert stands() is Standing.OVERDUE
    step(drive, task_id, "done", drive.keeper)
    step(drive, task_id, "close", drive.watcher)
    assert stands() is Standing.CLOSED
    with pytest.raises(Conflict):
        step(drive, task_id, "close", drive.watcher)
    with pytest.raises(NotFound):
        step(drive, "0" * 32, "close", drive.watcher)


def test_the_summary_counts_every_branch_and_those_not_looked_at_too(drive: Drive) -> None:
    make_up(drive)
    with drive.app.app_context(), db.reading() as session, counted(drive.app) as said:
        campaign, today = drive.campaign(session), drive.clock.today()
        found = summary.summary(session, drive.office, campaign, today)
        lines, more = summary.branches(session, drive.office, campaign)
        text = summary.bulletin(found, campaign, today)
        only = summary.branches(session, drive.office, campaign, only="make_up")[0]
        assert summary.summary(session, drive.keeper, campaign, today).branches == 1
    assert len(said) <= 16
    assert (found.branches, found.decided, found.tasks, found.closed) == (2, 1, 1, 0)
    assert found.verdicts == {None: 1, Verdict.MAKE_UP: 1}
    assert found.judgements[Question.TALKS] == {Judgement.NO: 1}
    assert [(line.slug, line.verdict) for line in lines] == [
        ("shiqiao", None), ("longtan", Verdict.MAKE_UP),
    ]  # fmt: skip
    assert more is None
    assert [line.slug for line in only] == ["longtan"]
    assert "要补课的 1 个" in text.result
    assert "没有做到 1 个" in text.problems
    assert text.pledges[0].due_on == DUE


def test_a_verdict_that_is_only_kept_counts_nowhere(drive: Drive) -> None:
    write(drive, Typed(ALL_YES, None, tasks=[TASK]))
    with drive.app.app_context(), db.reading() as session:
        campaign = drive.campaign(session)
        found = summary.summary(session, drive.office, campaign, drive.clock.today())
    assert (found.decided, found.tasks) == (0, 0)
    assert not any(found.judgements.values())


def test_pages_of_the_list_follow_on_one_another(drive: Drive) -> None:
    make_up(drive)
    with drive.app.app_context(), db.reading() as session:
        campaign = drive.campaign(session)
        first, place = summary.branches(session, drive.office, campaign, most=1)
        second, end = summary.branches(session, drive.office, campaign, most=1, after=place)
    assert [line.slug for line in first + second] == ["shiqiao", "longtan"]
    assert end is None


# --- at the desk ----------------------------------------------------------------------------------


def hidden(client: FlaskClient, address: str) -> dict[str, str]:
    page = client.get(address).get_data(as_text=True)
    found = {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}
    if 'name="version" value="' in page:
        found["version"] = page.split('name="version" value="')[1].split('"')[0]
    return found


def judged(verdict: str, decision: str = "decide") -> Mapping[str, str | list[str]]:
    return {f"judgement-{question}": "yes" for question in Question} | {
        "verdict": verdict, "decision": decision, "remark": "看了两天",
    }  # fmt: skip


def test_from_the_checklist_to_the_published_bulletin(
    app: Flask, config: Config, drive: Drive
) -> None:
    group = desk_of(app, config, "sun", (Role.SUPERVISOR, drive.group.unit_id))
    keeper = desk_of(app, config, "zhao", (Role.KEEPER, drive.here.unit_id))
    with drive.writing() as session:
        organisation.add_unit(session, slug="county", name="县", kind=UnitKind.COUNTY)
    base = f"/desk/look-back/{drive.campaign_id}"
    address = f"{base}/branches/longtan"
    own = hidden(group, address)
    refused = group.post(address, data={**own, **judged("good"), "task": "多余的", "due": "x"})
    assert refused.status_code == 422
    assert "看了两天" in refused.get_data(as_text=True)
    assert "多余的" in refused.get_data(as_text=True)
    tasks = {"task": ["把谈心补齐", ""], "due": [DUE.isoformat(), ""]}
    done = group.post(address, data={**own, **judged("make_up"), **tasks})
    assert done.status_code == 303
    late = group.post(address, data={**own, **judged("good")})
    assert late.status_code == 409
    with drive.writing() as session:
        task_id = session.scalars(sa.select(MakeUpTask.id)).one()
    theirs = hidden(keeper, address)
    assert keeper.post(address, data={**theirs, **judged("good")}).status_code == 403
    url = f"{address}/tasks/{task_id}"
    assert keeper.post(f"{url}/done", data=theirs).status_code == 422
    assert keeper.post(f"{url}/done", data={**theirs, "evidence": "谈了"}).status_code == 303
    assert keeper.post(f"{url}/close", data=theirs).status_code == 403
    own = hidden(group, address)
    assert group.post(f"{url}/return", data={**own, "due": ""}).status_code == 422
    assert group.post(f"{url}/close", data=own).status_code == 303
    boss, second = (desk_of(app, config, name, (Role.OFFICE, None)) for name in ("boss", "two"))
    views = ("?lang=en", "?view=large", "?only=good&q=long", "?only=make_up")
    for client in (group, keeper, boss):
        for view in views:
            assert client.get(f"{address}{view}").status_code == 200
            assert client.get(f"/desk/look-back{view}").status_code == 200
    sheet = boss.get(f"{base}.pdf")
    text = pypdf.PdfReader(io.BytesIO(sheet.data)).pages[0].extract_text().replace("\0", "")
    assert "要补课 1" in text
    office = hidden(boss, "/desk/look-back")
    assert group.post(f"{base}/bulletin", data=own).status_code == 403
    made = boss.post(f"{base}/bulletin", data=office).headers["Location"]
    published = second.post(f"{made}/publish", data=hidden(second, made))
    assert published.status_code == 303
    public = app.test_client().get(made.removeprefix("/desk")).get_data(as_text=True)
    assert "要补课的 1 个" in public


def test_another_groups_branch_is_refused(app: Flask, config: Config, drive: Drive) -> None:
    make_up(drive)
    with drive.writing() as session:
        bank = organisation.add_unit(session, slug="bank", name="县银行组", kind=UnitKind.GROUP)
        task_id = session.scalars(sa.select(MakeUpTask.id)).one()
        bank_id = bank.id
    stranger = desk_of(app, config, "li", (Role.SUPERVISOR, bank_id))
    base = f"/desk/look-back/{drive.campaign_id}/branches/longtan"
    own = hidden(stranger, "/desk/account")
    assert stranger.get(base).status_code == 403
    assert stranger.post(base, data={**own, **judged("good")}).status_code == 403
    for name in ("done", "close", "return"):
        data = {**own, "evidence": "x", "due": "2026-12-12"}
        assert stranger.post(f"{base}/tasks/{task_id}/{name}", data=data).status_code == 403
    with drive.writing() as session:
        assert session.scalars(sa.select(LookBack.verdict)).one() is Verdict.MAKE_UP


def test_nothing_is_told_before_anybody_looked(app: Flask, config: Config, drive: Drive) -> None:
    boss = desk_of(app, config, "boss", (Role.OFFICE, None))
    base = f"/desk/look-back/{drive.campaign_id}"
    own = hidden(boss, f"{base}/branches/longtan")
    assert boss.post(f"{base}/bulletin", data=own).status_code == 409
    with drive.writing() as session:
        draft = campaigns.draft(session, PLAN).id
    assert boss.get(f"/desk/look-back/{draft}.pdf").status_code == 404
    assert boss.get(f"/desk/look-back?campaign={draft}").status_code == 404
