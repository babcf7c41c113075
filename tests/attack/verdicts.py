"""One line of the table: what was tried, the figure, the bound, whether it held."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """`held` is None for what isn't there to be attacked."""

    test: str
    figure: str
    bound: str
    held: bool | None


def zero(test: str, found: Sequence[object]) -> Verdict:
    """A count that must be nought; what was found is told."""
    told = f"{len(found)}" + (f" ({', '.join(map(str, found[:3]))})" if found else "")
    return Verdict(test, told, "0", not found)


def table(verdicts: Iterable[Verdict]) -> str:
    """All of them, aligned."""
    words = {True: "held", False: "FAILED", None: "not present"}
    rows = [("test", "figure", "bound", "verdict")]
    rows += [(v.test, v.figure, v.bound, words[v.held]) for v in verdicts]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns, the first row as their heads."""
    widths = [max(_width(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


# --- ranks --------------------------------------------------------------------------------------


def ranks(values: Sequence[float]) -> list[float]:
    """Ranks, ties shared."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for index in order[start:end]:
            found[index] = (start + end - 1) / 2
        start = end
    return found


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's rho; 0 where one side is constant."""
    a, b = ranks(one), ranks(other)
    mean = (len(a) - 1) / 2
    above = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    below = math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))
    return above / below if below else 0.0


def two_sided(z: float) -> float:
    """The probability of a normal figure at least this far out."""
    return math.erfc(abs(z) / math.sqrt(2))


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """The z of the rank sum, for large samples; positive when `one` is larger."""
    both = ranks([*one, *other])
    n, m = len(one), len(other)
    total = sum(both[:n])
    return (total - n * (n + m - 1) / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def pooled(zs: Sequence[float]) -> float:
    """Stouffer's two-sided p of several independent figures."""
    return two_sided(sum(zs) / math.sqrt(len(zs))) if zs else 1.0
