"""Self-appraisal and feedback: handed in, delivered, acknowledged, answered; kept and destroyed."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from app import db, worker
from app.appraisals import feedback, links, plan, record, retention, self_appraisal, written
from app.appraisals.models import Appraisal, AppraisalText, Channel, MemberLink, PlanItem, Purpose
from app.appraisals.workflow import State
from app.errors import Conflict, Invalid
from app.organisation.models import Member
from tests.appraisals.conftest import Branch
from tests.conftest import Hand


def own(branch: Branch, number: int = 0) -> list[str]:
    """What the committee reads of a self-appraisal."""
    with branch.scene.app.app_context(), db.reading() as session:
        texts = record.texts(session, branch.ids[number])
        words = record.opened(session, branch.box.desk(), texts)
        found = [w.content["answers"] for w in words if w.kind == "self"]
        return [str(answer) for answer in found[0]] if found else []  # type: ignore[attr-defined]


# --- the self-appraisal ---------------------------------------------------------------------------


def test_what_is_handed_in_is_read_by_the_committee_and_by_its_own_link(branch: Branch) -> None:
    issued = branch.ask()
    branch.hand_in(issued.token, "第一条", "", "第三条")
    assert own(branch) == ["第一条", "", "第三条"]
    with branch.scene.writing() as session:
        words = self_appraisal.own_words(session, branch.look(session, issued.token))
        assert words is not None
        assert words.content["answers"][0] == "第一条"  # type: ignore[index]
        found = branch.get(session)
        assert (found.handed_on, found.handed_by) == (branch.scene.clock.today(), Channel.LINK)


def test_it_is_handed_in_once_and_the_same_link_changes_nothing_after(branch: Branch) -> None:
    issued = branch.ask()
    branch.hand_in(issued.token, "第一遍")
    with pytest.raises(Conflict):
        branch.hand_in(issued.token, "第二遍")
    assert own(branch) == ["第一遍"]


def test_an_empty_one_is_not_handed_in(branch: Branch) -> None:
    issued = branch.ask()
    with pytest.raises(Invalid):
        branch.hand_in(issued.token, " ", "\n")
    assert branch.kinds() == []


def test_asked_again_the_member_goes_on_from_what_was_handed_in(branch: Branch) -> None:
    branch.hand_in(branch.ask().token, "第一遍")
    again = branch.ask()
    assert own(branch) == ["第一遍"]  # the committee keeps it meanwhile
    with branch.scene.writing() as session:
        opened = branch.look(session, again.token)
        words = self_appraisal.own_words(session, opened)
        assert words is not None
        assert words.content["answers"][0] == "第一遍"  # type: ignore[index]
        assert self_appraisal.may_write(session, opened)
    branch.hand_in(again.token, "改过的")
    assert own(branch) == ["改过的"]
    assert branch.kinds() == ["self"]


def test_paper_is_keyed_in_as_given_and_ends_the_link(branch: Branch) -> None:
    issued = branch.ask()
    with branch.scene.writing() as session:
        found, today = branch.get(session), branch.scene.clock.today()
        self_appraisal.copy_from_paper(session, found, ["纸上写的 "], today)
    assert own(branch) == ["纸上写的 "]
    with branch.scene.writing() as session:
        assert branch.get(session).handed_by is Channel.PAPER
        with pytest.raises(Conflict):
            branch.look(session, issued.token)


def test_after_the_committee_has_finished_nothing_is_handed_in(branch: Branch) -> None:
    issued = branch.ask()
    branch.write()
    with pytest.raises(Conflict):
        branch.hand_in(issued.token, "来晚了")
    with pytest.raises(Conflict):
        branch.ask()
    with branch.scene.writing() as session:
        assert branch.look(session, issued.token)  # the link itself still opens its own draft


# --- delivery -------------------------------------------------------------------------------------


def test_the_member_reads_acknowledges_and_answers(branch: Branch) -> None:
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        plan.add(session, branch.get(session), "每周下村", "王建国", today, today)
    branch.write()
    given = branch.deliver()
    with branch.scene.writing() as session:
        opened = branch.look(session, given.token)
        received = feedback.received(session, opened)
        assert received is not None
        assert (received.achievements, received.problems) == ("路灯修得快。", "会上说话少。")
        assert received.plan == (("每周下村", "王建国", today),)
        feedback.acknowledge(session, opened.appraisal, today, Channel.LINK)
        words = "多数同意，有一处不对。"
        feedback.reply(session, opened.appraisal, words, today, Channel.LINK, opened.link)
    with branch.scene.writing() as session:
        found = branch.get(session)
        assert (found.state, found.acknowledged_on) == (State.ACKNOWLEDGED, today)
        texts = record.opened(session, branch.box.desk(), record.texts(session, found.id))
        assert [w.content["words"] for w in texts if w.kind == "reply"] == [words]
        opened = branch.look(session, given.token)
        assert [w.content["words"] for w in feedback.own_replies(session, opened)] == [words]
        with pytest.raises(Conflict):
            feedback.acknowledge(session, opened.appraisal, today, Channel.LINK)


def test_only_what_is_finished_is_delivered(branch: Branch) -> None:
    with pytest.raises(Conflict):
        branch.deliver()
    branch.write(finish=False)
    with pytest.raises(Conflict):
        branch.deliver()
    assert branch.kinds() == ["written"]
    with branch.scene.writing() as session:
        assert session.scalars(sa.select(MemberLink)).all() == []


def test_what_was_delivered_stays_as_it_was_when_the_committee_writes_anew(branch: Branch) -> None:
    branch.write()
    first = branch.deliver()
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        opened = branch.look(session, first.token)
        feedback.reply(session, opened.appraisal, "不对", today, Channel.LINK, opened.link)
        written.revise(session, branch.get(session))
    with branch.scene.writing() as session:
        opened = branch.look(session, first.token)
        received = feedback.received(session, opened)
        assert received is not None
        assert received.problems == "会上说话少。"
        assert not feedback.may_reply(opened.appraisal)
    branch.write(text=written.Written("路灯修得快。", "核对过，会上发了言。", "继续。"))
    second = branch.deliver()
    with branch.scene.writing() as session:
        received = feedback.received(session, branch.look(session, second.token))
        assert received is not None
        assert received.problems == "核对过，会上发了言。"
        assert len(feedback.delivered(session, branch.box.desk(), branch.get(session))) == 2


def test_paper_is_handed_over_signed_and_answered(branch: Branch) -> None:
    branch.write()
    by_link = branch.deliver()
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        found = branch.get(session)
        feedback.deliver_on_paper(session, branch.box.desk(), found, today)
        feedback.acknowledge(session, found, today, Channel.PAPER)
        feedback.reply(session, found, "纸上回的话", today, Channel.PAPER)
        assert found.acknowledged_by is found.delivered_by is Channel.PAPER
        with pytest.raises(Conflict):
            branch.look(session, by_link.token)


@pytest.mark.parametrize("words", ["", " \n"])
def test_an_empty_answer_is_none(branch: Branch, words: str) -> None:
    branch.write()
    branch.deliver()
    today = branch.scene.clock.today()
    with branch.scene.writing() as session, pytest.raises(Invalid):
        feedback.reply(session, branch.get(session), words, today, Channel.PAPER)


def test_five_answers_and_no_sixth(branch: Branch) -> None:
    branch.write()
    branch.deliver()
    today = branch.scene.clock.today()
    for number in range(feedback.MOST_REPLIES + 1):
        with branch.scene.writing() as session:
            found = branch.get(session)
            if number < feedback.MOST_REPLIES:
                feedback.reply(session, found, f"第{number}次", today, Channel.PAPER)
            else:
                with pytest.raises(Conflict):
                    feedback.reply(session, found, "第六次", today, Channel.PAPER)


def test_a_talk_is_recorded_with_who_when_and_the_gist(branch: Branch) -> None:
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        found = branch.get(session)
        tomorrow = today + dt.timedelta(days=1)
        for who, on, gist in (("", today, "谈了"), ("书记", today, " "), ("书记", tomorrow, "谈"),
                              ("书记", None, "谈")):  # fmt: skip
            with pytest.raises(Invalid):
                feedback.note_oral(session, found, who, on, gist, today)
        feedback.note_oral(session, found, "书记", today, "谈了作风", today)
        texts = record.texts(session, found.id)
        (talk,) = record.opened(session, branch.box.desk(), texts)
        assert talk.content == {"who": "书记", "on": today.isoformat(), "gist": "谈了作风"}


# --- leaving, keeping, destroying -----------------------------------------------------------------


def settle(branch: Branch) -> int:
    with branch.scene.app.app_context():
        return worker.settle_appraisals(branch.scene.clock)


def test_who_leaves_takes_links_and_drafts_along_at_once_and_the_rest_after_ninety_days(
    branch: Branch, hand: Hand
) -> None:
    branch.hand_in(branch.ask().token, "交了")
    branch.write(finish=False)
    with branch.scene.writing() as session:
        today = branch.scene.clock.today()
        plan.add(session, branch.get(session), "改", "", today, today)
        retention.leave(session, branch.get(session), today)
    assert branch.kinds() == ["self"]
    with branch.scene.writing() as session:
        assert session.scalars(sa.select(MemberLink)).all() == []
        assert record.member_of(session, branch.get(session)).left_on == today
    hand.forward(days=89)
    settle(branch)
    assert branch.kinds() == ["self"]
    hand.forward(days=1)
    assert settle(branch) == 1
    assert branch.kinds() == []
    assert branch.sealed() == 0
    with branch.scene.writing() as session:
        assert branch.get(session).state is State.REMOVED
        assert session.scalars(sa.select(PlanItem)).all() == []
        with pytest.raises(Conflict):
            plan.add(session, branch.get(session), "改", "", today, today)
    assert settle(branch) == 0  # safe to run twice


def test_who_moved_to_another_branch_is_found_by_the_daily_run(branch: Branch) -> None:
    branch.ask()
    with branch.scene.writing() as session:
        member = record.member_of(session, branch.get(session))
        member.unit_id = branch.scene.there.unit_id
    assert settle(branch) == 1
    with branch.scene.writing() as session:
        found = branch.get(session)
        assert found.gone_on == branch.scene.clock.today()
        retention.leave(session, found, branch.scene.clock.today())
        # Their own branch's roll is not the former branch's to change.
        assert record.member_of(session, found).left_on is None


def test_who_is_on_the_roll_again_is_appraised_again(branch: Branch) -> None:
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        retention.leave(session, branch.get(session), today)
        record.member_of(session, branch.get(session)).left_on = None
    settle(branch)
    assert branch.ask()


def test_words_are_destroyed_three_years_after_the_occasion(branch: Branch, hand: Hand) -> None:
    branch.hand_in(branch.ask().token, "交了")
    branch.write()
    branch.deliver()
    with branch.scene.writing() as session:
        day = retention.destroyed_on(session, branch.get(session))
    hand.forward(days=(day - branch.scene.clock.today()).days - 1)
    settle(branch)
    assert branch.sealed() == 3
    hand.forward(days=1)
    settle(branch)
    assert branch.sealed() == 0
    with branch.scene.writing() as session:
        assert session.scalars(sa.select(AppraisalText)).all() == []
        states = set(session.scalars(sa.select(Appraisal.state)))
        assert states == {State.REMOVED}
        assert session.scalar(sa.select(sa.func.count()).select_from(Member)) == 3


def test_a_sheet_for_many_leaves_out_who_has_a_good_link_or_nothing_to_do(
    branch: Branch, hand: Hand
) -> None:
    branch.ask(0)
    branch.write(1)

    def may(number: int, purpose: Purpose) -> bool:
        with branch.scene.writing() as session:
            now = branch.scene.clock.now()
            return links.may_issue_to_many(session, branch.get(session, number), purpose, now)

    assert [may(n, Purpose.SELF) for n in range(3)] == [False, False, True]
    assert [may(n, Purpose.FEEDBACK) for n in range(3)] == [False, True, False]
    hand.forward(days=30)
    assert may(0, Purpose.SELF)
