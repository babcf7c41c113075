"""Appeals, "I was blamed", removals, and what is dropped past the branch in the first place."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
import sqlalchemy as sa

from app import crypto, db
from app.cases import case_page, record, recourse, removal, service
from app.cases.models import Case, ItemKind, RemovalGround
from app.cases.workflow import IllegalMoveError, Move, State
from app.clock import add_working_days
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.sealing.models import KeyWrap, SealedItem
from app.staff import keepers
from app.staff.models import Staff
from app.submissions import service as submissions
from app.submissions.models import LyingItem
from app.transparency import leaves
from app.transparency.models import PendingLeaf
from tests.cases.conftest import Scene
from tests.conftest import Hand
from tests.factories import case_of, drop_ticket, make_group, opinion, pen_of


def rule(scene: Scene, case_id: str, step: Move, staff_id: str = "group-1") -> None:
    with scene.writing() as session:
        case = service.get(session, scene.group.desk(staff_id), case_id)
        recourse.rule(
            session,
            scene.group.desk(staff_id),
            case,
            step,
            "查过了，理由在此。",
            scene.clock.today(),
        )


def test_what_is_dropped_to_the_group_the_branch_can_never_open(scene: Scene) -> None:
    said = dataclasses.replace(
        opinion(scene.here, "支书把救济款给了亲戚"),
        box_id=scene.group.box_id,
        place="县直机关 longtan支部",
    )
    with scene.writing() as session:
        ticket = drop_ticket(session, scene.here, scene.clock)
        receipt = submissions.drop(session, pen_of(scene.config, scene.clock), ticket, said)
    scene.open_boxes()
    with scene.writing() as session:
        case_id = case_of(session, receipt).id
    with pytest.raises(Forbidden):
        scene.page(scene.here, case_id)
    page = scene.page(scene.group, case_id)
    assert page.content is not None
    assert page.content.place == "县直机关 longtan支部"
    scene.answer(case_id, "已经核实。", scene.group)
    thread = scene.thread(receipt)
    assert thread.branch_name == "diyi监督组"
    assert scene.said(thread)[-1] == ("group", "answer", "已经核实。")


def test_the_group_reads_a_case_only_once_its_speaker_appealed(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id, "没钱修。")
    with pytest.raises(Forbidden):
        scene.page(scene.group, case_id)
    scene.act(receipt, "appeal", "年初预算里有这笔钱")
    with pytest.raises(Forbidden):
        scene.page(scene.group, case_id)  # it still lies in the box
    scene.open_boxes()
    page = scene.page(scene.group, case_id)
    assert page.content is not None
    assert page.content.text == "路灯坏了"
    assert [text for _, _, text in scene.said(page)] == ["没钱修。", "年初预算里有这笔钱"]
    assert page.moves == case_page.GROUP_MOVES
    assert page.due_on == add_working_days(scene.clock.today(), 15)
    branch = scene.page(scene.here, case_id)
    assert branch.state is State.APPEALED
    assert "年初预算" not in str(scene.said(branch))
    assert branch.moves == ()


def test_an_appeal_tells_nothing_while_it_lies_in_the_box(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    with scene.writing() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(KeyWrap))
        sizes = set(session.scalars(sa.select(sa.func.length(LyingItem.wrapped))))
    scene.act(receipt, "appeal", "再看看")
    with scene.writing() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(KeyWrap)) == before
        sizes |= set(session.scalars(sa.select(sa.func.length(LyingItem.wrapped))))
    assert sizes == {crypto.LYING_BYTES}


def test_the_longest_appeal_on_the_longest_thread_fits_its_row(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    with scene.writing() as session:
        case = scene.case(session, case_id)
        for n in range(60):
            record.tell(session, case, ItemKind.MESSAGE, b'{"text": "%d"}' % n, scene.clock.today())
    scene.act(receipt, "appeal", "\U00020000" * submissions.MAX_MESSAGE)
    scene.open_boxes()
    page = scene.page(scene.group, case_id)
    assert page.content is not None
    assert scene.said(page)[-1][2] == "\U00020000" * submissions.MAX_MESSAGE
    assert "59" in str(scene.said(page))


def test_overturned_the_branch_answers_anew_within_ten_days(scene: Scene, hand: Hand) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id, "没钱修。")
    scene.act(receipt, "appeal", "有预算")
    scene.open_boxes()
    hand.forward(days=1)
    rule(scene, case_id, Move.OVERTURN)
    page = scene.page(scene.here, case_id)
    assert (page.state, page.due_on) == (
        State.REOPENED,
        add_working_days(scene.clock.today(), 10),
    )
    assert scene.said(page)[-1] == ("group", "ruling", "查过了，理由在此。")
    assert scene.said(scene.thread(receipt))[-1] == ("group", "ruling", "查过了，理由在此。")
    scene.answer(case_id, "下周修。")
    assert scene.thread(receipt).state is State.ANSWERED
    assert "appeal" not in scene.thread(receipt).moves  # once


def test_a_ruling_is_a_leaf_that_its_speaker_can_compute(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id, "没钱修。")
    scene.act(receipt, "appeal", "有预算")
    scene.open_boxes()
    rule(scene, case_id, Move.UPHOLD)
    assert scene.thread(receipt).state is State.UPHELD
    reason = hashlib.sha256("查过了，理由在此。".encode()).hexdigest()
    leaf = crypto.decision_leaf(receipt.promise.commitment, "upheld", reason, receipt.keys.nonce)
    with scene.writing() as session:
        assert leaf in set(session.scalars(sa.select(PendingLeaf.leaf)))


def test_an_appeal_comes_within_thirty_days_and_from_the_table_s_states(
    scene: Scene, hand: Hand
) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    assert "appeal" not in scene.thread(receipt).moves
    with pytest.raises(Conflict):
        scene.act(receipt, "appeal", "太早")
    scene.answer(case_id)
    hand.forward(days=30)
    assert "appeal" in scene.thread(receipt).moves
    hand.forward(days=1)
    with pytest.raises(Conflict):
        scene.act(receipt, "appeal", "太晚")


def test_whoever_ever_held_the_branch_s_key_never_decides(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    scene.act(receipt, "appeal", "再看看")
    scene.open_boxes()
    with scene.writing() as session:
        staff = keepers.create_staff(
            session,
            username="liangtou",
            password="四个不相干的词 correct",
            totp_secret="A" * 32,
            pepper=bytes(32),
            now=scene.clock.now(),
        )
        key = keepers.personal_key_of(session, staff.id)
        keepers.new_box_key(session, scene.here.box_id, [key], scene.clock.today())
        staff_id = session.get_one(Staff, staff.id).id
    with pytest.raises(Forbidden):
        rule(scene, case_id, Move.UPHOLD, staff_id)
    assert scene.page(scene.group, case_id, staff_id).partial
    assert scene.thread(receipt).state is State.APPEALED


def test_a_keeper_who_also_sits_in_the_group_reads_nothing_that_went_past_the_branch(
    scene: Scene,
) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.act(receipt, "blamed", "支书骂了我")
    scene.open_boxes()
    both = dataclasses.replace(
        scene.here.desk(),
        box_ids=frozenset({scene.here.box_id, scene.group.box_id}),
        keys={**scene.here.keys, **scene.group.keys},
    )
    with scene.app.app_context(), db.reading() as session:
        page = case_page.case_page(session, both, case_id, scene.clock.today())
    assert "支书骂了我" not in str(page)


def test_the_branch_never_learns_that_somebody_said_they_were_blamed(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    before = scene.page(scene.here, case_id)
    scene.act(receipt, "blamed", "支书骂了我")
    scene.open_boxes()
    assert scene.page(scene.here, case_id) == before
    group = scene.page(scene.group, case_id)
    assert group.blamed
    assert group.moves == ()
    assert scene.said(group) == [("speaker", "blamed", "支书骂了我")]
    with scene.writing() as session:
        case = service.get(session, scene.group.desk(), case_id)
        recourse.respond(
            session, scene.group.desk(), case, "我们去谈。", scene.clock.today(), done=True
        )
    assert scene.page(scene.here, case_id) == before
    assert scene.said(scene.thread(receipt))[-1] == ("group", "blamed", "我们去谈。")
    assert not scene.page(scene.group, case_id).blamed
    assert scene.thread(receipt).state is State.WAITING


def test_the_group_does_not_act_for_the_branch_nor_the_branch_for_the_group(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    scene.act(receipt, "appeal", "再看看")
    scene.open_boxes()
    with scene.writing() as session:
        case = service.get(session, scene.group.desk(), case_id)
        with pytest.raises(Forbidden):
            service.require_kept(scene.group.desk(), case)
        with pytest.raises(Forbidden):
            recourse.rule(
                session, scene.here.desk(), case, Move.UPHOLD, "自己裁定", scene.clock.today()
            )


def test_an_appeal_that_is_no_longer_legal_moves_nothing(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    scene.act(receipt, "rate", value="dissatisfied", text="dissatisfied")
    scene.act(receipt, "appeal", "再看看")
    scene.open_boxes()  # the rating came first: the case is reopened
    assert scene.page(scene.here, case_id).state is State.REOPENED
    assert "再看看" in str(scene.said(scene.thread(receipt)))


def test_an_appeal_against_the_group_goes_to_the_group_that_reviews_it(scene: Scene) -> None:
    with scene.writing() as session:
        second = make_group(session, "dier", scene.clock, watches="diyi")
    receipt, case_id = scene.opened("投给监督组的", box=scene.group)
    scene.answer(case_id, "查无此事。", scene.group)
    scene.act(receipt, "appeal", "没有去查")
    scene.open_boxes()
    assert "没有去查" in str(scene.said(scene.page(second, case_id)))
    assert "没有去查" not in str(scene.said(scene.page(scene.group, case_id)))


# --- removal ------------------------------------------------------------------------------------


def test_a_removal_takes_two_persons_and_leaves_its_leaf(scene: Scene) -> None:
    receipt, case_id = scene.opened("张三家在某某路一号")
    today = scene.clock.today()
    with scene.writing() as session:
        removal.ask(session, "office-1", case_id, RemovalGround.THIRD_PERSON, today)
    assert scene.page(scene.here, case_id).content is not None  # asking alone touches nothing
    with scene.writing() as session, pytest.raises(Forbidden):
        removal.remove(session, "office-1", case_id, today, scene.secret)
    with scene.writing() as session, pytest.raises(Conflict):
        removal.ask(session, "office-2", case_id, RemovalGround.UNLAWFUL, today)
    with scene.writing() as session:
        removal.remove(session, "office-2", case_id, today, scene.secret)
        assert session.scalar(sa.select(sa.func.count()).select_from(SealedItem)) == 0
        leaf = leaves.removal_leaf(receipt.promise.commitment, "third_person")
        assert leaf in set(session.scalars(sa.select(PendingLeaf.leaf)))
    page = scene.thread(receipt)
    assert (page.state, page.ground) == (State.REMOVED, "third_person")
    assert page.moves == {"burn"}
    with scene.writing() as session, pytest.raises(NotFound):
        removal.remove(session, "office-2", case_id, today, scene.secret)


def test_what_is_withdrawn_is_not_removed_and_a_request_can_be_taken_back(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    today = scene.clock.today()
    with scene.writing() as session:
        removal.ask(session, "office-1", case_id, RemovalGround.UNLAWFUL, today)
        removal.cancel(session, case_id)
        removal.ask(session, "office-1", case_id, RemovalGround.UNLAWFUL, today)
    scene.withdraw(receipt)
    with scene.writing() as session, pytest.raises(IllegalMoveError):
        removal.remove(session, "office-2", case_id, today, scene.secret)
    with scene.writing() as session, pytest.raises(NotFound):
        removal.ask(session, "office-1", "0" * 32, RemovalGround.UNLAWFUL, today)
    with scene.writing() as session:
        (row,) = removal.removals(session, "office-1")
        assert (row.own, row.removed_on, row.branch_name) == (True, None, "longtan支部")


def test_nobody_rules_without_a_reason(scene: Scene) -> None:
    receipt, case_id = scene.opened("路灯坏了")
    scene.answer(case_id)
    scene.act(receipt, "appeal", "再看看")
    scene.open_boxes()
    with scene.writing() as session:
        case = service.get(session, scene.group.desk(), case_id)
        with pytest.raises(Invalid):
            recourse.rule(session, scene.group.desk(), case, Move.UPHOLD, "  ", scene.clock.today())
        assert session.get_one(Case, case_id).state is State.APPEALED
