"""What lies in a box looks the same from outside, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import crypto
from app.sealing.models import BoxKey
from app.sealing.service import seal
from app.submissions.lying import (
    Lying,
    LyingAct,
    LyingDrop,
    LyingDummy,
    LyingGroup,
    LyingLeaf,
    unwrap,
    wrap,
)
from app.submissions.service import MAX_OPINION, Content

PRIVATE = crypto.new_private_key()
PUBLIC = crypto.public_key_of(PRIVATE)
BOX_PRIVATE = crypto.new_private_key()
BOX_KEY = BoxKey(id=crypto.random_id(), public_key=crypto.public_key_of(BOX_PRIVATE))


def drop(text: str) -> LyingDrop:
    content = Content(text, bytes(32), "p" * 260, "conduct", "individual", "summary")
    return LyingDrop(
        box_id=crypto.random_id(),
        unit_id=crypto.random_id(),
        channel="web",
        speaker="unsaid",
        commitment=bytes(32),
        ticket_id=bytes(16),
        lookup_id=bytes(32),
        receipt_key=PUBLIC,
        sealed=seal(content.encode(), [BOX_KEY], PUBLIC),
    )


def act() -> LyingAct:
    return LyingAct(
        "c" * 32, "b" * 32, "rate", "satisfied", bytes(16), "2026-W48 0",
        seal(b"{}", [BOX_KEY], PUBLIC),
    )  # fmt: skip


KINDS: list[Lying] = [
    drop("一"),
    drop("\U00020000" * MAX_OPINION),
    drop('"' * MAX_OPINION),
    drop("\n" * MAX_OPINION),
    drop("一").burnt(),
    act(),
    act().burnt(),
    LyingLeaf(bytes(32)),
    LyingGroup("u" * 32, "2026Q4", "retired"),
    LyingDummy(),
]


@pytest.mark.parametrize("lying", KINDS)
def test_every_kind_is_24_kib_and_comes_back_as_it_was(lying: Lying) -> None:
    wrapped = wrap(lying, PUBLIC)
    assert len(wrapped) == crypto.LYING_BYTES
    assert unwrap(wrapped, PRIVATE) == lying


def test_only_the_opening_key_tells_what_lies_there() -> None:
    with pytest.raises(crypto.SealError):
        unwrap(wrap(drop("一"), PUBLIC), crypto.new_private_key())


def test_a_burnt_drop_holds_nothing_of_its_receipt() -> None:
    burnt = drop("一").burnt()
    assert (burnt.lookup_id, burnt.receipt_key, burnt.sealed.receipt_wrap) == (None, None, None)


@given(st.text(max_size=500).filter(str.isprintable))
def test_content_comes_back_word_for_word(text: str) -> None:
    content = Content(text, bytes(32), "p", "work", "unsaid", "no")
    assert Content.decode(content.encode()) == content
