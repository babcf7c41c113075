"""Ballots on a member beside the appraisal: told to the member as far as to anybody."""

from __future__ import annotations

import datetime as dt

import pytest

from app import crypto
from app.appraisals import feedback, plan
from app.appraisals.feedback import Feedback, ShownResult
from app.errors import Invalid
from app.evaluations.counting import Scale
from app.evaluations.models import Round, Subject, SubjectKind, Tally, VoterGroup
from app.evaluations.rounds import State
from app.suppression import Figure
from tests.appraisals.conftest import Branch, hand, text_of
from tests.conftest import Hand


def confirmed(branch: Branch, *counts: int, number: int = 0, verdict: str = "") -> str:
    """A confirmed round in which a member was graded so; its id."""
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        held = Round(
            unit_id=branch.box.unit_id, title="年终评议", scale=Scale.SATISFACTION, salt=bytes(16),
            state=State.CONFIRMED, closes_on=today, drafted_by="keeper-1", drafted_on=today,
            counted_by="keeper-1", confirmed_by="keeper-2", confirmed_on=today,
        )  # fmt: skip
        session.add(held)
        session.flush()
        group = VoterGroup(round_id=held.id, position=0, name="党员")
        subject = Subject(
            round_id=held.id, position=0, kind=SubjectKind.MEMBER, name="王建国", verdict=verdict,
            member_id=branch.get(session, number).member_id,
        )  # fmt: skip
        session.add_all([group, subject])
        session.flush()
        names = ("first", "second", "third", "fourth", "blank")
        grades = dict(zip(names, counts, strict=True))
        session.add(Tally(subject_id=subject.id, group_id=group.id, **grades))
        return held.id


def received(branch: Branch, number: int = 0) -> Feedback:
    given = branch.deliver(number)
    with branch.scene.writing() as session:
        found = feedback.received(session, branch.look(session, given.token))
        assert found is not None
        return found


def test_the_member_is_told_a_band_and_no_count(branch: Branch) -> None:
    confirmed(branch, 17, 3, 3, 1, 1)
    branch.write()
    (told,) = received(branch).results
    assert told == ShownResult(
        "年终评议",
        ("satisfied", "basically", "dissatisfied", "unknown"),
        Figure(25, band=(80, 90)),
        "",
    )
    page = text_of(hand(branch, branch.deliver()).post("open"))
    assert "25 张票" in page
    assert "80–90%" in page
    for count in ("17", "满意 3"):
        assert count not in page.split("<main")[1].split("data-result")[1].split("</li>")[0]


def test_below_ten_ballots_the_member_gets_the_verdict_alone(branch: Branch) -> None:
    confirmed(branch, 5, 0, 0, 0, 0, verdict="大家认可")
    branch.write()
    (told,) = received(branch).results
    assert told.figure == Figure(5)
    page = text_of(hand(branch, branch.deliver()).post("open"))
    assert "不到十张，不报数" in page
    assert "大家认可" in page


def test_what_was_told_once_stays_as_it_was_told(branch: Branch) -> None:
    branch.write()
    given = branch.deliver()
    confirmed(branch, 17, 3, 3, 1, 1)
    with branch.scene.writing() as session:
        found = feedback.received(session, branch.look(session, given.token))
        assert found is not None
        assert found.results == ()


def test_another_members_ballots_are_not_beside_it(branch: Branch) -> None:
    confirmed(branch, 17, 3, 3, 1, 1, number=1)
    branch.write()
    assert received(branch).results == ()


def test_a_later_look_may_rely_on_a_later_round_and_on_no_earlier_one(
    branch: Branch, hand: Hand
) -> None:
    clock = branch.scene.clock
    before = confirmed(branch, 17, 3, 3, 1, 1)
    hand.forward(days=3)
    with branch.scene.writing() as session:
        found = branch.get(session)
        item = plan.add(session, found, "改作风", "", clock.today(), clock.today())
        plan.done(session, item, found, "会上先听", clock.today())
        item_id = item.id
    hand.forward(days=30)
    after = confirmed(branch, 20, 3, 1, 0, 1)
    other = confirmed(branch, 20, 3, 1, 0, 1, number=1)

    def look(round_id: str) -> None:
        with branch.scene.writing() as session:
            item, _ = plan.get(session, branch.box.desk(), item_id)
            plan.ask_again(session, item, None, clock.today(), kept=True, round_id=round_id)

    for wrong in (before, other, crypto.random_id()):
        with pytest.raises(Invalid) as refused:
            look(wrong)
        assert refused.value.field == "round"
    look(after)
    with branch.scene.writing() as session:
        (shown,) = plan.of_member(session, branch.box.desk(), branch.get(session), clock.today())[0]
        assert shown.asked_again_round_id == after
        assert shown.standing is plan.Standing.KEPT
        assert shown.asked_again_on == dt.date(2026, 12, 26)
