"""Asking, referring, merging: whoever holds a case then can open it, and nobody else any more."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from app import db
from app.cases import merging, referral, service
from app.cases.models import Case, DeclineReason
from app.cases.workflow import IllegalMoveError, State
from app.clock import add_working_days
from app.errors import Conflict, Forbidden, Invalid
from app.organisation import service as organisation
from app.organisation.service import Branch
from app.submissions.service import About
from tests.cases.conftest import Scene
from tests.conftest import Hand
from tests.factories import BoxInHand, make_box


def refer(
    scene: Scene, case_id: str, to: BoxInHand, by: BoxInHand, sentence: str = "归他们管。"
) -> None:
    with scene.writing() as session:
        case = scene.case(session, case_id)
        about = service.about(session, by.desk(), case)
        branch = organisation.named(session, to.slug)
        assert isinstance(branch, Branch)
        referral.refer(session, by.desk(), case, branch, sentence, about, scene.clock.today())


def merge(scene: Scene, case_id: str, into: str) -> None:
    with scene.writing() as session:
        other = session.get(Case, into)
        case = scene.case(session, case_id)
        merging.merge(session, scene.here.desk(), case, other, scene.clock.today())


def test_a_question_stops_the_clock_until_the_reply_is_opened(scene: Scene, hand: Hand) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    before = scene.page(scene.here, case_id).due_on
    with scene.writing() as session:
        service.ask(session, scene.case(session, case_id), "哪一盏？", scene.clock.today())
    page = scene.thread(receipt)
    assert page.state is State.ASKED
    assert scene.said(page)[-1] == ("desk", "question", "哪一盏？")
    assert page.due_on == add_working_days(scene.clock.today(), 10)
    hand.forward(days=7)
    scene.act(receipt, "reply", "校门口那盏")
    assert scene.thread(receipt).state is State.ASKED
    scene.open_boxes()
    page_at_desk = scene.page(scene.here, case_id)
    assert page_at_desk.state is State.WAITING
    assert before is not None
    assert page_at_desk.due_on == add_working_days(before, 5)
    assert scene.said(page_at_desk)[-1] == ("speaker", "message", "校门口那盏")


def test_nobody_is_asked_whose_receipt_is_burnt(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    with scene.writing() as session:
        case = scene.case(session, case_id)
        case.lookup_id = case.receipt_key = None
        session.flush()
        with pytest.raises(Conflict):
            service.ask(session, case, "哪一盏？", scene.clock.today())
    assert "ask" not in scene.page(scene.here, case_id).moves
    assert receipt.code


def test_a_referred_case_goes_with_its_keys_and_restarts_its_clock(
    scene: Scene, hand: Hand
) -> None:
    receipt, case_id = scene.opened("石桥的路灯坏了")
    hand.forward(days=2)
    refer(scene, case_id, scene.there, scene.here)
    page = scene.page(scene.there, case_id)
    assert page.content is not None
    assert page.content.text == "石桥的路灯坏了"
    assert page.messages[-1].way == ("longtan支部", "shiqiao支部")
    assert (page.state, page.due_on) == (State.WAITING, add_working_days(scene.clock.today(), 5))
    with pytest.raises(Forbidden):
        scene.page(scene.here, case_id)
    with scene.writing() as session:  # not even the rows open to the old key any more
        case = scene.case(session, case_id)
        case.box_id = scene.here.box_id
        session.flush()
        with pytest.raises(Forbidden):
            service.about(session, scene.here.desk(), case)
        session.rollback()
    assert scene.thread(receipt).branch_name == "shiqiao支部"
    assert scene.said(scene.thread(receipt))[-1] == ("desk", "referral", "归他们管。")


def test_a_second_referral_and_one_about_a_person_go_to_the_group_alone(scene: Scene) -> None:
    _, twice = scene.opened("石桥的路灯坏了")
    refer(scene, twice, scene.there, scene.here)
    with pytest.raises(Invalid):
        refer(scene, twice, scene.here, scene.there)
    refer(scene, twice, scene.group, scene.there)
    refer(scene, twice, scene.here, scene.group)  # the group decides where it goes
    assert scene.page(scene.here, twice).state is State.WAITING
    _, person = scene.opened("会计态度差", About.INDIVIDUAL)
    with pytest.raises(Invalid):
        refer(scene, person, scene.there, scene.here)
    refer(scene, person, scene.group, scene.here)
    assert scene.page(scene.group, person).content is not None


def test_nothing_is_referred_to_where_nobody_could_read_it(scene: Scene) -> None:
    _, case_id = scene.opened("路灯坏了")
    with scene.writing() as session:
        closed = make_box(session, "wuren", scene.clock, kept=False)
    with pytest.raises(Conflict):
        refer(scene, case_id, closed, scene.here)
    with pytest.raises(Invalid):
        refer(scene, case_id, scene.here, scene.here)
    with pytest.raises(Invalid):
        refer(scene, case_id, scene.there, scene.here, sentence=" ")
    assert scene.page(scene.here, case_id).state is State.WAITING


def test_what_lay_in_the_box_when_its_case_left_is_passed_on_in_one_tap(scene: Scene) -> None:
    receipt, case_id = scene.opened("石桥的路灯坏了")
    scene.act(receipt, "reply", "昨天又坏了一盏")
    refer(scene, case_id, scene.there, scene.here)
    scene.open_boxes()
    assert "昨天又坏了一盏" not in str(scene.said(scene.page(scene.there, case_id)))
    with scene.writing() as session:
        assert len(referral.left_behind(session, scene.here.desk())) == 1
        assert referral.left_behind(session, scene.group.desk()) == []
        assert referral.forward(session, scene.here.desk()) == 1
        assert referral.left_behind(session, scene.here.desk()) == []
    assert "昨天又坏了一盏" in str(scene.said(scene.page(scene.there, case_id)))


def test_a_merged_case_gets_the_answer_and_keeps_its_own_thread(scene: Scene) -> None:
    one, one_id = scene.opened("村口路灯坏了两个月")
    two, two_id = scene.opened("村口的路灯坏了快两个月了")
    third, third_id = scene.opened("路灯")
    merge(scene, third_id, two_id)
    merge(scene, two_id, one_id)  # what followed it follows along
    scene.answer(one_id, "周五修好。")
    for receipt, own in ((two, "村口的路灯坏了快两个月了"), (third, "路灯")):
        page = scene.thread(receipt)
        assert (page.state, page.followed) == (State.MERGED, State.ANSWERED)
        assert [text for _, _, text in scene.said(page)] == [own, "周五修好。"]
    assert len(scene.said(scene.thread(one))) == 2
    late, late_id = scene.opened("路灯还没修？")
    merge(scene, late_id, one_id)  # an answer given earlier is told at once
    assert scene.said(scene.thread(late))[-1][2] == "周五修好。"
    scene.act(two, "reply", "多谢")
    scene.open_boxes()
    assert scene.said(scene.page(scene.here, two_id))[-1][2] == "多谢"


def test_a_refusal_reaches_every_receipt_that_followed(scene: Scene) -> None:
    _, one_id = scene.opened("要求发钱")
    two, two_id = scene.opened("要求发钱！")
    merge(scene, two_id, one_id)
    with scene.writing() as session:
        case = scene.case(session, one_id)
        service.decline(
            session,
            scene.here.desk(),
            case,
            DeclineReason.NO_FACTS,
            "没写清楚。",
            scene.clock.today(),
        )
    assert scene.said(scene.thread(two))[-1] == ("desk", "decline", "没写清楚。")


def test_what_followed_a_withdrawn_case_goes_on_by_itself(scene: Scene, hand: Hand) -> None:
    one, one_id = scene.opened("路灯坏了")
    two, two_id = scene.opened("路灯坏了！")
    merge(scene, two_id, one_id)
    hand.forward(days=3)
    scene.withdraw(one)
    page = scene.thread(two)
    assert page.state is State.WAITING
    assert page.due_on == add_working_days(scene.clock.today(), 5)
    assert scene.thread(one).state is State.WITHDRAWN


def test_a_merger_by_mistake_is_undone(scene: Scene) -> None:
    _, one_id = scene.opened("路灯坏了")
    two, two_id = scene.opened("水管漏了")
    with scene.writing() as session:
        service.accept(session, scene.case(session, two_id), scene.clock.today())
    merge(scene, two_id, one_id)
    with scene.writing() as session:
        merging.split(session, scene.case(session, two_id), scene.clock.today())
    assert scene.thread(two).state is State.ACCEPTED
    scene.answer(one_id)
    assert "修好了。" not in str(scene.said(scene.thread(two)))


def test_a_case_is_merged_into_a_living_case_of_its_own_box_alone(scene: Scene) -> None:
    _, one_id = scene.opened("路灯坏了")
    two, two_id = scene.opened("路灯坏了！")
    _, other_id = scene.opened("别的箱子", box=scene.there)
    for into in (two_id, other_id, "0" * 32):
        with pytest.raises(Invalid):
            merge(scene, two_id, into)
    merge(scene, two_id, one_id)
    with pytest.raises(Invalid):
        merge(scene, one_id, two_id)  # a circle
    with pytest.raises(Conflict):
        refer(scene, one_id, scene.there, scene.here)  # it can't leave what follows it behind
    with pytest.raises(IllegalMoveError):
        merge(scene, two_id, one_id)
    assert scene.thread(two).state is State.MERGED


def test_every_merged_case_knows_what_it_follows(scene: Scene) -> None:
    _, one_id = scene.opened("路灯坏了")
    _, two_id = scene.opened("路灯坏了！")
    merge(scene, two_id, one_id)
    with scene.app.app_context(), db.reading() as session:
        rows = session.execute(sa.select(Case.state, Case.merged_into))
        assert {(row.state, row.merged_into) for row in rows} == {
            (State.WAITING, None),
            (State.MERGED, one_id),
        }
