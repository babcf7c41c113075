"""Signed values: for one purpose, until their hour."""

from __future__ import annotations

import pytest

from app.staff import tokens
from tests.staff.conftest import START, Hand

SECRET = b"s" * 32


def test_a_token_is_read_until_it_lapses(hand: Hand) -> None:
    token = tokens.sign(SECRET, "purpose", {"who": "甲"}, START)
    before = hand.forward(seconds=-1)
    assert (tokens.read(SECRET, "purpose", token, before) or {})["who"] == "甲"
    assert tokens.read(SECRET, "purpose", token, START) is None


@pytest.mark.parametrize("token", ["", ".", "x.y", "\udc80", "bnVsbA.x"])
def test_what_we_did_not_sign_is_nothing(hand: Hand, token: str) -> None:
    assert tokens.read(SECRET, "purpose", token, hand.now) is None


def test_a_token_serves_one_purpose_of_one_instance(hand: Hand) -> None:
    token = tokens.sign(SECRET, "purpose", {}, START)
    before = hand.forward(seconds=-1)
    assert tokens.read(SECRET, "other purpose", token, before) is None
    assert tokens.read(b"t" * 32, "purpose", token, before) is None
    body, _, signature = token.partition(".")
    assert tokens.read(SECRET, "purpose", f"{body}A.{signature}", before) is None
