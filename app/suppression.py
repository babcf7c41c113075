"""Which counts of people may be published, and how coarsely; pure.

Ballots, ratings and groups of speakers only: what the desk received and answered stays exact. The
number of ballots that came back is public, so a figure must leave at least two counts possible for
everything it tells; `tests/test_suppression.py` tries every count vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 10
_BANDS = (0, 60, 80, 100)
_TENS = (0, 20, 30, 40, 50, 60, 70, 80, 90, 100)
_FIVES = (0, *range(10, 100, 5), 100)


@dataclass(frozen=True)
class Figure:
    """What may be told of `n` ballots.

    `band`: the rate of the first two grades in percent, from (inclusive) and to (exclusive; 100
    includes 100). `shares`: each grade's share, in parts of `per`. Below ten ballots neither.
    """

    n: int
    band: tuple[int, int] | None = None
    shares: tuple[int, ...] | None = None
    per: int = 100


@dataclass(frozen=True)
class Part:
    """Groups that are told together: their places in the list given, and their summed counts."""

    groups: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many ballots."""
        return sum(self.counts)


def figure(counts: Sequence[int]) -> Figure:
    """The figure of one question: `counts` by grade, the two good grades first, blanks last.

    n < 10: none. 10 to 19: three bands (below 60, 60 to 80, 80 and more). 20 to 49: steps of ten,
    below 20 and from 90 merged. 50 to 299: steps of five, below 10 and from 95 merged. From 300
    all grades in whole percent, from 3,000 in tenths.
    """
    n = sum(counts)
    if n < FEWEST:
        return Figure(n)
    if n >= 300:
        per = 100 if n < 3000 else 1000
        return Figure(n, shares=shares(counts, per), per=per)
    edges = _BANDS if n < 20 else _TENS if n < 50 else _FIVES
    good = counts[0] + counts[1]
    low = max(i for i, edge in enumerate(edges[:-1]) if good * 100 >= edge * n)
    return Figure(n, band=(edges[low], edges[low + 1]))


def shares(counts: Sequence[int], per: int) -> tuple[int, ...]:
    """Shares in parts of `per` that add up to `per` exactly (largest remainders).

    Rounding each share for itself would sometimes give the counts away: of 300 ballots, 34 + 34 +
    34 percent can only be 101 + 101 + 98 or the like, and some sums fit a single vector.
    """
    n = sum(counts)
    floors = [count * per // n for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda i: (-(counts[i] * per % n), i))
    for i in by_remainder[: per - sum(floors)]:
        floors[i] += 1
    return tuple(floors)


def merge(groups: Sequence[Sequence[int]]) -> tuple[Part, ...]:
    """Groups of voters as they may be told: those under ten are told together.

    One alone, or several that are still under ten together, take in the next smallest: else a
    total less the others would tell them. The parts come in the order of their first group.
    """
    order = sorted(range(len(groups)), key=lambda i: (sum(groups[i]), i))
    together: list[int] = []
    while order and sum(groups[order[0]]) < FEWEST:
        together.append(order.pop(0))
    while order and together and (len(together) == 1 or _size(groups, together) < FEWEST):
        together.append(order.pop(0))
    sets = ([sorted(together)] if together else []) + [[i] for i in order]
    return tuple(
        Part(
            tuple(places),
            tuple(sum(column) for column in zip(*(groups[i] for i in places), strict=True)),
        )
        for places in sorted(sets)
    )


def _size(groups: Sequence[Sequence[int]], places: Sequence[int]) -> int:
    return sum(sum(groups[i]) for i in places)


def total(parts: Sequence[Figure]) -> Figure:
    """The whole, told by nothing but what its parts already told: as wide a band as they leave.

    A rate of its own, beside the parts', could be met by a single count of each of them.
    """
    if len(parts) == 1:
        return parts[0]
    n = sum(part.n for part in parts)
    if n == 0 or any(part.band is None and part.shares is None for part in parts):
        return Figure(n)
    bands = [_band(part) for part in parts]
    low = sum(part.n * band[0] for part, band in zip(parts, bands, strict=True)) // n
    high = -(-sum(part.n * band[1] for part, band in zip(parts, bands, strict=True)) // n)
    return Figure(n, band=(low, min(high, 100)))


def _band(part: Figure) -> tuple[int, int]:
    if part.band is not None:
        return part.band
    good = sum((part.shares or ())[:2]) * 100
    return max(good // part.per - 1, 0), min(-(-good // part.per) + 1, 100)


def suppressed(counts: Sequence[int]) -> frozenset[int]:
    """Which of these siblings (each a number of people, their sum public) may not be told.

    Those under ten. While the sum less the others would still tell them, or that hardly anybody was
    there, the next in the order given too: were it the next smallest, a reader who knows this rule
    would know a bound of it, and of nine, ten and ten the nine.
    """
    hidden = [i for i, count in enumerate(counts) if count < FEWEST]
    others = [i for i, count in enumerate(counts) if count >= FEWEST]
    while hidden and others and _betrayed([counts[i] for i in hidden]):
        hidden.append(others.pop(0))
    return frozenset(hidden)


def _betrayed(hidden: Sequence[int]) -> bool:
    """Whether their sum tells them: of one; of none and ten; of nine each; of a handful."""
    nine_each = all(count == FEWEST - 1 for count in hidden)
    return len(hidden) == 1 or sum(hidden) <= FEWEST or nine_each
