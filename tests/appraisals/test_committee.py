"""What the committee writes: sealed, in its own words, by a second person where policy asks."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import sqlalchemy as sa

from app.appraisals import feedback, gathered, occasions, plan, progress, record, written
from app.appraisals.models import Appraisal, Channel, PlanItem
from app.appraisals.written import Citation, Written
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.organisation.models import Box
from app.submissions.service import Publish
from tests.appraisals.conftest import NAMES, TEXT, Branch, add_members
from tests.cases.conftest import Scene
from tests.conftest import Hand

OPINION = "王建国在村民会上当众拍桌子骂人，大家都不敢再说话了"


# --- occasions ------------------------------------------------------------------------------------


def test_an_occasion_takes_in_the_whole_roll_and_later_comers_on_demand(branch: Branch) -> None:
    with branch.scene.writing() as session:
        occasion = occasions.get(session, branch.box.desk(), branch.occasion_id)
        assert occasions.missing(session, occasion) == []
        (late,) = add_members(session, branch.box.unit_id, "赵后来")
        assert occasions.missing(session, occasion) == [late]
        assert occasions.add_members(session, occasion) == 1
        assert occasions.add_members(session, occasion) == 0


@pytest.mark.parametrize("name", ["", " \n ", "2026年度", "长" * 61])
def test_an_occasion_has_a_name_of_its_own(branch: Branch, name: str) -> None:
    box, today = branch.box, branch.scene.clock.today()
    with branch.scene.writing() as session, pytest.raises(Invalid):
        occasions.begin(session, box.desk(), box.box_id, name, "", today)


def test_nobody_begins_for_another_branch_or_for_a_group(branch: Branch) -> None:
    scene, today = branch.scene, branch.scene.clock.today()
    with scene.writing() as session:
        with pytest.raises(Forbidden):
            occasions.begin(session, branch.box.desk(), scene.there.box_id, "x", "", today)
        with pytest.raises(Forbidden):
            occasions.begin(session, scene.group.desk(), scene.group.box_id, "x", "", today)
        with pytest.raises(NotFound):
            occasions.get(session, scene.there.desk(), branch.occasion_id)


def test_each_filter_shows_who_stands_there_and_nobody_else(branch: Branch) -> None:
    one, two = branch.ask(0), branch.ask(1)
    branch.hand_in(one.token, "交了")
    with branch.scene.writing() as session:
        late = branch.scene.clock.today()
        found = branch.get(session, 1)
        plan.add(session, found, "改作风", "", late, late)

    def names(chosen: str, days: int = 0) -> list[str]:
        with branch.scene.writing() as session:
            occasion = occasions.get(session, branch.box.desk(), branch.occasion_id)
            now = branch.scene.clock.now()
            today = branch.scene.clock.today() + dt.timedelta(days=days)
            page = occasions.members(session, occasion, now, today, chosen=chosen)
            return [row.name for row in page.rows]

    assert names("all") == list(NAMES)
    assert names("ours") == ["王建国", "张志强"]  # handed in; not asked yet
    assert names("theirs") == ["李秀英"]
    assert names("overdue") == []
    assert names("overdue", days=1) == ["李秀英"]
    branch.write(0)
    given = branch.deliver(0)
    assert names("theirs") == ["王建国", "李秀英"]
    with branch.scene.writing() as session:
        opened = branch.look(session, given.token)
        today = branch.scene.clock.today()
        feedback.acknowledge(session, opened.appraisal, today, Channel.LINK)
        feedback.reply(session, opened.appraisal, "有话", today, Channel.LINK, opened.link)
    assert names("done") == names("replied") == ["王建国"]
    assert two.member_name == "李秀英"


def test_a_long_roll_is_turned_page_by_page_in_constant_queries(
    branch: Branch,
) -> None:
    with branch.scene.writing() as session:
        add_members(session, branch.box.unit_id, *(f"党员{n}" for n in range(2 * occasions.PAGE)))
        occasion = occasions.get(session, branch.box.desk(), branch.occasion_id)
        occasions.add_members(session, occasion)
        now, today = branch.scene.clock.now(), branch.scene.clock.today()
        seen: list[str] = []
        asked: list[str] = []
        listen = sa.event.listens_for(session.get_bind(), "before_cursor_execute")
        listen(lambda *told: asked.append(told[2]))
        after: str | None = ""
        while after is not None:
            page = occasions.members(session, occasion, now, today, after=after)
            seen += [row.number for row in page.rows]
            after = page.next
        assert len(asked) == 2 * 3
        assert len(seen) == len(set(seen)) == 2 * occasions.PAGE + len(NAMES)
        assert seen == sorted(seen)


# --- drafts ---------------------------------------------------------------------------------------


def test_a_second_person_finishes_where_the_branchs_policy_asks_for_it(branch: Branch) -> None:
    with branch.scene.writing() as session:
        session.get_one(Box, branch.box.box_id).second_eyes = True
    branch.write(finish=False)
    today = branch.scene.clock.today()
    with branch.scene.writing() as session, pytest.raises(Forbidden):
        written.finish(session, branch.box.desk("keeper-1"), branch.get(session), today)
    with branch.scene.writing() as session:
        written.finish(session, branch.box.desk("keeper-2"), branch.get(session), today)


@pytest.mark.parametrize("part", written.PARTS)
def test_all_three_parts_are_required_before_it_is_finished(branch: Branch, part: str) -> None:
    text = dataclasses.replace(TEXT, **{part: " \n"})  # type: ignore[arg-type]
    branch.write(text=text, finish=False)
    today = branch.scene.clock.today()
    with branch.scene.writing() as session, pytest.raises(Invalid) as refused:
        written.finish(session, branch.box.desk(), branch.get(session), today)
    assert refused.value.field == part


def test_a_draft_takes_the_place_of_the_one_before(branch: Branch) -> None:
    branch.write(finish=False)
    branch.write(text=Written("新的", "新的", "新的"), finish=False)
    assert branch.kinds() == ["written"]
    with branch.scene.writing() as session:
        text = written.current(session, branch.box.desk(), branch.get(session))
        assert text.achievements == "新的"
    assert branch.sealed() == 1


def test_what_was_finished_is_changed_only_after_it_was_sent_back(branch: Branch) -> None:
    branch.write()
    with pytest.raises(Conflict):
        branch.write()
    with branch.scene.writing() as session:
        written.send_back(session, branch.get(session))
    branch.write()


def test_nobody_overwrites_a_version_they_have_not_seen(branch: Branch) -> None:
    with branch.scene.writing() as session:
        seen = branch.get(session).version
    branch.write(finish=False)
    with branch.scene.writing() as session, pytest.raises(Conflict):
        record.get(session, branch.box.desk(), branch.ids[0], seen)


# --- opinions -------------------------------------------------------------------------------------


def said(scene: Scene, text: str, publish: Publish) -> str:
    """An opinion of the branch's box whose speaker allows this."""
    receipt, case_id = scene.opened(text)
    if publish is not Publish.SUMMARY:
        scene.act(receipt, "publish", publish, publish)
        scene.open_boxes()
    return case_id


def cite(branch: Branch, case_id: str, words: str) -> None:
    text = dataclasses.replace(TEXT, cited=(Citation(case_id, words),))
    branch.write(text=text, finish=False)


def test_opinions_that_name_the_member_are_found_and_others_by_their_words(
    branch: Branch,
) -> None:
    about = said(branch.scene, OPINION, Publish.SUMMARY)
    other = said(branch.scene, "食堂的饭凉了", Publish.WORDS)
    with branch.scene.writing() as session:
        desk, box_id = branch.box.desk(), branch.box.box_id
        assert [one.case_id for one in gathered.find(session, desk, box_id, "王建国")] == [about]
        found = gathered.find(session, desk, box_id, "食堂", [about])
        assert [(one.case_id, one.consent) for one in found] == [
            (about, "summary"), (other, "words"),
        ]  # fmt: skip
        stranger = branch.scene.there.desk()
        assert gathered.find(session, stranger, box_id, "王建国") == []


def test_a_paraphrase_is_taken_and_word_for_word_is_not(branch: Branch) -> None:
    case_id = said(branch.scene, OPINION, Publish.SUMMARY)
    cite(branch, case_id, "有人反映他开会时态度不好")
    for words in (
        OPINION,
        "有人说：王建国在村民会上当众拍桌子骂人",
        "王建国，在村民会上——当众拍桌子",
    ):
        with pytest.raises(gathered.RawWordsError):
            cite(branch, case_id, words)


@pytest.mark.parametrize("part", written.PARTS)
def test_raw_words_are_found_in_every_part_even_when_nothing_is_cited(
    branch: Branch, part: str
) -> None:
    said(branch.scene, OPINION, Publish.SUMMARY)
    words = "要注意：他在村民会上当众拍桌子骂人，大家都不敢再说。"
    with pytest.raises(gathered.RawWordsError) as refused:
        branch.write(text=dataclasses.replace(TEXT, **{part: words}), finish=False)  # type: ignore[arg-type]
    assert refused.value.field == part
    assert "拍桌子" not in str(refused.value)  # an error may reach a log


def test_a_short_opinion_is_not_cited_word_for_word_either(branch: Branch) -> None:
    case_id = said(branch.scene, "他爱骂人", Publish.SUMMARY)
    with pytest.raises(gathered.RawWordsError):
        cite(branch, case_id, "有人说他爱骂人")
    cite(branch, case_id, "有人反映态度问题")


def test_who_allowed_the_words_may_be_cited_by_them(branch: Branch) -> None:
    cite(branch, said(branch.scene, OPINION, Publish.WORDS), OPINION)


def test_who_said_dont_publish_is_not_cited_at_all(branch: Branch) -> None:
    case_id = said(branch.scene, OPINION, Publish.NO)
    with pytest.raises(Invalid) as refused:
        cite(branch, case_id, "有人反映他态度不好")
    assert refused.value.field == "cite"


def test_what_was_withdrawn_or_lies_in_another_box_is_not_cited(branch: Branch) -> None:
    receipt, case_id = branch.scene.opened(OPINION)
    _, foreign = branch.scene.opened("别处的意见", box=branch.scene.there)
    branch.scene.withdraw(receipt)
    for gone in (case_id, foreign, "0" * 32):
        with pytest.raises(Invalid):
            cite(branch, gone, "有人反映他态度不好")


def test_the_member_gets_paraphrases_and_no_id_of_a_case(branch: Branch) -> None:
    case_id = said(branch.scene, OPINION, Publish.SUMMARY)
    cite(branch, case_id, "有人反映他开会时态度不好")
    with branch.scene.writing() as session:
        found, today = branch.get(session), branch.scene.clock.today()
        written.finish(session, branch.box.desk(), found, today)
        content = feedback.content_now(session, branch.box.desk(), found, today)
    assert content["opinions"] == ["有人反映他开会时态度不好"]
    assert case_id not in repr(content)


# --- the plan -------------------------------------------------------------------------------------


def test_a_plan_item_is_open_overdue_done_kept_and_open_again(branch: Branch, hand: Hand) -> None:
    scene, clock = branch.scene, branch.scene.clock
    due = dt.date(2026, 11, 27)  # a Friday
    with scene.writing() as session:
        item_id = plan.add(
            session, branch.get(session), "每周下村一次", "王建国", due, clock.today()
        ).id

    def shown() -> plan.ShownItem:
        with scene.writing() as session:
            found = branch.get(session)
            return plan.of_member(session, branch.box.desk(), found, clock.today())[0][0]

    def act(step: str, *, kept: bool = True, on: dt.date | None = None) -> None:
        with scene.writing() as session:
            item, owner = plan.get(session, branch.box.desk(), item_id)
            if step == "done":
                plan.done(session, item, owner, "村部有记录", clock.today())
            else:
                plan.ask_again(session, item, on, clock.today(), kept=kept)

    assert (shown().words, shown().owner, shown().standing) == ("每周下村一次", "王建国", "open")
    hand.forward(days=6)  # Sunday: no working day has passed since Friday
    assert shown().standing == plan.Standing.OPEN
    hand.forward(days=1)
    assert (shown().standing, shown().days_left) == (plan.Standing.OVERDUE, -1)
    with pytest.raises(Conflict):
        act("again")
    act("done")
    assert (shown().standing, shown().evidence) == (plan.Standing.DONE, "村部有记录")
    with pytest.raises(Conflict):
        act("done")
    with pytest.raises(Invalid):
        act("again", kept=False, on=clock.today())
    act("again", kept=False, on=clock.today() + dt.timedelta(days=7))
    assert (shown().standing, shown().reopenings) == (plan.Standing.OPEN, 1)
    act("done")
    act("again")
    assert shown().standing == plan.Standing.KEPT
    with pytest.raises(Conflict):
        act("again", kept=False, on=clock.today() + dt.timedelta(days=9))


def test_what_isnt_kept_is_asked_again_on_the_next_occasion(branch: Branch, hand: Hand) -> None:
    clock = branch.scene.clock
    with branch.scene.writing() as session:
        due = clock.today() + dt.timedelta(days=9)
        plan.add(session, branch.get(session), "每周下村一次", "", due, clock.today())
    hand.forward(days=200)
    with branch.scene.writing() as session:
        box = branch.box
        second = occasions.begin(session, box.desk(), box.box_id, "第二次", "", clock.today())
        found = session.get_one(Appraisal, branch.of(session, second)[0])
        here, before = plan.of_member(session, box.desk(), found, clock.today())
        assert here == []
        assert [(one.words, one.occasion) for one in before] == [("每周下村一次", "2026年度")]
        other = session.get_one(Appraisal, branch.of(session, second)[1])
        assert plan.of_member(session, box.desk(), other, clock.today()) == ([], [])


@pytest.mark.parametrize(("words", "days"), [(" ", 3), ("改作风", -1), ("改作风", None)])
def test_a_plan_item_has_words_and_a_day_to_come(
    branch: Branch, words: str, days: int | None
) -> None:
    today = branch.scene.clock.today()
    due = None if days is None else today + dt.timedelta(days=days)
    with branch.scene.writing() as session, pytest.raises(Invalid):
        plan.add(session, branch.get(session), words, "", due, today)


def test_no_more_than_eight_items_and_none_of_another_branch(branch: Branch) -> None:
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        for number in range(plan.MOST):
            plan.add(session, branch.get(session), f"第{number}条", "", today, today)
        with pytest.raises(Invalid):
            plan.add(session, branch.get(session), "多一条", "", today, today)
        item_id = session.scalars(sa.select(PlanItem.id)).first()
        assert item_id
        with pytest.raises(NotFound):
            plan.get(session, branch.scene.there.desk(), item_id)


# --- progress -------------------------------------------------------------------------------------


def test_who_watches_gets_numbers_and_each_group_its_own_branches(branch: Branch) -> None:
    branch.hand_in(branch.ask(0).token, "交了")
    branch.write(1)
    branch.deliver(1)
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        plan.add(session, branch.get(session), "改", "", today, today)
        (row,) = progress.of_branches(session, [branch.scene.group.unit_id], today)
        assert (row.name, row.members, row.handed, row.finished, row.delivered) == (
            "longtan支部", 3, 1, 1, 1,
        )  # fmt: skip
        assert (row.acknowledged, row.promised, row.done, row.overdue) == (0, 1, 0, 0)
        tomorrow = today + dt.timedelta(days=1)
        assert progress.of_branches(session, [branch.scene.group.unit_id], tomorrow)[0].overdue == 1
        assert progress.of_branches(session, ["another group"], today) == []
        (unit,) = progress.of_units(session, today)
        assert (unit.name, unit.branches, unit.members) == ("县直机关", 1, 3)


def test_only_a_branchs_newest_occasion_counts(branch: Branch, hand: Hand) -> None:
    hand.forward(days=30)
    today = branch.scene.clock.today()
    with branch.scene.writing() as session:
        box = branch.box
        occasions.begin(session, box.desk(), box.box_id, "第二次", "", today)
        (row,) = progress.of_units(session, today)
        assert row.members == 3
