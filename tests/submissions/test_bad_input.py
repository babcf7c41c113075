"""Bad input: the right status, a kind sentence, nothing half-stored, what was typed still there."""

from __future__ import annotations

import dataclasses
import datetime as dt
from urllib.parse import quote

import pytest
from flask import Flask

from app import crypto
from app.submissions.ticket import new_ticket, write_ticket
from config import Config
from tests.conftest import Hand
from tests.factories import BoxInHand
from tests.inspecting_client import elements, text_of
from tests.submissions.conftest import Speaker, lying, open_now
from tests.visitor import Page

MARKUP = "<script>alert(1)</script></textarea><b onmouseover=x>&amp;\"'"


def typed(page: Page) -> str:
    (area,) = [e for e in elements(page.tree, "textarea") if e.get("name") == "opinion"]
    return text_of(area)


@pytest.mark.parametrize("text", ["", " \n\t ", "\u3000"])
def test_an_empty_opinion_is_refused(app: Flask, speaker: Speaker, text: str) -> None:
    page = speaker.drop(text)
    assert page.status == 422
    assert page.alert()
    assert lying(app) == 0


def test_5000_characters_are_taken_and_5001_refused_with_all_of_them_kept(
    app: Flask, speaker: Speaker
) -> None:
    page = speaker.drop("言" * 5001)
    assert page.status == 422
    assert "5001" in page.alert()
    assert typed(page) == "言" * 5001
    assert lying(app) == 0
    assert speaker.drop("\U00020000" * 5000).status == 200
    assert lying(app) == 1


def test_a_body_over_the_limit_is_413(app: Flask, speaker: Speaker) -> None:
    page = speaker.post("/box/longtan", b"opinion=" + b"a" * 30_000_000)
    assert page.status == 413
    assert page.alert()
    assert lying(app) == 0


@pytest.mark.parametrize("bad", [b"%00", b"%01", b"%1B", b"%7F", b"%C2%85", b"%ED%A0%80", b"%FF"])
@pytest.mark.parametrize("multipart", [False, True])
def test_control_characters_and_what_is_no_text_are_refused_and_the_rest_kept(
    app: Flask, speaker: Speaker, bad: bytes, multipart: bool
) -> None:
    ticket = speaker.get("/box/longtan").form("/box/longtan").fields["ticket"]
    words = "前面的话"
    if multipart:
        raw = bytes.fromhex(bad.replace(b"%", b"").decode())
        parts = {"ticket": ticket.encode(), "opinion": words.encode() + raw}
        body = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (k.encode(), v)
            for k, v in parts.items()
        )
        page = speaker.post("/box/longtan", body + b"--x--\r\n", "multipart/form-data; boundary=x")
    else:
        body = b"ticket=" + ticket.encode() + b"&opinion=" + quote(words).encode() + bad
        page = speaker.post("/box/longtan", body)
    assert page.status == 422
    assert page.alert()
    assert typed(page).startswith(words)
    assert lying(app) == 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("一行\r\n两行\t三", "一行\n两行\t三"),
        ("老式\r换行", "老式\n换行"),
        ("\n开头的空行", "\n开头的空行"),
        ("\u202e倒着\u202c \u200b零宽\u200d", "\u202e倒着\u202c \u200b零宽\u200d"),
        ("😀👨\u200d👩\u200d👧 𠮷𰻞 é", "😀👨\u200d👩\u200d👧 𠮷𰻞 é"),
        (MARKUP, MARKUP),
        ("  两头的空格  ", "  两头的空格  "),
        ("%(x)s {{ 7*7 }} {% if %}", "%(x)s {{ 7*7 }} {% if %}"),
        ("\ufffd本来就有", "\ufffd本来就有"),
    ],
)
def test_words_come_back_to_the_letter(speaker: Speaker, sent: str, kept: str) -> None:
    page = speaker.thread(speaker.code(sent))
    assert page.value_of("data-state") == "lying"
    assert page.marked("data-message", "speaker") == [kept]


@pytest.mark.parametrize("field", ["speaker", "aspect", "about", "publish", "website"])
def test_markup_in_a_choice_is_refused_and_never_rendered(
    app: Flask, speaker: Speaker, field: str
) -> None:
    page = speaker.drop("路灯坏了。", **{field: MARKUP})
    assert page.status == 422
    assert "<script>" not in page.html
    assert typed(page) == "路灯坏了。"
    assert lying(app) == 0


@pytest.mark.parametrize("ticket", ["", "x", "A" * 512, MARKUP, "\x00"])
def test_a_forged_ticket_gives_the_form_again_with_a_fresh_one(
    app: Flask, speaker: Speaker, ticket: str
) -> None:
    page = speaker.drop("路灯坏了。", ticket=ticket)
    assert page.status == 422
    assert typed(page) == "路灯坏了。"
    assert lying(app) == 0
    assert speaker.send(page.form("/box/longtan")).status == 200


def test_a_ticket_of_another_box_is_refused(app: Flask, speaker: Speaker, config: Config) -> None:
    other = new_ticket("demo", crypto.random_id(), dt.datetime.now(dt.UTC))
    page = speaker.drop("路灯坏了。", ticket=write_ticket(other, config.secrets.instance_secret))
    assert page.status == 422
    assert lying(app) == 0


def test_a_stale_ticket_gives_the_form_again_with_a_fresh_one(app: Flask, speaker: Speaker) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    open_now(app)
    page = speaker.send(form, opinion="路灯坏了。")
    assert page.status == 422
    assert page.alert()
    assert typed(page) == "路灯坏了。"
    assert lying(app) == 0
    assert speaker.send(page.form("/box/longtan")).status == 200


def test_a_double_click_drops_once_and_shows_the_same_receipt_twice(
    app: Flask, speaker: Speaker
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    codes = [speaker.send(form, opinion="路灯坏了。").marked("data-receipt-code") for _ in range(2)]
    assert codes[0] == codes[1]
    assert len(codes[0]) == 1
    assert lying(app) == 1


def test_a_reload_after_the_opening_still_shows_the_same_receipt(
    app: Flask, speaker: Speaker
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    first = speaker.send(form, opinion="路灯坏了。")
    open_now(app)
    again = speaker.send(form, opinion="路灯坏了。")
    assert again.status == 200
    assert again.marked("data-receipt-code") == first.marked("data-receipt-code")


def test_two_tabs_never_mix(app: Flask, speaker: Speaker) -> None:
    tabs = [speaker.get("/box/longtan").form("/box/longtan") for _ in range(2)]
    codes = {
        speaker.send(form, opinion="路灯坏了。").marked("data-receipt-code")[0] for form in tabs
    }
    assert len(codes) == 2
    assert lying(app) == 2


def test_an_unknown_branch_is_404_and_a_closed_box_409(app: Flask, speaker: Speaker) -> None:
    assert speaker.get("/box/nowhere").status == 404
    assert speaker.post("/box/nowhere", b"opinion=x").status == 404
    assert speaker.get("/units/nowhere").status == 404
    page = speaker.get("/box/closed")
    assert page.status == 200
    assert not page.has_form("/box/closed")
    page = speaker.post("/box/closed", "opinion=路灯".encode())
    assert page.status == 409
    assert "路灯" in page.html
    assert lying(app) == 0


def test_a_mistyped_code_is_told_and_an_unknown_one_looks_like_a_burnt_one(
    speaker: Speaker,
) -> None:
    code = speaker.code()
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    page = speaker.thread(wrong)
    assert (page.status, page.value_of("data-error")) == (200, "mistyped")
    unknown = speaker.thread(crypto.display_code(crypto.format_code(12345)))
    assert (unknown.status, unknown.value_of("data-error")) == (200, "unknown")
    thread = speaker.thread(code)
    ended = speaker.send(thread.form("/receipt/burn"), confirm="yes")
    assert ended.status == 200
    burnt = speaker.thread(code)
    assert burnt.html == unknown.html


@pytest.mark.parametrize("typed_code", ["", "12", "x" * 5000, MARKUP, "\x00", "\udc80"])
def test_what_is_no_code_at_all_is_mistyped(speaker: Speaker, typed_code: str) -> None:
    assert speaker.thread(typed_code).value_of("data-error") == "mistyped"


def test_a_code_in_the_words_is_refused_kindly(app: Flask, speaker: Speaker) -> None:
    code = speaker.code()
    page = speaker.drop(f"我的回执是 {code} 请回电")
    assert page.status == 422
    assert typed(page).startswith("我的回执是")
    assert lying(app) == 1


def test_what_is_not_built_yet_is_refused_and_never_given_to_the_branch(
    app: Flask, speaker: Speaker
) -> None:
    assert speaker.drop("书记的事", recipient="superior").status == 422
    assert lying(app) == 0


def test_a_form_sent_within_three_seconds_is_asked_to_wait(
    app: Flask, speaker: Speaker, config: Config, hand: Hand
) -> None:
    app.config["YANLU"] = dataclasses.replace(config, limits=True)
    form = speaker.get("/box/longtan").form("/box/longtan")
    hand.forward(seconds=1)
    page = speaker.send(form, opinion="路灯坏了。")
    assert page.status == 422
    assert typed(page) == "路灯坏了。"
    hand.forward(seconds=2)
    assert speaker.send(page.form("/box/longtan")).status == 200


def test_a_post_from_a_foreign_page_is_refused(app: Flask, box: BoxInHand) -> None:
    assert box.keys
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        foreign = Speaker(app, headers)
        assert foreign.drop().status == 403
    own = Speaker(app, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"})
    assert own.drop().status == 200
    assert lying(app) == 1


def test_ten_junk_drops_do_not_stop_the_next_honest_one(
    app: Flask, speaker: Speaker, config: Config, hand: Hand
) -> None:
    app.config["YANLU"] = dataclasses.replace(config, limits=True)
    for n in range(11):
        form = speaker.get("/box/longtan").form("/box/longtan")
        hand.forward(seconds=4)
        assert speaker.send(form, opinion=f"意见{n}").status == 200


def test_a_flood_is_told_to_come_back_later(app: Flask, speaker: Speaker, config: Config) -> None:
    app.config["YANLU"] = dataclasses.replace(config, limits=True)
    statuses = [speaker.post("/receipt", b"code=1").status for _ in range(320)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
