"""The count, for whatever ballots there may be."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluations.counting import (
    BLANK,
    EXCELLENT,
    GRADES,
    Outcome,
    SpoiltError,
    Vote,
    breaks_cap,
    count,
    decode,
    encode,
    outcome,
    torn,
)

SUBJECTS, GROUPS = 4, 3
votes = st.builds(
    Vote,
    group=st.integers(0, GROUPS - 1),
    marks=st.tuples(*[st.integers(0, 4)] * SUBJECTS),
    paper=st.booleans(),
)


@given(st.lists(votes, max_size=60), st.randoms(use_true_random=False))
def test_a_count_is_what_counting_one_by_one_gives_in_any_order(
    cast: list[Vote], chance: random.Random
) -> None:
    counted = count(cast, SUBJECTS, GROUPS)
    chance.shuffle(cast)
    assert count(cast, SUBJECTS, GROUPS) == counted
    for subject in range(SUBJECTS):
        for group in range(GROUPS):
            said = Counter(vote.marks[subject] for vote in cast if vote.group == group)
            wanted = (*(said[mark] for mark in (1, 2, 3, 4)), said[BLANK])
            assert counted.columns[subject, group] == wanted
    for group in range(GROUPS):
        own = [vote for vote in cast if vote.group == group]
        assert counted.returned[group] == len(own)
        assert counted.papers[group] == sum(vote.paper for vote in own)
        for subject in range(SUBJECTS):
            assert sum(counted.columns[subject, group]) == counted.returned[group]


@given(st.lists(votes, max_size=60), st.randoms(use_true_random=False))
def test_tearing_ballots_changes_no_count(cast: list[Vote], chance: random.Random) -> None:
    assert count(torn(cast, chance), SUBJECTS, GROUPS) == count(cast, SUBJECTS, GROUPS)


def test_tearing_ballots_undoes_a_pattern_that_somebody_was_paid_for() -> None:
    pattern = (1, 2, 3, 4) * 5
    crowd = [Vote(0, tuple(random.Random(n).choices((1, 2, 3, 4), k=20))) for n in range(50)]
    left = [vote.marks for vote in torn([*crowd, Vote(0, pattern)], random.Random(7))]
    assert pattern not in left


@given(votes)
def test_a_ballot_survives_its_bytes_and_all_have_one_length(vote: Vote) -> None:
    raw = encode(vote)
    assert decode(raw, SUBJECTS, GROUPS) == vote
    assert len(raw) == len(encode(Vote(0, (BLANK,) * SUBJECTS)))


@given(st.binary(max_size=20))
def test_what_is_no_ballot_is_spoilt_and_never_counted_wrong(raw: bytes) -> None:
    try:
        vote = decode(raw, SUBJECTS, GROUPS)
    except SpoiltError:
        return
    assert encode(vote) == raw


@pytest.mark.parametrize(
    ("issued", "used", "ballots", "wanted"),
    [
        (10, 6, 6, Outcome.VALID),
        (10, 5, 5, Outcome.QUORUM),  # half is not more than half
        (11, 6, 6, Outcome.VALID),
        (0, 0, 0, Outcome.QUORUM),
        (10, 6, 7, Outcome.STUFFED),
        (10, 10, 11, Outcome.STUFFED),
        (10, 7, 6, Outcome.MISSING),
    ],
)
def test_a_round_is_valid_when_more_than_half_of_its_slips_came_back_each_with_one_ballot(
    issued: int, used: int, ballots: int, wanted: Outcome
) -> None:
    assert outcome(issued, used, ballots) is wanted


@pytest.mark.parametrize(("people", "most"), [(1, 1), (2, 1), (3, 1), (5, 1), (6, 2), (50, 16)])
def test_one_ballot_calls_a_third_excellent_at_most(people: int, most: int) -> None:
    places = range(1, people + 1)
    for called in range(people + 1):
        marks = [EXCELLENT] + [EXCELLENT] * called + [2] * (people - called)
        assert breaks_cap(marks, places) == (called > most)


def test_each_scale_has_four_grades_and_no_grade_is_in_both() -> None:
    every = [grade for grades in GRADES.values() for grade in grades]
    assert len(every) == len(set(every)) == 8
