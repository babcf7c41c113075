"""Who may decide, by when, what the speaker is told, and what is kept of it for other groups."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.cases import precedents, queue, recourse, service
from app.cases.models import Precedent, RecourseGround, RecourseKind, RecourseOutcome
from app.cases.recourse import Noted
from app.cases.workflow import DESK_MOVES, Move, State
from app.clock import add_working_days
from app.errors import Forbidden, Invalid
from app.staff import audit
from app.staff.models import Role
from config import Config
from tests.campaigns.conftest import desk_of
from tests.cases.conftest import Scene
from tests.conftest import Hand

UNNOTED = Noted()


def appealed(scene: Scene, words: str = "年初预算里有这笔钱，请再查") -> str:
    receipt, case_id = scene.opened("村口路灯坏了两个月没有人修")
    scene.answer(case_id, "没钱修。")
    scene.act(receipt, "appeal", words)
    scene.open_boxes()
    return case_id


def rule(scene: Scene, case_id: str, staff_id: str = "group-1", noted: Noted = UNNOTED) -> None:
    with scene.writing() as session:
        desk = scene.group.desk(staff_id)
        case = service.get(session, desk, case_id)
        today = scene.clock.today()
        recourse.rule(session, desk, case, Move.UPHOLD, "查过了。", today, noted)


@pytest.mark.parametrize("move", sorted(DESK_MOVES))
def test_whoever_made_a_move_of_a_case_never_decides_on_it_nor_reads_the_appeal(
    scene: Scene, move: Move
) -> None:
    """A keeper of another box, where the case lay before it was referred, has had it in hand too:
    the record of acts tells, whatever keys they hold today."""
    case_id = appealed(scene)
    with scene.writing() as session:
        audit.record(session, scene.clock.now(), "once-here", move, case_id)
    with pytest.raises(Forbidden):
        rule(scene, case_id, "once-here")
    page = scene.page(scene.group, case_id, "once-here")
    assert page.partial
    assert "预算" not in str(page)
    assert scene.page(scene.group, case_id).state is State.APPEALED
    rule(scene, case_id)  # a colleague can


def test_an_act_on_another_case_is_no_conflict(scene: Scene) -> None:
    case_id = appealed(scene)
    with scene.writing() as session:
        audit.record(session, scene.clock.now(), "group-1", Move.ACCEPT, "f" * 32)
        audit.record(session, scene.clock.now(), "group-1", "respond", case_id)
    rule(scene, case_id)


def test_a_recourse_has_a_clock_for_the_group_and_for_the_speaker(scene: Scene, hand: Hand) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    assert scene.thread(receipt).blamed_due_on is None
    scene.act(receipt, "blamed", "支书骂了我")
    assert scene.thread(receipt).blamed_due_on is None  # it still lies in the box
    scene.open_boxes()
    due = add_working_days(scene.clock.today(), 15)
    assert scene.thread(receipt).blamed_due_on == due
    assert scene.page(scene.group, case_id).recourse_due_on == due
    assert scene.page(scene.here, case_id).recourse_due_on is None
    hand.forward(days=40)
    with scene.app.app_context(), db.reading() as session:
        desk, today = scene.group.desk(), scene.clock.today()
        (row,) = queue.queue(session, desk, today, chosen="recourse").rows
    assert row.due_on == due
    assert row.days_left is not None
    assert row.days_left < 0
    with scene.writing() as session:
        case = service.get(session, scene.group.desk(), case_id)
        recourse.respond(session, scene.group.desk(), case, "谈过了。", today, done=True)
    assert scene.thread(receipt).blamed_due_on is None


# --- precedents -----------------------------------------------------------------------------------


def test_a_decision_is_kept_by_ground_and_outcome_and_leads_to_no_case(scene: Scene) -> None:
    case_id = appealed(scene)
    gist = "答复说没有经费的，要拿得出预算表。"
    rule(scene, case_id, noted=Noted(RecourseGround.REASON, gist))
    with scene.writing() as session:
        (line,) = precedents.by_ground(session)
        columns = {column.name for column in Precedent.__table__.columns}
    assert (line.kind, line.ground) == (RecourseKind.APPEAL, RecourseGround.REASON)
    assert line.outcomes == {RecourseOutcome.UPHELD: 1}
    assert line.gists == ((RecourseOutcome.UPHELD, gist, "2026Q4"),)
    assert columns == {"id", "kind", "ground", "outcome", "gist", "quarter"}


@pytest.mark.parametrize(
    "gist",
    [
        "来件人说“村口路灯坏了两个月没有人修”，属实。",
        "村口，路灯；坏了 两个月没有人修",  # punctuation makes no other words
        "提到年初预算里有这笔钱，要核对。",  # of the appeal itself
    ],
)
def test_a_point_that_quotes_the_speaker_is_refused_and_nothing_is_decided(
    scene: Scene, gist: str
) -> None:
    case_id = appealed(scene)
    with pytest.raises(Invalid) as refused:
        rule(scene, case_id, noted=Noted(RecourseGround.REASON, gist))
    assert refused.value.field == "gist"
    assert scene.page(scene.group, case_id).state is State.APPEALED
    with scene.writing() as session:
        assert session.scalars(sa.select(Precedent)).all() == []


def test_a_ground_of_the_other_list_is_refused(scene: Scene) -> None:
    case_id = appealed(scene)
    with pytest.raises(Invalid):
        rule(scene, case_id, noted=Noted(RecourseGround.TRACED))


def test_a_blaming_ends_as_found_and_only_when_it_is_done(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.act(receipt, "blamed", "支书骂了我")
    scene.open_boxes()
    desk, today = scene.group.desk(), scene.clock.today()
    for done in (False, True):
        with scene.writing() as session:
            case = service.get(session, desk, case_id)
            recourse.respond(
                session, desk, case, "在查。", today, done=done,
                outcome=RecourseOutcome.CONFIRMED, noted=Noted(RecourseGround.NAMED),
            )  # fmt: skip
            found = precedents.by_ground(session)
            assert len(found) == int(done)
    assert found[0].outcomes == {RecourseOutcome.CONFIRMED: 1}


def test_the_groups_and_the_office_read_the_precedents(
    app: Flask, config: Config, scene: Scene
) -> None:
    case_id = appealed(scene)
    rule(scene, case_id, noted=Noted(RecourseGround.DELAY, "拖过期限的，先道歉。"))
    group = desk_of(app, config, "sun", (Role.SUPERVISOR, scene.group.unit_id))
    for view in ("", "?lang=en", "?view=large", "?lang=zh-Hant"):
        assert "先道歉" in group.get(f"/desk/precedents{view}").get_data(as_text=True)
    keeper = desk_of(app, config, "zhao", (Role.KEEPER, scene.here.unit_id))
    assert keeper.get("/desk/precedents").status_code == 403
