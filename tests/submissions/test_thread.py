"""Coming back with a receipt: read, reply, rate, consent, withdraw, burn, save."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from flask import Flask

from app import crypto, db
from app.cases import service
from app.cases.models import Case
from app.clock import Clock
from app.transparency import log
from config import Config
from tests.conftest import Hand
from tests.factories import BoxInHand
from tests.inspecting_client import elements, text_of
from tests.submissions.conftest import Speaker, lying, open_now


def answer_all(app: Flask, box: BoxInHand, words: str = "已经修好。") -> None:
    clock: Clock = app.extensions["clock"]
    today = clock.today()
    with app.app_context(), db.transaction() as session:
        for case in session.query(Case).filter_by(state="waiting"):
            service.accept(session, case, today)
            service.draft(session, box.desk(), case, words, "有人反映路灯坏了。", today)
            service.approve(session, box.desk(), case, today)


def test_the_whole_thread_of_an_answered_opinion(
    app: Flask, speaker: Speaker, box: BoxInHand
) -> None:
    code = speaker.code("路灯坏了。\n第二行")
    open_now(app)
    answer_all(app, box, "一、已经修好。\n二、谢谢您，C******7。")
    page = speaker.thread(code)
    assert page.value_of("data-state") == "answered"
    assert page.marked("data-message", "speaker") == ["路灯坏了。\n第二行"]
    assert page.marked("data-message", "desk") == ["一、已经修好。\n二、谢谢您，C******7。"]
    page = speaker.send(page.form("/receipt/reply"), message="谢谢\n<b>")
    assert page.status == 200
    assert page.marked("data-message", "speaker")[-1] == "谢谢\n<b>"
    page = speaker.send(page.form("/receipt/rate"), rating="satisfied")
    assert page.status == 200
    assert not page.has_form("/receipt/rate")
    open_now(app)
    assert speaker.thread(code).value_of("data-state") == "closed"


def test_the_same_reply_sent_twice_is_there_once(
    app: Flask, speaker: Speaker, box: BoxInHand
) -> None:
    code = speaker.code()
    open_now(app)
    form = speaker.thread(code).form("/receipt/reply")
    for _ in range(2):
        page = speaker.send(form, message="再说一句")
    assert page.status == 200
    assert page.marked("data-message", "speaker").count("再说一句") == 1


def test_a_reply_sent_again_after_the_turn_of_the_week_is_there_once(
    app: Flask, speaker: Speaker, hand: Hand
) -> None:
    code = speaker.code()
    open_now(app)
    hand.now += dt.timedelta(days=6, hours=12)  # Sunday evening
    form = speaker.thread(code).form("/receipt/reply")
    for hours in (0, 4, -4, 4):  # a clock that was set back, too
        hand.forward(hours=hours)
        page = speaker.send(form, message="再说一句")
    assert page.marked("data-message", "speaker").count("再说一句") == 1


def test_a_reply_on_a_stale_page_is_kept_and_sent_with_the_fresh_one(
    app: Flask, speaker: Speaker
) -> None:
    code = speaker.code()
    open_now(app)
    form = speaker.thread(code).form("/receipt/reply")
    open_now(app)
    page = speaker.send(form, message="再说一句")
    assert page.status == 422
    fresh = page.form("/receipt/reply")
    assert fresh.fields["message"] == "再说一句"
    assert speaker.send(fresh).status == 200


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("reply", {"message": ""}),
        ("reply", {"message": "\x00"}),
        ("reply", {"message": "长" * 2001}),
        ("publish", {"publish": "everything"}),
        ("withdraw", {}),
        ("burn", {"confirm": "no"}),
    ],
)
def test_a_bad_act_is_refused_with_a_sentence_and_changes_nothing(
    app: Flask, speaker: Speaker, act: str, fields: dict[str, str]
) -> None:
    code = speaker.code()
    open_now(app)
    page = speaker.send(speaker.thread(code).form(f"/receipt/{act}"), **fields)
    assert page.status == 422
    assert page.alert()
    assert speaker.thread(code).value_of("data-state") == "waiting"


def test_rating_what_is_not_answered_is_409(app: Flask, speaker: Speaker) -> None:
    code = speaker.code()
    open_now(app)
    form = speaker.thread(code).form("/receipt/reply")
    form.action = form.action.replace("/reply", "/rate")
    assert speaker.send(form, rating="satisfied").status == 409


def test_a_withdrawn_opinion_says_so_and_its_words_are_gone(app: Flask, speaker: Speaker) -> None:
    code = speaker.code("要撤回的话")
    page = speaker.send(speaker.thread(code).form("/receipt/withdraw"), confirm="yes")
    assert page.status == 200
    page = speaker.thread(code)
    assert page.value_of("data-state") == "withdrawn"
    assert "要撤回的话" not in page.html
    other = speaker.code("另一件")
    open_now(app)
    speaker.send(speaker.thread(other).form("/receipt/withdraw"), confirm="yes")
    page = speaker.thread(other)
    assert page.value_of("data-state") == "withdrawn"
    assert page.marked("data-message") == []


def test_a_consent_changed_to_no_keeps_the_answer_private(
    app: Flask, speaker: Speaker, box: BoxInHand
) -> None:
    code = speaker.code()
    open_now(app)
    page = speaker.send(speaker.thread(code).form("/receipt/publish"), publish="no")
    assert page.status == 200
    open_now(app)
    answer_all(app, box)
    assert "有人反映路灯坏了。" not in speaker.get("/answers").html
    assert speaker.thread(code).marked("data-message", "desk") == ["已经修好。"]


def test_an_answer_is_published_with_the_paraphrase_and_not_the_words(
    app: Flask, speaker: Speaker, box: BoxInHand
) -> None:
    speaker.code("只有我知道的原话")
    open_now(app)
    answer_all(app, box)
    page = speaker.get("/answers")
    assert "有人反映路灯坏了。" in page.html
    assert "只有我知道的原话" not in page.html
    assert "有人反映路灯坏了。" in speaker.get("/units/longtan").html


def test_the_saved_file_verifies_by_itself_and_has_no_code(
    app: Flask, speaker: Speaker, config: Config
) -> None:
    text = "路灯\n坏了 </script> & \u2028"
    page = speaker.drop(text)
    (code,) = page.marked("data-receipt-code")
    (promise,) = page.marked("data-promise")
    saved = speaker.send(page.form("/receipt/file"))
    assert "attachment" in saved.headers["Content-Disposition"]
    assert code not in saved.html
    assert code.replace("-", "") not in saved.html
    (script,) = elements(saved.tree, "script")
    receipt = json.loads(text_of(script))
    assert receipt["text"] == text
    nonce = bytes.fromhex(receipt["nonce"])
    committed = crypto.commitment(nonce, receipt["text"], [])
    assert committed.hex() == receipt["commitment"]
    signed = log.read_promise(receipt["promise"], crypto.verify_key(config.secrets.log_seed))
    assert signed is not None
    assert signed.commitment == committed
    assert receipt["promise"] == promise.strip()
    assert (receipt["attachments"], receipt["proof"], receipt["checkpoint"]) == ([], None, None)
    assert lying(app) == 1


def test_no_page_of_the_road_sets_a_cookie_or_puts_the_code_into_an_address(
    speaker: Speaker,
) -> None:
    code = speaker.code()
    plain = code.replace("-", "")
    page = speaker.thread(code)
    for form in elements(page.tree, "form"):
        assert plain not in (form.get("action") or "").replace("-", "")
    assert code not in page.html  # the inspecting client has looked for cookies


def test_pages_with_a_secret_are_padded_to_4_kib_and_not_compressed(speaker: Speaker) -> None:
    code = speaker.code()
    drop = speaker.get("/box/longtan").form("/box/longtan")
    come_back = speaker.get("/receipt").form("/receipt")
    speaker.headers = {"Accept-Encoding": "gzip"}
    for page in (speaker.send(drop, opinion="路灯"), speaker.send(come_back, code=code)):
        assert len(page.html.encode()) % 4096 == 0
        assert "Content-Encoding" not in page.headers


@pytest.mark.parametrize("lang", ["zh-Hans", "zh-Hant", "en"])
@pytest.mark.parametrize("view", ["", "&view=large"])
def test_language_and_view_travel_along_the_whole_road(
    app: Flask, speaker: Speaker, lang: str, view: str
) -> None:
    for address in ("/", "/units", "/units/longtan", "/receipt", "/answers", "/protection"):
        assert speaker.get(f"{address}?lang={lang}{view}").status == 200
    page = speaker.get(f"/box/longtan?lang={lang}{view}")
    form = page.form("/box/longtan")
    page = speaker.send(form, opinion="路灯坏了。")
    assert page.tree.get("lang") == lang
    assert (page.tree.get("class") == "large") == bool(view)
    back = [a.get("href") or "" for a in elements(page.tree, "a")]
    own = [address for address in back if address.startswith("/?") or address == "/"]
    assert own or lang == "zh-Hans"
