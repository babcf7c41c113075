"""The log's pages and answers: by the contract's addresses, for people and for programs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from app import crypto, db
from app.cases import service
from app.cases.models import Case, CaseEvent, DeclineReason, ThreadItem
from app.clock import Clock
from app.submissions.models import LyingItem
from app.transparency import log, merkle, note
from app.transparency.models import LogHead, LogLeaf, LogNode
from tests.conftest import Hand
from tests.factories import BoxInHand
from tests.inspecting_client import elements, text_of
from tests.submissions.conftest import Speaker, open_now
from tests.submissions.test_thread import answer_all
from tests.transparency.conftest import LogInHand, drop_leaf
from tests.visitor import Page


def get(in_hand: LogInHand, address: str) -> TestResponse:
    return in_hand.app.test_client().get(address)


def asked(in_hand: LogInHand, address: str) -> Any:
    answer = get(in_hand, address)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return json.loads(answer.get_data(as_text=True))


# --- for programs -------------------------------------------------------------------------------


def test_everything_that_is_served_can_be_verified_from_outside(in_hand: LogInHand) -> None:
    for count in (4, 0, 9):
        in_hand.day(count)
    old = in_hand.heads()[1]
    answer = get(in_hand, "/log/checkpoint")
    assert answer.mimetype == "text/plain"
    text = answer.get_data(as_text=True)
    head = note.read_checkpoint(text)
    assert head is not None
    assert note.is_signed(text, in_hand.key)
    entries = asked(in_hand, "/log/entries?start=0&end=100")["entries"]
    assert entries == [leaf.hex() for leaf in in_hand.leaves()]
    for index, entry in enumerate(entries):
        hashed = merkle.leaf_hash(bytes.fromhex(entry))
        for leaf in (entry, hashed.hex(), str(index)):
            proof = asked(in_hand, f"/log/proof?leaf={leaf}&size={head.size}")
            steps = [bytes.fromhex(step) for step in proof]
            assert merkle.verify_inclusion(hashed, index, head.size, steps, head.root)
    told = get(in_hand, f"/log/proof?leaf={entries[5]}&size=13").headers["Leaf-Index"]
    assert told == "5"
    steps = asked(in_hand, f"/log/consistency?from={old.size}&to={head.size}")
    proof = [bytes.fromhex(step) for step in steps]
    assert merkle.verify_consistency(old.size, old.root, head.size, head.root, proof)


def test_entries_come_a_thousand_at_a_time_start_inclusive_end_exclusive(
    in_hand: LogInHand,
) -> None:
    in_hand.day(1100)
    all_of_it = [leaf.hex() for leaf in in_hand.leaves()]
    assert asked(in_hand, "/log/entries?start=0&end=1100")["entries"] == all_of_it[:1000]
    assert asked(in_hand, "/log/entries?start=1000&end=1100")["entries"] == all_of_it[1000:]
    assert asked(in_hand, "/log/entries?start=3&end=5")["entries"] == all_of_it[3:5]
    assert asked(in_hand, "/log/entries?start=1100")["entries"] == []
    assert len(asked(in_hand, "/log/entries")["entries"]) == 1000


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/log/entries?start=x&end=2", 422),
        ("/log/entries?start=-1&end=2", 422),
        ("/log/entries?start=2&end=1", 422),
        ("/log/entries?start=0&end=99999999999999999999", 422),
        ("/log/entries?start=٣", 422),
        ("/log/proof", 422),
        ("/log/proof?leaf=zz&size=3", 422),
        ("/log/proof?leaf=2&size=2", 422),
        ("/log/proof?leaf=3&size=3", 422),
        ("/log/proof?leaf=0&size=4", 422),
        (f"/log/proof?leaf={'ab' * 32}&size=3", 404),
        (f"/log/proof?leaf={'ab' * 34}", 404),
        ("/log/consistency?from=3&to=2", 422),
        ("/log/consistency?from=1&to=4", 422),
        ("/log/consistency?from=&to=", 422),
    ],
)
def test_a_bad_question_is_answered_with_a_sentence(
    in_hand: LogInHand, address: str, status: int
) -> None:
    in_hand.day(3)
    answer = get(in_hand, address)
    assert answer.status_code == status
    assert json.loads(answer.get_data(as_text=True))["error"]


def test_a_log_that_has_not_begun_says_so_everywhere(in_hand: LogInHand) -> None:
    in_hand.tamper(sa.delete(LogHead))
    assert get(in_hand, "/log/checkpoint").status_code == 404
    assert get(in_hand, "/log/entries").status_code == 404
    for address in ("/log", "/log/sheet", "/log/verify"):
        assert get(in_hand, address).status_code == 200


def test_cosigners_of_the_countys_list_stand_under_the_checkpoint_and_nobody_else(
    in_hand: LogInHand,
) -> None:
    head = in_hand.day(2)
    config = in_hand.app.config["YANLU"]
    group, stranger = (
        (seed, note.VerifierKey(name, note.COSIGNATURE, crypto.verify_key(seed)))
        for name, seed in (("jiandu-1", b"g" * 32), ("somebody", b"h" * 32))
    )
    (config.data_dir / "cosigners.txt").write_text(f"{group[1]}\n", "utf-8")
    body = head.note.partition("\n\n")[0] + "\n"

    def cosigned(seed: bytes, key: note.VerifierKey, body: str) -> str:
        signed = crypto.sign(seed, f"cosignature/v1\ntime 86400\n{body}".encode())
        raw = base64.b64encode(key.id + (86400).to_bytes(8, "big") + signed).decode()
        return f"{body}\n— {key.name} {raw}\n"

    def add(text: str) -> int:
        run = in_hand.app.test_cli_runner()
        return run.invoke(args=["add-cosignatures", "-"], input=text).exit_code

    assert add(cosigned(*stranger, body)) == 1
    assert add(cosigned(*group, body.replace("\n2\n", "\n3\n"))) == 1
    assert add("") == 1
    assert add(cosigned(*group, body)) == 0
    assert add(cosigned(*group, body)) == 0  # again: still one line
    text = get(in_hand, "/log/checkpoint").get_data(as_text=True)
    assert note.is_signed(text, in_hand.key)
    assert note.is_signed(text, group[1])
    assert len(note.signature_lines(text)) == 2


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh-Hans", "zh-Hant", "en"])
@pytest.mark.parametrize("address", ["/log", "/log/sheet", "/log/verify"])
def test_the_pages_are_whole_in_every_language(in_hand: LogInHand, lang: str, address: str) -> None:
    in_hand.day(3)
    for view in ("", "&view=large"):
        answer = get(in_hand, f"{address}?lang={lang}{view}")
        assert answer.status_code == 200
        assert answer.get_data(as_text=True).count('class="main"') <= 1


def test_the_page_and_the_sheet_show_the_heads_and_the_logs_own_counts(
    speaker: Speaker, in_hand: LogInHand
) -> None:
    head = in_hand.day(3)
    page = speaker.get("/log")
    assert page.marked("data-count", "drops") == ["3"]
    assert head.root_words in page.html
    sheet = speaker.get("/log/sheet")
    assert f"{head.made_on.isoformat()}" in sheet.html
    assert head.root_words in sheet.html
    assert str(in_hand.key) in sheet.html


def test_the_verifier_is_served_to_the_letter(in_hand: LogInHand) -> None:
    answer = get(in_hand, "/log/verifier.py")
    assert answer.get_data(as_text=True).startswith("#!/usr/bin/env python3")
    assert "attachment" in answer.headers["Content-Disposition"]


# --- the check of a receipt ---------------------------------------------------------------------


def check(speaker: Speaker, **fields: str) -> Page:
    return speaker.send(speaker.get("/log/verify").form("/log/verify"), **fields)


def dropped(speaker: Speaker, text: str = "路灯坏了。") -> tuple[str, str]:
    page = speaker.drop(text)
    return page.marked("data-receipt-code")[0], page.marked("data-promise")[0]


def verdicts(speaker: Speaker, code: str, promise: str) -> list[str]:
    pages = [
        check(speaker, code=code),
        check(speaker, promise=promise),
        check(speaker, code=code, promise=promise),
    ]
    assert all(page.status == 200 for page in pages)
    return [page.value_of("data-verdict") for page in pages]


def test_code_and_promise_are_pending_then_included(speaker: Speaker, in_hand: LogInHand) -> None:
    code, promise = dropped(speaker)
    assert verdicts(speaker, code, promise) == ["pending"] * 3
    open_now(in_hand.app)
    assert verdicts(speaker, code, promise) == ["pending"] * 3
    in_hand.run()
    assert verdicts(speaker, code, promise) == ["included"] * 3


def test_a_drop_that_was_taken_out_of_the_box_is_missing_after_its_day_and_not_before(
    speaker: Speaker, in_hand: LogInHand, hand: Hand
) -> None:
    code, promise = dropped(speaker)
    in_hand.tamper(sa.delete(LyingItem))
    for _ in range(4):  # until the evening of the promised Friday
        assert check(speaker, promise=promise).value_of("data-verdict") == "pending"
        hand.forward(days=1)
        in_hand.app.test_cli_runner().invoke(args=["worker", "--once"])
    assert check(speaker, promise=promise).value_of("data-verdict") == "pending"
    hand.forward(days=1)
    assert verdicts(speaker, code, promise) == ["unknown", "missing", "missing"]
    page = check(speaker, promise=promise, code=code)
    telephone = [a.get("href") for a in elements(page.tree, "a")]
    assert f"tel:{in_hand.app.config['YANLU'].county_phone}" in telephone


def test_a_case_whose_leaf_was_kept_from_the_log_accuses_by_its_code_too(
    speaker: Speaker, in_hand: LogInHand, hand: Hand
) -> None:
    code, promise = dropped(speaker)
    open_now(in_hand.app)
    in_hand.tamper(*(sa.delete(model) for model in (LogLeaf, LogNode)))
    hand.forward(days=8)
    assert verdicts(speaker, code, promise) == ["missing"] * 3
    page = speaker.thread(code)
    assert page.value_of("data-logged") == "missing"


def test_an_opinion_deleted_after_its_leaf_was_logged_stays_proven(
    speaker: Speaker, in_hand: LogInHand
) -> None:
    code, promise = dropped(speaker)
    open_now(in_hand.app)
    in_hand.run()
    in_hand.tamper(*(sa.delete(model) for model in (CaseEvent, ThreadItem, Case)))
    assert verdicts(speaker, code, promise) == ["unknown", "included", "included"]
    page = check(speaker, code=code, promise=promise)
    assert page.marked("data-gone")
    assert not check(speaker, promise=promise).marked("data-gone")


def test_what_was_mistyped_is_told_kindly_and_the_promise_is_kept(speaker: Speaker) -> None:
    code, promise = dropped(speaker)
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    page = check(speaker, code=wrong, promise=promise[:-1] + "x")
    assert page.value_of("data-error") == "mistyped"
    assert page.alert()
    assert promise[:-1] in page.form("/log/verify").fields["promise"]
    assert wrong not in page.html
    page = check(speaker, promise=promise.replace("a", "b"))
    assert (page.value_of("data-error"), page.value_of("data-verdict")) == ("promise", "unknown")
    page = check(speaker)
    assert (page.status, page.value_of("data-error")) == (422, "empty")


@pytest.mark.parametrize("typed", ["\x00", "\ud800", "yanlu-promise/1", "9" * 5000, "<b>&"])
def test_nothing_typed_breaks_the_check(speaker: Speaker, typed: str) -> None:
    for page in (check(speaker, promise=typed), check(speaker, code=typed)):
        assert page.status in (200, 422)
        assert page.value_of("data-verdict") in ("unknown", "")


def test_a_code_in_the_promises_field_is_taken_as_one_and_never_shown_again(
    speaker: Speaker,
) -> None:
    code, _ = dropped(speaker)
    assert check(speaker, promise=code).value_of("data-verdict") == "pending"
    for typed in (f"我的是 {code}", code + " yanlu-promise/1"):
        page = check(speaker, promise=typed)
        assert page.value_of("data-error") == "promise"
        assert code not in page.html


def test_a_promise_copied_from_paper_with_broken_lines_is_read(speaker: Speaker) -> None:
    _, promise = dropped(speaker)
    broken = "\n".join(promise[i : i + 24] for i in range(60, len(promise), 24))
    assert check(speaker, promise=promise[:60] + broken).value_of("data-verdict") == "pending"
    wide = promise.replace("1", "１").replace(" ", "　").upper().replace("YANLU-PROMISE", "x")
    assert check(speaker, promise=wide).value_of("data-verdict") == "unknown"


def test_code_and_promise_of_two_receipts_are_told_apart(speaker: Speaker) -> None:
    one, _ = dropped(speaker, "一")
    _, two = dropped(speaker, "二")
    assert check(speaker, code=one, promise=two).marked("data-apart")


def test_the_log_tells_its_decisions_to_whoever_holds_the_promise(
    app: Flask, speaker: Speaker, in_hand: LogInHand, box: BoxInHand
) -> None:
    code, promise = dropped(speaker)
    open_now(app)
    answer_all(app, box)
    in_hand.run()
    assert check(speaker, promise=promise).value_of("data-outcome") == "answered"
    assert check(speaker, code=code).value_of("data-outcome") == "answered"
    assert speaker.get("/log").marked("data-count", "answered") == ["1"]


def test_pages_that_saw_a_code_are_padded_and_never_compressed(speaker: Speaker) -> None:
    code, promise = dropped(speaker)
    form = speaker.get("/log/verify").form("/log/verify")
    speaker.headers = {"Accept-Encoding": "gzip"}
    for fields in ({"code": code}, {"promise": promise}, {"code": "1" * 22}, {"code": "x"}):
        page = speaker.send(form, **fields)
        assert len(page.html.encode()) % 4096 == 0
        assert "Content-Encoding" not in page.headers
        assert code not in page.html
        assert code.replace("-", "") not in page.html


# --- the thread page and the saved file ---------------------------------------------------------


def saved_file(speaker: Speaker, code: str) -> dict[str, Any]:
    page = speaker.send(speaker.thread(code).form("/receipt/file"))
    (script,) = elements(page.tree, "script")
    content: dict[str, Any] = json.loads(text_of(script))
    return content


def test_the_saved_receipt_gets_proof_and_checkpoint_once_its_leaf_is_logged(
    speaker: Speaker, in_hand: LogInHand
) -> None:
    code, _ = dropped(speaker)
    for _ in range(6):
        dropped(speaker, crypto.random_id())
    open_now(in_hand.app)
    before = saved_file(speaker, code)
    assert (before["proof"], before["checkpoint"], before["index"]) == (None, None, None)
    in_hand.run()
    after = saved_file(speaker, code)
    head = note.read_checkpoint(after["checkpoint"])
    assert head is not None
    assert note.is_signed(after["checkpoint"], in_hand.key)
    assert after["key"] == str(in_hand.key)
    hashed = merkle.leaf_hash(crypto.drop_leaf(bytes.fromhex(after["commitment"])))
    proof = [bytes.fromhex(step) for step in after["proof"]]
    assert merkle.verify_inclusion(hashed, after["index"], head.size, proof, head.root)


@pytest.mark.parametrize("outcome", ["answered", "declined"])
def test_the_thread_page_shows_whether_drop_and_decision_are_in_the_log(
    app: Flask, speaker: Speaker, in_hand: LogInHand, box: BoxInHand, outcome: str
) -> None:
    code, _ = dropped(speaker)

    def logged() -> list[str | None]:
        page = speaker.thread(code)
        return [e.get("data-logged") for e in page.tree.iter() if e.get("data-logged")]

    assert logged() == ["pending"]
    open_now(app)
    in_hand.run()
    assert logged() == ["included"]
    clock: Clock = app.extensions["clock"]
    if outcome == "answered":
        answer_all(app, box)
    else:
        with app.app_context(), db.transaction() as session:
            case = session.scalars(sa.select(Case)).one()
            reason = DeclineReason.OTHER_DOOR
            service.decline(session, box.desk(), case, reason, "请走别的门", clock.today())
    assert logged() == ["included", "pending"]
    in_hand.run()
    assert logged() == ["included", "included"]


def test_a_decision_that_reached_the_log_with_another_reason_shows_as_not_in_it(
    app: Flask, speaker: Speaker, in_hand: LogInHand, box: BoxInHand, hand: Hand
) -> None:
    code, promise = dropped(speaker)
    open_now(app)
    answer_all(app, box)
    with app.app_context(), db.transaction() as session:
        session.execute(sa.text("DELETE FROM pending_leaf"))
        committed = bytes.fromhex(promise.split()[3])
        forged = crypto.decision_leaf(committed, "answered", "another answer", b"n" * 32)
        log.append(session, [crypto.drop_leaf(committed), forged, drop_leaf("other")])
    in_hand.run()
    page = speaker.thread(code)
    told = [e.get("data-logged") for e in page.tree.iter() if e.get("data-logged")]
    assert told == ["included", "pending"]
    hand.forward(days=5)  # Saturday: it had to be there by Friday
    page = speaker.thread(code)
    told = [e.get("data-logged") for e in page.tree.iter() if e.get("data-logged")]
    assert told == ["included", "missing"]


def test_unknown_and_known_codes_ask_the_log_the_same_question(
    app: Flask, speaker: Speaker
) -> None:
    code, _ = dropped(speaker)
    seen: list[str] = []
    with app.app_context():
        sa.event.listen(
            db.engine(), "after_cursor_execute", lambda *given: seen.append(str(given[2]))
        )
    unknown = crypto.format_code(12345678901234567890)
    counts = []
    for typed in (code, unknown):
        seen.clear()
        speaker.thread(typed)
        counts.append(len([q for q in seen if "FROM log_leaf" in q]))
    assert counts == [1, 1]
