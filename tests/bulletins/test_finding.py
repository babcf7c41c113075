"""Answers and bulletins are found by two characters, on both databases, and gone when withdrawn."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db, wordindex
from app.cases import answers
from app.cases.cursor import Cursor
from app.clock import Clock
from app.wordindex import Found, Published
from tests.bulletins.test_bulletins import released
from tests.cases.conftest import Scene
from tests.conftest import Hand


def put(app: Flask, *texts: str) -> list[str]:
    clock: Clock = app.extensions["clock"]
    ids = [f"{n:032x}" for n in range(len(texts))]
    with app.app_context(), db.transaction() as session:
        for text_id, text in zip(ids, texts, strict=True):
            wordindex.put(session, Published.ANSWER, text_id, clock.today(), [text])
    return ids


def find(app: Flask, typed: str, most: int = 20, after: Found | None = None) -> list[str]:
    with app.app_context(), db.reading() as session:
        found = wordindex.find(session, Published.ANSWER, typed, most, after)
        return [hit.id for hit in found]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("路灯", {0, 1}),
        ("路", {0, 1, 2}),
        ("了", {0}),  # the last of a run
        ("路灯 村口", {0}),
        ("路灯村口", set()),  # side by side in no text
        ("ＷＩＦＩ", {2}),
        ("wi", {2}),
        ("100%", {2}),
        ("10_%", set()),
        ("灯路", set()),
        ("'; DROP TABLE", set()),
        ("\U0001f600", set()),
        ("   ", set()),
    ],
)
def test_what_stands_in_a_text_is_found_and_nothing_else(
    app: Flask, typed: str, found: set[int]
) -> None:
    ids = put(app, "村口的路灯坏了", "路灯下面有坑。路边也有", "马路 WiFi 覆盖 100%")
    assert set(find(app, typed)) == {ids[n] for n in found}


def test_pairs_that_stand_apart_do_not_make_a_word(app: Flask) -> None:
    ids = put(app, "路灯；灯坏", "路灯坏")
    assert find(app, "路灯坏") == [ids[1]]


def test_a_long_list_is_paged_without_gap_or_repeat(app: Flask) -> None:
    ids = put(app, *("路灯" for _ in range(7)))
    clock: Clock = app.extensions["clock"]
    seen: list[str] = []
    after = None
    while page := find(app, "路灯", 3, after):
        seen += page
        after = Found(page[-1], clock.today())
    assert seen == sorted(ids, reverse=True)


def test_a_published_answer_is_found_until_its_speaker_takes_it_back(
    scene: Scene,
    hand: Hand,
) -> None:
    receipt, case_id = scene.opened("公章难盖")
    scene.answer(case_id, "每天上午都能盖公章。")
    client = scene.app.test_client()
    for address in ("/answers?q=公章", "/?q=公章"):
        assert "概括" in client.get(address).get_data(as_text=True)
    assert "没有找到" in client.get("/answers?q=路灯").get_data(as_text=True)
    scene.act(receipt, "rate", "dissatisfied", "dissatisfied")
    hand.forward(days=1)
    scene.open_boxes()
    scene.withdraw(receipt)
    assert "没有找到" in client.get("/answers?q=公章").get_data(as_text=True)
    with scene.app.app_context(), db.reading() as session:
        assert session.scalars(sa.select(wordindex.IndexedText)).all() == []
        assert session.scalars(sa.select(wordindex.IndexedPair)).all() == []


def test_an_answer_given_anew_takes_the_place_of_the_old_one(scene: Scene) -> None:
    receipt, case_id = scene.opened("公章难盖")
    scene.answer(case_id, "旧的说法")
    scene.act(receipt, "rate", "dissatisfied", "dissatisfied")
    scene.open_boxes()
    scene.answer(case_id, "新的说法")
    with scene.app.app_context(), db.reading() as session:
        assert answers.find(session, "旧的", 9) == []
        (found,) = answers.find(session, "新的", 9)
        assert answers.find(session, "新的", 9, after=Cursor(found.published_on, found.id)) == []


def test_home_finds_bulletins_beside_branches(scene: Scene) -> None:
    released(scene)
    client = scene.app.test_client()
    page = client.get("/?q=路灯").get_data(as_text=True)
    assert "说到它的通报" in page
    assert "第三季度通报" in client.get("/bulletins?q=公章").get_data(as_text=True)
    for address in ("/?q=路灯&lang=en", "/bulletins?q=无&lang=en", "/answers?q=无&lang=en"):
        assert client.get(address).status_code == 200
    assert client.get("/answers?q=%00%ff").status_code == 200
