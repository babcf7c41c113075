"""The warning before a drop: shown once, never a block, and nothing of it is kept."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.submissions.self_identification.check import mask
from tests.inspecting_client import elements, find, text_of
from tests.submissions.conftest import Speaker, lying, open_now
from tests.visitor import Page

TELLING = "路灯坏了。\n我叫李四，电话13800138000。\n\n请修。"
MASKED = "路灯坏了。\n我叫＊＊，电话＊＊。\n\n请修。"


def typed(page: Page) -> str:
    (area,) = [e for e in elements(page.tree, "textarea") if e.get("name") == "opinion"]
    return text_of(area)


def words(speaker: Speaker, page: Page) -> list[str]:
    (code,) = page.marked("data-receipt-code")
    return speaker.thread(code).marked("data-message", "speaker")


def test_what_would_give_the_speaker_away_is_shown_before_anything_is_stored(
    app: Flask, speaker: Speaker
) -> None:
    page = speaker.drop(TELLING)
    assert page.status == 200
    assert page.marked("data-receipt-code") == []
    (shown,) = find(page.tree, "data-self-identification")
    marks = [text_of(e) for e in elements(shown, "mark")]
    assert marks == ["李四（姓名）", "13800138000（电话）"]
    assert "请修。" in text_of(shown)
    decisions = [e.get("value") for e in elements(page.tree, "button") if e.get("name")]
    assert decisions == ["mask", "edit", "as-is"]
    (main,) = [e for e in elements(page.tree, "button") if e.get("class") == "main"]
    assert main.get("value") == "mask"
    assert typed(page) == TELLING
    assert lying(app) == 0


def test_a_text_that_tells_nothing_is_dropped_at_once(app: Flask, speaker: Speaker) -> None:
    page = speaker.drop("路灯坏了，打过12345，没人来修。")
    assert page.marked("data-self-identification") == []
    assert page.marked("data-receipt-code")
    assert lying(app) == 1


@pytest.mark.parametrize(("decision", "kept"), [("mask", MASKED), ("as-is", TELLING)])
def test_the_decision_says_which_words_go_into_the_box(
    app: Flask, speaker: Speaker, decision: str, kept: str
) -> None:
    page = speaker.drop(TELLING)
    page = speaker.send(page.form("/box/longtan"), decision=decision)
    assert page.status == 200
    assert words(speaker, page) == [kept]
    assert lying(app) == 1
    assert mask(TELLING) == MASKED


def test_who_goes_back_finds_the_form_with_every_word_and_choice_and_no_warning(
    app: Flask, speaker: Speaker
) -> None:
    page = speaker.drop(TELLING, aspect="conduct", about="individual", publish="no")
    page = speaker.send(page.form("/box/longtan"), decision="edit")
    assert page.status == 200
    assert page.marked("data-self-identification") == []
    assert page.alert() == ""
    assert typed(page) == TELLING
    fields = page.form("/box/longtan").fields
    assert (fields["aspect"], fields["about"], fields["publish"]) == ("conduct", "individual", "no")
    assert lying(app) == 0
    page = speaker.send(page.form("/box/longtan"), opinion="路灯坏了。")
    assert words(speaker, page) == ["路灯坏了。"]


@pytest.mark.parametrize("decision", ["", "yes", "MASK", "as-is ", "<b>"])
def test_an_unknown_decision_warns_again(app: Flask, speaker: Speaker, decision: str) -> None:
    page = speaker.drop(TELLING, decision=decision)
    assert page.status == 200
    assert page.marked("data-self-identification")
    assert lying(app) == 0


def test_an_unknown_decision_where_nothing_is_found_stops_nobody(speaker: Speaker) -> None:
    assert speaker.drop("路灯坏了。", decision="yes").marked("data-receipt-code")


@pytest.mark.parametrize("decision", ["mask", "as-is"])
def test_a_double_click_on_a_decision_drops_once(
    app: Flask, speaker: Speaker, decision: str
) -> None:
    form = speaker.drop(TELLING).form("/box/longtan")
    first, again = (speaker.send(form, decision=decision) for _ in range(2))
    assert first.marked("data-receipt-code") == again.marked("data-receipt-code")
    assert lying(app) == 1


def test_the_same_words_on_the_same_form_give_the_same_receipt_whatever_was_decided(
    app: Flask, speaker: Speaker
) -> None:
    form = speaker.drop(TELLING).form("/box/longtan")
    masked = speaker.send(form, decision="mask")
    by_hand = speaker.send(form, opinion=MASKED)
    assert masked.marked("data-receipt-code") == by_hand.marked("data-receipt-code")
    assert lying(app) == 1


def test_choices_survive_the_warning(app: Flask, speaker: Speaker) -> None:
    direct = speaker.get("/box/longtan").form("/box/longtan")
    chosen = {"aspect": "conduct", "about": "individual", "publish": "words", "speaker": "retired"}
    warned = speaker.send(direct, opinion=TELLING, **chosen)
    through = speaker.send(warned.form("/box/longtan"), decision="as-is")
    at_once = speaker.send(direct, opinion=TELLING, decision="as-is", **chosen)
    assert through.marked("data-receipt-code") == at_once.marked("data-receipt-code")


def test_a_decision_after_an_opening_gets_a_fresh_form_with_what_was_typed(
    app: Flask, speaker: Speaker
) -> None:
    form = speaker.drop(TELLING).form("/box/longtan")
    open_now(app)
    page = speaker.send(form, decision="mask")
    assert page.status == 422
    assert typed(page) == TELLING
    page = speaker.send(page.form("/box/longtan"), decision="mask")
    assert words(speaker, page) == [MASKED]


def test_markup_in_a_finding_stays_text(speaker: Speaker) -> None:
    page = speaker.drop("我的网名叫<b>x</b>&amp;，<script>alert(1)</script>")
    assert page.marked("data-self-identification")
    assert "<script>alert" not in page.html
    assert "<b>x" not in page.html


@pytest.mark.parametrize("lang", ["zh-Hant", "en"])
def test_the_warning_speaks_the_languages_of_the_page(speaker: Speaker, lang: str) -> None:
    form = speaker.get(f"/box/longtan?lang={lang}").form("/box/longtan")
    page = speaker.post(f"/box/longtan?lang={lang}", _body(form.fields))
    kinds = [text_of(e) for e in elements(page.tree, "small")]
    assert {"zh-Hant": "（姓名）", "en": " (name)"}[lang] in kinds


def _body(fields: dict[str, str]) -> bytes:
    return urlencode({**fields, "opinion": TELLING}).encode()


def test_nothing_of_the_check_is_logged_or_stored(
    app: Flask, speaker: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with app.app_context(), db.reading() as session:
        tables = sa.inspect(session.connection()).get_table_names()
        before = {t: session.scalar(sa.text(f'select count(*) from "{t}"')) for t in tables}
    speaker.drop(TELLING)
    with app.app_context(), db.reading() as session:
        after = {t: session.scalar(sa.text(f'select count(*) from "{t}"')) for t in tables}
    assert after == before
    assert "李四" not in caplog.text
    assert "13800138000" not in caplog.text
