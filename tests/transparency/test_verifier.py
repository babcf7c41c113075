"""The offline verifier: alone, on nothing but Python, against whatever is put before it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import crypto, db
from app.cases import record, service
from app.cases.models import Case, DeclineReason
from app.cases.workflow import Move
from app.transparency import merkle, note, verifier
from tests.conftest import Hand
from tests.factories import BoxInHand
from tests.submissions.conftest import Speaker, open_now
from tests.transparency.conftest import LogInHand
from tests.transparency.test_log_views import asked, dropped
from tests.transparency.test_merkle import mth, mutated, tree_of

# RFC 8032, 7.1: public key, message, signature.
RFC8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0"
        "f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f76098"
        "4dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """The file as it is served, in an isolated Python."""
    script = folder / "verifier.py"
    if not script.exists():
        script.write_bytes(Path(verifier.__file__).read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", str(script), *arguments],
        cwd=folder, env={}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == b"" or done.returncode == 2, done.stderr.decode()
    return done.returncode, done.stdout.decode("utf-8")


def save(speaker: Speaker, code: str, path: Path) -> Path:
    page = speaker.send(speaker.thread(code).form("/receipt/file"))
    path.write_text(page.html, "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder on somebody's own computer."""
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def receipt(speaker: Speaker, in_hand: LogInHand, folder: Path) -> Path:
    """A saved receipt whose leaf is in the log."""
    code, _ = dropped(speaker, "路灯坏了。\n</script> <b> & \u2028 第二行")
    for n in range(6):
        dropped(speaker, f"别的意见{n}")
    open_now(in_hand.app)
    in_hand.run()
    return save(speaker, code, folder / "yanlu-receipt.html")


def line_of(in_hand: LogInHand, number: int = 0) -> str:
    head = in_hand.heads()[number]
    return f"{head.made_on.isoformat()} {head.size} {head.root_words}"


# --- the pieces ---------------------------------------------------------------------------------


def test_the_rfcs_signatures_verify_and_altered_ones_do_not() -> None:
    for key, message, signature in RFC8032:
        given = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
        assert verifier.ed25519_verify(*given)
        assert not verifier.ed25519_verify(given[0], given[1] + b"x", given[2])


def test_the_verifier_agrees_with_libsodium_on_good_and_bad_signatures() -> None:
    dice = random.Random(8032)
    for _ in range(25):
        seed, message = dice.randbytes(32), dice.randbytes(dice.randrange(80))
        key, signature = crypto.verify_key(seed), crypto.sign(seed, message)
        assert verifier.ed25519_verify(key, message, signature)
        bit = 1 << dice.randrange(512)
        bad = (int.from_bytes(signature, "big") ^ bit).to_bytes(64, "big")
        assert not verifier.ed25519_verify(key, message, bad)
        assert not crypto.verify(key, message, bad)


def test_a_signature_is_not_malleable_and_a_key_of_small_order_signs_nothing() -> None:
    key, signature = crypto.verify_key(b"s" * 32), crypto.sign(b"s" * 32, b"m")
    scalar = int.from_bytes(signature[32:], "little") + verifier.ORDER
    assert not verifier.ed25519_verify(key, b"m", signature[:32] + scalar.to_bytes(32, "little"))
    for small in (1, 0, 2**255 - 20):
        weak = small.to_bytes(32, "little")
        assert not verifier.ed25519_verify(weak, b"m", (1).to_bytes(32, "little") + bytes(32))


def test_its_tree_is_ours() -> None:
    leaves = [f"{n}".encode() for n in range(70)]
    hashes = [verifier.leaf_hash(leaf) for leaf in leaves]
    for size in range(71):
        assert verifier.root_of(hashes[:size]) == mth(leaves[:size])
    tree = tree_of(leaves)
    for index in range(70):
        proof = tree.spans(merkle.inclusion_spans(index, 70))
        assert verifier.verify_inclusion(hashes[index], index, 70, proof, tree.root(70))
        assert not verifier.verify_inclusion(hashes[index], index, 70, proof[1:], tree.root(70))


def test_forged_proofs_are_refused_by_the_verifier_too() -> None:
    dice = random.Random(70)
    leaves = [f"{n}".encode() for n in range(70)]
    tree = tree_of(leaves)
    for _ in range(3000):
        size = dice.randrange(2, 71)
        index, root = dice.randrange(size), tree.root(size)
        proof = tree.spans(merkle.inclusion_spans(index, size))
        given: list[Any] = [tree.hashes[index], index, size, proof, root]
        assert verifier.verify_inclusion(*given)
        place = dice.randrange(4)
        given[place] = (
            dice.randbytes(32), (index + dice.randrange(1, size)) % size,
            dice.choice([index, size * 2, 0]), mutated(dice, proof),
        )[place]  # fmt: skip
        assert not verifier.verify_inclusion(*given), (place, given)


# --- a saved receipt ----------------------------------------------------------------------------


def test_a_saved_receipt_verifies_offline_and_against_the_notice_board(
    receipt: Path, in_hand: LogInHand
) -> None:
    status, said = run(receipt.parent, str(receipt))
    assert status == 0, said
    assert "included" in said
    key = ["--key", str(in_hand.key)]
    assert run(receipt.parent, str(receipt), *key, "--head", line_of(in_hand))[0] == 0
    without_day = line_of(in_hand).partition(" ")[2].upper()
    assert run(receipt.parent, str(receipt), "--head", without_day)[0] == 0


def test_another_head_on_the_notice_board_accuses(receipt: Path, in_hand: LogInHand) -> None:
    head = in_hand.heads()[0]
    status, said = run(receipt.parent, str(receipt), "--head", f"{head.size} {'ab' * 32}")
    assert (status, "supervision group" in said) == (1, True)


def test_another_countys_key_is_refused(receipt: Path, in_hand: LogInHand) -> None:
    stranger = note.county_key(b"t" * 32, in_hand.key.name)
    assert run(receipt.parent, str(receipt), "--key", str(stranger))[0] == 1
    assert run(receipt.parent, str(receipt), "--key", "no key at all")[0] == 2


def test_a_receipt_saved_before_the_log_had_it_says_come_back(
    speaker: Speaker, folder: Path
) -> None:
    code, _ = dropped(speaker)
    path = save(speaker, code, folder / "early.html")
    status, said = run(folder, str(path))
    assert (status, "还不能断定" in said, "not proven yet" in said) == (3, True, True)


FIELDS = ("text", "nonce", "commitment", "promise", "proof", "index", "checkpoint", "attachments")


_OPEN, _SHUT = '<script type="application/json">', "</script>"


def content_of(path: Path) -> dict[str, Any]:
    """The receipt of a saved page."""
    raw = path.read_text("utf-8").partition(_OPEN)[2].partition(_SHUT)[0]
    saved: dict[str, Any] = json.loads(raw)
    return saved


def forged_from(path: Path, saved: dict[str, Any]) -> Path:
    """A saved page with another receipt in it."""
    before, _, rest = path.read_text("utf-8").partition(_OPEN)
    text = json.dumps(saved).replace("<", "\\u003c")
    forged = path.with_name("forged.html")
    forged.write_text(f"{before}{_OPEN}{text}{_SHUT}{rest.partition(_SHUT)[2]}", "utf-8")
    return forged


@pytest.mark.parametrize("name", FIELDS)
def test_a_changed_field_is_refused(receipt: Path, name: str) -> None:
    saved = content_of(receipt)
    value = saved[name]
    if name == "index":
        saved[name] = value ^ 1
    elif name == "attachments":
        saved[name] = ["00" * 32]
    elif name == "proof":
        saved[name] = ["00" * 32, *value[1:]]
    elif name == "checkpoint":
        saved[name] = value.replace("\n7\n", "\n8\n")
    else:
        at = len(value) // 2
        saved[name] = value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :]
    status, said = run(receipt.parent, str(forged_from(receipt, saved)))
    assert status == 1, said
    assert "something is wrong" in said


# --- what was decided ---------------------------------------------------------------------------


@pytest.fixture
def decided(speaker: Speaker, in_hand: LogInHand, box: BoxInHand, folder: Path) -> Path:
    """A saved receipt of an opinion that was declined, then answered after an appeal."""
    code, _ = dropped(speaker)
    dropped(speaker, "别的意见")
    open_now(in_hand.app)
    today = in_hand.app.extensions["clock"].today()
    with in_hand.app.app_context(), db.transaction() as session:
        cases = session.scalars(sa.select(Case)).all()
        for case in cases:
            service.decline(session, box.desk(), case, DeclineReason.NO_FACTS, "没有事实", today)
        for case in cases:
            record.move(session, case, Move.APPEAL, today)
            record.move(session, case, Move.OVERTURN, today)
            service.draft(session, box.desk(), case, "查过了，\n确实有。", "", today)
            service.approve(session, box.desk(), case, today)
    in_hand.run()
    return save(speaker, code, folder / "decided.html")


def test_a_saved_receipt_proves_each_decision_offline(decided: Path) -> None:
    status, said = run(decided.parent, str(decided))
    assert status == 0, said
    assert "决定：不予采纳" in said
    assert "决定：已答复" in said


@pytest.mark.parametrize(("number", "name"), list(product((0, 1), ("outcome", "reason", "proof"))))
def test_a_changed_decision_is_refused(decided: Path, number: int, name: str) -> None:
    saved = content_of(decided)
    told = saved["decisions"][number]
    told[name] = {"outcome": "upheld", "reason": "ab" * 32, "proof": told["proof"][1:]}[name]
    status, said = run(decided.parent, str(forged_from(decided, saved)))
    assert (status, "The log has no such decision" in said) == (1, True), said


def test_an_answer_whose_words_were_changed_afterwards_is_refused(decided: Path) -> None:
    saved = content_of(decided)
    assert saved["decisions"][1]["words"] == "查过了，\n确实有。"
    saved["decisions"][1]["words"] = "查过了，没有。"
    status, said = run(decided.parent, str(forged_from(decided, saved)))
    assert (status, "The log has no such decision" in said) == (1, True), said


def test_a_decision_that_was_not_logged_when_the_file_was_saved_is_told(decided: Path) -> None:
    saved = content_of(decided)
    saved["decisions"][1] |= {"proof": None, "index": None}
    status, said = run(decided.parent, str(forged_from(decided, saved)))
    assert (status, "这个决定还没有记进日志：已答复" in said) == (0, True), said


@pytest.mark.parametrize("content", ["", "<html>", "<script type='application/json'>{</script>"])
def test_what_is_no_receipt_is_told_in_a_sentence(folder: Path, content: str) -> None:
    (folder / "x.html").write_text(content, "utf-8")
    status, said = run(folder, "x.html")
    assert (status, "nothing was checked" in said) == (2, True)
    assert run(folder, "nowhere.html")[0] == 2
    assert run(folder)[0] == 2


# --- a promise alone, the site gone -------------------------------------------------------------


def entries_file(in_hand: LogInHand, folder: Path, cut: int | None = None) -> list[str]:
    size = len(in_hand.leaves())
    names = []
    for start in range(0, size, 3):
        part = asked(in_hand, f"/log/entries?start={start}&end={min(start + 3, size)}")
        (folder / f"entries-{start}.json").write_text(json.dumps(part), "utf-8")
        names.append(f"entries-{start}.json")
    return names[::-1][:cut]


def test_a_promise_is_checked_against_the_whole_log_and_the_notice_board(
    speaker: Speaker, in_hand: LogInHand, hand: Hand, folder: Path
) -> None:
    _, promise = dropped(speaker)
    open_now(in_hand.app)
    for _ in range(7):
        in_hand.day(2)
    key = ["--promise", promise, "--key", str(in_hand.key)]
    files = entries_file(in_hand, folder)
    status, said = run(folder, *key, "--entries", *files, "--head", line_of(in_hand))
    assert (status, "included" in said) == (0, True)
    assert run(folder, *key)[0] == 3
    assert run(folder, *key, "--entries", *files[1:], "--head", line_of(in_hand))[0] == 2


def test_a_broken_promise_is_proven_by_paper_alone(
    speaker: Speaker, in_hand: LogInHand, hand: Hand, folder: Path
) -> None:
    _, promise = dropped(speaker)  # and it is never opened
    for _ in range(7):
        in_hand.day(2)
    key = ["--promise", promise, "--key", str(in_hand.key)]
    files = entries_file(in_hand, folder)
    late, early = line_of(in_hand), line_of(in_hand, 4)
    status, said = run(folder, *key, "--entries", *files, "--head", late, "--head", early)
    assert (status, "承诺没有兑现" in said, "the promise was broken" in said) == (1, True, True)
    assert run(folder, *key, "--entries", *files, "--head", early)[0] == 3
    undated = late.partition(" ")[2]
    assert run(folder, *key, "--entries", *files, "--head", undated)[0] == 3
