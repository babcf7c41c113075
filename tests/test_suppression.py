"""What may be told of counts of people: tried over every count vector, from the reader's side."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import pytest

from app import suppression
from app.suppression import FEWEST


def vectors(n: int, grades: int) -> Iterator[tuple[int, ...]]:
    """All ways in which n ballots can fall on so many grades."""
    if grades == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in vectors(n - first, grades - 1):
            yield (first, *rest)


def test_below_ten_nothing_is_told_and_from_ten_something_is() -> None:
    for n in range(1, FEWEST):
        assert {suppression.figure(v) for v in vectors(n, 3)} == {suppression.Figure(n)}
    assert suppression.figure((10, 0, 0)).band == (80, 100)


def test_every_band_fits_two_counts_of_satisfied_people() -> None:
    for n in range(FEWEST, 300):
        told = defaultdict(set)
        for good in range(n + 1):
            told[suppression.figure((good, 0, n - good)).band].add(good)
        assert all(len(counts) > 1 for counts in told.values()), n


def test_a_band_holds_the_rate_that_it_tells() -> None:
    for n in range(FEWEST, 300):
        for good in range(n + 1):
            low, high = suppression.figure((good, 0, n - good)).band or (0, 0)
            assert low * n <= good * 100 <= high * n
            assert good * 100 < high * n or high == 100


@pytest.mark.parametrize("n", [300, 301, 333, 350])
def test_all_grades_in_whole_percents_fit_two_counts_of_each_grade(n: int) -> None:
    fits: dict[tuple[int, ...], list[set[int]]] = {}
    for counts in vectors(n, 3):
        told = suppression.figure(counts)
        assert told.shares is not None
        assert sum(told.shares) == told.per == 100
        fitting = fits.setdefault(told.shares, [set(), set(), set()])
        for seen, count in zip(fitting, counts, strict=True):
            seen.add(count)
    assert all(len(seen) > 1 for fitting in fits.values() for seen in fitting)


@pytest.mark.parametrize("n", [3000, 3001, 5000])
def test_tenths_from_three_thousand_fit_two_counts(n: int) -> None:
    fits = defaultdict(set)
    for good in range(n + 1):
        told = suppression.figure((good, 0, n - good))
        assert told.per == 1000
        fits[told.shares].add(good)
    assert all(len(counts) > 1 for counts in fits.values())


def test_no_group_under_ten_is_told_alone_nor_several_that_are_under_ten_together() -> None:
    for sizes in itertools.product(range(15), repeat=4):
        parts = suppression.merge([(size, 0) for size in sizes])
        assert sorted(i for part in parts for i in part.groups) == [0, 1, 2, 3]
        for part in parts:
            assert part.n == sum(sizes[i] for i in part.groups)
            assert part.n >= FEWEST or len(parts) == 1
            assert len(part.groups) > 1 or part.n >= FEWEST


@pytest.mark.parametrize(("groups", "most"), [(2, 60), (3, 45), (4, 40)])
def test_a_hidden_sibling_cannot_be_reckoned_from_the_sum_and_the_others(
    groups: int, most: int
) -> None:
    """A reader knows the sum, the shown counts and the rule; every hidden one could be another."""
    for total in range(1, most):
        readers: dict[tuple[int | None, ...], list[tuple[int, ...]]] = {}
        for counts in vectors(total, groups):
            hidden = suppression.suppressed(counts)
            shown = tuple(None if i in hidden else n for i, n in enumerate(counts))
            readers.setdefault(shown, []).append(counts)
        for shown, fitting in readers.items():
            for i, told in enumerate(shown):
                assert told is not None or len({counts[i] for counts in fitting}) > 1, shown


def test_what_is_hidden_is_ten_people_or_everybody() -> None:
    for counts in itertools.product(range(14), repeat=3):
        hidden = suppression.suppressed(counts)
        assert all(i in hidden for i, count in enumerate(counts) if count < FEWEST)
        together = sum(counts[i] for i in hidden)
        assert not hidden or together >= FEWEST or len(hidden) == len(counts)
