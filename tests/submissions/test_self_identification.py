"""The check of a speaker's text: what it finds, what it leaves alone, and that it stays quick."""

from __future__ import annotations

import re
import sys
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.submissions.self_identification import (
    addresses,
    kin,
    names,
    numbers,
    posts,
    surnames,
)
from app.submissions.self_identification.check import MASK, Kind, excerpt, find, mask, pieces
from bench.self_identification import HOSTILE
from tests.road.test_messages import rows


def written(name: str) -> list[str]:
    """Texts written for the check, one a line; ⏎ stands for a line break."""
    lines = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return [line.replace("⏎", "\n") for line in lines]


TEXTS = [(line.split("\t")[0], line.split("\t")[1]) for line in written("telling.txt")]
ORDINARY = written("everyday.txt")
# Real messages that name their speakers, or give a door: found by reading all of them.
REAL = {"34239", "35467", "175800", "175865", "168211", "159027"}


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_what_tells_who_speaks_is_found(kind: str, text: str) -> None:
    assert kind in {found.kind for found in find(text)}


@pytest.mark.parametrize("text", ORDINARY)
def test_everyday_complaints_are_left_alone(text: str) -> None:
    assert [text[found.start : found.end] for found in find(text)] == []


def test_there_are_enough_cases() -> None:
    assert len(set(TEXTS)) >= 450
    assert len(set(ORDINARY)) >= 600
    assert {kind for kind, _ in TEXTS} == set(Kind)


def test_of_real_messages_those_are_warned_whose_speakers_name_themselves() -> None:
    messages = {row["id"]: row["message"] for row in rows()}
    assert {key for key, text in messages.items() if find(text)} == REAL


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("电话１３８\u200b００１３ ８０００。", "１３８\u200b００１３ ８０００"),
        ("找我就打一三八〇〇一三八〇〇〇啊", "一三八〇〇一三八〇〇〇"),
        ("😀我叫張國強，", "張國強"),
        ("ﷺﷺ电话13800138000", "13800138000"),
        ("㈱㈱㈱我叫李四", "李四"),
        ("e\u0301e\u0301我叫李四", "李四"),
        ("身份证430121194910015670\n", "430121194910015670"),
        ("身份证430121 19491001 570x，", "430121 19491001 570x"),
    ],
)
def test_findings_are_told_in_places_of_the_text_as_typed(text: str, shown: str) -> None:
    assert [text[found.start : found.end] for found in find(text)] == [shown]


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_a_masked_text_has_nothing_left_and_is_never_longer(kind: str, text: str) -> None:
    masked = mask(text)
    assert MASK in masked
    assert len(masked) <= len(text)
    assert find(masked) == ()


@pytest.mark.parametrize("text", ORDINARY)
def test_masking_leaves_what_tells_nothing_to_the_letter(text: str) -> None:
    assert mask(text) == text


WORDS = st.sampled_from(
    [*"我叫是的家住号栋电话王李一三八0123456789 \n，。：-\u200bＡ１", *"证微信爱人书记ﷺ"]
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=60).map("".join) | st.text(max_size=80))
def test_pieces_make_up_the_whole_text_in_order(text: str) -> None:
    found = find(text)
    assert "".join(piece.text for piece in pieces(text)) == text
    assert all(0 <= mark.start < mark.end <= len(text) for mark in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_long_stretches_without_a_finding_are_shown_short() -> None:
    text = "路" * 2000 + "我叫李四，" + "灯" * 2000
    shown = excerpt(text)
    assert "李四" in [piece.text for piece in shown]
    assert sum(len(piece.text) for piece in shown) < 300


@pytest.mark.parametrize(
    ("number", "right"),
    [
        ("430121194910015670", True),
        ("430121194910015671", False),
        ("430121194913015670", False),
        ("990121194910015670", False),
    ],
)
def test_an_identity_number_has_its_check_digit(number: str, right: bool) -> None:
    assert numbers.checks_out(number) is right


UNBOUNDED = re.compile(r"(?<!\\)[*+](?!\?*\+)")


def patterns() -> list[re.Pattern[str]]:
    modules = (addresses, kin, names, numbers, posts, surnames)
    values = chain.from_iterable(vars(module).values() for module in modules)
    return [value for value in values if isinstance(value, re.Pattern)]


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: pattern.pattern[:30])
def test_no_pattern_repeats_without_bound_but_runs_of_one_kind(pattern: re.Pattern[str]) -> None:
    """A repeat without bound, next to another, is what makes a regular expression explode."""
    bare = re.sub(r"\[[^\]]*\]", "c", pattern.pattern)
    assert len(UNBOUNDED.findall(bare)) <= 1, pattern.pattern


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_work_grows_with_the_length_alone(piece: str) -> None:
    """Counted in calls, not in seconds: four times the text, about four times the calls."""

    def calls(length: int) -> int:
        made = 0

        def count(frame: object, event: str, arg: object) -> None:
            nonlocal made
            made += 1

        text = (piece * length)[:length]
        sys.setprofile(count)
        try:
            find(text)
        finally:
            sys.setprofile(None)
        return made

    calls(1000)
    assert calls(4000) <= 6 * calls(1000)
