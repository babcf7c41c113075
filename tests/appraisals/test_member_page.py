"""A member's private page over HTTP: a door that tells nothing, one's own words, nobody else's."""

from __future__ import annotations

import dataclasses
import re

import pytest
import sqlalchemy as sa

from app import db
from app.appraisals.models import Appraisal
from app.appraisals.workflow import State
from tests.appraisals.conftest import NAMES, TEXT, Branch, hand, text_of

WORDS = "今年修了三盏路灯\n下一步修水沟"


def test_the_door_tells_neither_name_nor_branch_nor_words_to_whatever_fetches_it(
    branch: Branch,
) -> None:
    """A messenger's preview and a mail scanner follow links; they don't press buttons."""
    branch.write()
    door = hand(branch, branch.deliver()).get()
    page = text_of(door)
    for telling in (NAMES[0], "longtan", TEXT.problems, "2026年度"):
        assert telling not in page
    assert 'name="robots" content="noindex"' in page
    with branch.scene.app.app_context(), db.reading() as session:
        assert session.get_one(Appraisal, branch.ids[0]).state is State.DELIVERED


def test_a_draft_comes_back_to_its_link_and_a_handed_in_one_is_read_only(branch: Branch) -> None:
    phone = hand(branch, branch.ask())
    saved = phone.post("save", **{"answer-1": WORDS})
    assert "草稿存好了" in text_of(saved)
    assert "今年修了三盏路灯" in text_of(phone.post("open"))
    done = phone.post("hand-in", **{"answer-1": WORDS, "answer-9": "明年改"})
    assert re.search(
        r'data-answer="1" data-user-text>今年修了三盏路灯\n下一步修水沟<', text_of(done)
    )
    assert "<textarea" not in text_of(done)
    replayed = phone.post("hand-in", **{"answer-1": "换了一套"})
    assert replayed.status_code == 409
    assert "换了一套" not in text_of(phone.post("open"))


def test_a_double_click_hands_in_once_and_answers_once(branch: Branch) -> None:
    phone = hand(branch, branch.ask())
    pages = [phone.post("hand-in", **{"answer-1": WORDS}) for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 200]
    assert branch.kinds() == ["self"]
    branch.write()
    given = hand(branch, branch.deliver())
    for _ in range(2):
        assert given.post("reply", reply="有一处不对 ").status_code == 200
    assert branch.kinds().count("reply") == 1
    assert given.post("reply", reply="还有一处").status_code == 200
    assert branch.kinds().count("reply") == 2


def test_what_is_refused_comes_back_as_it_was_typed(branch: Branch) -> None:
    phone = hand(branch, branch.ask())
    for typed in ("长" * 1201, "坏\x00字"):
        refused = phone.post("save", **{"answer-1": "好的", "answer-2": typed})
        assert refused.status_code == 422
        assert 'role="alert"' in text_of(refused)
        assert "好的" in text_of(refused)
    assert phone.post("hand-in").status_code == 422
    assert branch.kinds() == []


def test_a_page_that_asks_a_few_questions_keeps_the_others(branch: Branch) -> None:
    phone = hand(branch, branch.ask())
    large = "?view=large"
    first = text_of(phone.post("open", large))
    assert first.count("<textarea") == 3
    second = text_of(phone.post("next", large, part="0", **{"answer-1": "甲"}))
    assert 'name="answer-4"' in second
    assert 'name="answer-1"' not in second
    back = text_of(phone.post("back", large, part="3", **{"answer-4": "丁"}))
    assert "甲" in back
    last = text_of(phone.post("next", large, part="3"))
    assert 'value="hand-in"' in last
    phone.post("hand-in", large, part="6", **{"answer-9": "壬"})
    read = text_of(phone.post("open"))
    for words in "甲丁壬":
        assert f">{words}<" in read


def test_the_member_reads_acknowledges_and_answers_on_one_page(branch: Branch) -> None:
    branch.write()
    phone = hand(branch, branch.deliver())
    page = text_of(phone.post("open"))
    assert TEXT.problems in page
    assert NAMES[0] in page
    told = text_of(phone.post("acknowledge"))
    assert "说看过了" in told
    assert phone.post("acknowledge").status_code == 409
    assert phone.post("reply", reply=" ").status_code == 422
    assert "有一处不对" in text_of(phone.post("reply", reply="有一处不对"))
    with branch.scene.app.app_context(), db.reading() as session:
        found = session.get_one(Appraisal, branch.ids[0])
        today = branch.scene.clock.today()
        assert (found.acknowledged_on, found.replied_on) == (today, today)


def test_no_page_holds_another_members_name_or_words(branch: Branch) -> None:
    mine, theirs = branch.ask(0), branch.ask(1)
    branch.hand_in(theirs.token, "别人的自评")
    branch.write(1, dataclasses.replace(TEXT, problems="别人的问题"))
    branch.write(0)
    pages = text_of(hand(branch, mine).post("open"))
    pages += text_of(hand(branch, branch.deliver(0)).post("open"))
    for telling in (*NAMES[1:], "别人的自评", "别人的问题"):
        assert telling not in pages


def test_a_ticket_of_one_link_does_nothing_at_another(branch: Branch) -> None:
    mine, theirs = hand(branch, branch.ask(0)), hand(branch, branch.ask(1))
    data = {"ticket": mine.ticket(), "website": "", "step": "save", "answer-1": "混进来"}
    assert theirs.client.post(theirs.address, data=data).status_code == 422
    assert branch.kinds(1) == []
    for bad in ({"ticket": "forged"}, {"website": "spam"}):
        answer = mine.client.post(mine.address, data={**data, **bad})
        assert answer.status_code == 422
    assert branch.kinds(0) == []


def test_a_self_link_takes_no_act_of_a_feedback_link_and_the_other_way_round(
    branch: Branch,
) -> None:
    asked = branch.ask(1)
    branch.write(0)
    given = hand(branch, branch.deliver(0))
    given.post("hand-in", **{"answer-1": "不该在这里"})
    hand(branch, asked).post("acknowledge")
    hand(branch, asked).post("reply", reply="不该在这里")
    assert branch.kinds(0) == ["feedback", "written"]
    assert branch.kinds(1) == []


@pytest.mark.parametrize(
    "address", ["/appraisal/x", "/appraisal/eyJ9.abc", "/appraisal/" + "a" * 900]
)
def test_an_invented_address_opens_nothing(branch: Branch, address: str) -> None:
    client = branch.scene.app.test_client()
    assert client.get(address).status_code == 404
    assert client.post(address, data={"step": "open"}).status_code == 404


def test_a_dead_link_says_what_to_do(branch: Branch) -> None:
    old = hand(branch, branch.ask())
    branch.ask()
    for answer in (old.get(), old.client.post(old.address, data={"step": "open"})):
        assert answer.status_code == 409
        assert "请支部再给您一次" in text_of(answer)


@pytest.mark.parametrize("view", ["?lang=en", "?lang=zh-Hant", "?lang=en&view=large"])
def test_the_page_is_whole_in_every_language_and_view(branch: Branch, view: str) -> None:
    asked = hand(branch, branch.ask(1))
    branch.write()
    given = hand(branch, branch.deliver())
    for phone, step in ((asked, "open"), (asked, "save"), (given, "open"), (given, "acknowledge")):
        assert phone.get(view).status_code == 200
        assert phone.post(step, view).status_code == 200


def test_opening_a_page_writes_nothing(branch: Branch) -> None:
    branch.write()
    given = hand(branch, branch.deliver())

    def everything() -> list[object]:
        with branch.scene.app.app_context(), db.reading() as session:
            tables = db.Base.metadata.sorted_tables
            return [session.execute(sa.select(table)).all() for table in tables]

    before = everything()
    given.get()
    given.post("open")
    assert everything() == before
