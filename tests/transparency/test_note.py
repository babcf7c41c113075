"""Signed notes: the published example verifies, ours are well formed, nobody else's count."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import crypto
from app.transparency import note
from app.transparency.note import Checkpoint, VerifierKey

SEED = b"s" * 32
HEAD = Checkpoint("yanlu.invalid/county", 7, b"r" * 32)

# The example of the format's own documentation (golang.org/x/mod/sumdb/note).
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_verifies_and_an_altered_one_does_not() -> None:
    key = note.read_key(PUBLISHED_KEY)
    assert key is not None
    assert str(key) == PUBLISHED_KEY
    assert note.is_signed(PUBLISHED, key)
    assert not note.is_signed(PUBLISHED.replace("answer", "problem"), key)


def test_a_checkpoint_is_three_lines_and_a_signature_line() -> None:
    text = note.sign(HEAD, SEED)
    root = base64.b64encode(b"r" * 32).decode()
    assert text.startswith(f"yanlu.invalid/county\n7\n{root}\n\n— yanlu.invalid/county ")
    assert text.endswith("\n")
    assert note.read_checkpoint(text) == HEAD
    assert note.is_signed(text, note.county_key(SEED, HEAD.origin))


def test_another_key_name_or_body_is_not_signed() -> None:
    text = note.sign(HEAD, SEED)
    key = note.county_key(SEED, HEAD.origin)
    assert not note.is_signed(text, note.county_key(b"t" * 32, HEAD.origin))
    assert not note.is_signed(text, dataclasses.replace(key, name="somebody"))
    assert not note.is_signed(text.replace("\n7\n", "\n8\n"), key)
    assert not note.is_signed(text.partition("\n\n")[0] + "\n\n", key)


def test_a_cosignature_covers_its_time_and_the_body() -> None:
    key = VerifierKey("group", note.COSIGNATURE, crypto.verify_key(SEED))
    body, at = HEAD.body(), 1_800_000_000
    signed = crypto.sign(SEED, f"cosignature/v1\ntime {at}\n{body}".encode())
    for time, good in ((at, True), (at + 1, False)):
        raw = base64.b64encode(key.id + time.to_bytes(8, "big") + signed).decode()
        assert note.is_signed(f"{body}\n— group {raw}\n", key) is good


@pytest.mark.parametrize(
    "text", ["", "a+b+c", "a+00000000+AAAA", PUBLISHED_KEY.replace("c74f", "c74e"), "+c74f20a3+"]
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert note.read_key(text) is None


@given(st.text(max_size=200))
def test_no_other_text_is_a_checkpoint(text: str) -> None:
    assert note.read_checkpoint(text) is None
