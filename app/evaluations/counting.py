"""Ballots as bytes, the rules that make one valid, and the count; pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

BLANK = 0
GRADES_OF_A_SCALE = 4
_VERSION = 1
_HEAD = 4


class Scale(StrEnum):
    """Which four grades a round asks for."""

    SATISFACTION = "satisfaction"
    COMPETENCE = "competence"


class Grade(StrEnum):
    """A voter's word on a subject; none is an abstention."""

    SATISFIED = "satisfied"
    BASICALLY = "basically"
    DISSATISFIED = "dissatisfied"
    UNKNOWN = "unknown"
    EXCELLENT = "excellent"
    QUALIFIED = "qualified"
    BASIC = "basic"
    UNQUALIFIED = "unqualified"


# The two good grades first: what a rate counts.
GRADES: dict[Scale, tuple[Grade, ...]] = {
    Scale.SATISFACTION: (Grade.SATISFIED, Grade.BASICALLY, Grade.DISSATISFIED, Grade.UNKNOWN),
    Scale.COMPETENCE: (Grade.EXCELLENT, Grade.QUALIFIED, Grade.BASIC, Grade.UNQUALIFIED),
}
EXCELLENT = 1

Marks = tuple[int, ...]


class SpoiltError(ValueError):
    """Not a ballot of this round."""


@dataclass(frozen=True)
class Vote:
    """A ballot: the voter's group by its place, whether it was keyed in from paper, and for each
    subject 1 to 4 (the grade's place in its scale) or `BLANK`."""

    group: int
    marks: Marks
    paper: bool = False


def encode(vote: Vote) -> bytes:
    """A ballot in bytes: all of one round have one length, whatever stands in them."""
    return bytes([_VERSION, *vote.group.to_bytes(2, "big"), vote.paper, *vote.marks])


def decode(raw: bytes, subjects: int, groups: int) -> Vote:
    """The ballot in these bytes; raises SpoiltError for what this round can't have."""
    if len(raw) != _HEAD + subjects or raw[0] != _VERSION or raw[3] > 1:
        raise SpoiltError
    group, marks = int.from_bytes(raw[1:3], "big"), tuple(raw[_HEAD:])
    if group >= groups or any(mark > GRADES_OF_A_SCALE for mark in marks):
        raise SpoiltError
    return Vote(group, marks, bool(raw[3]))


def most_excellent(people: int) -> int:
    """How many of so many people one ballot may call excellent: a third, at least one."""
    return max(people // 3, 1)


def breaks_cap(marks: Sequence[int], people: Sequence[int]) -> bool:
    """Whether a ballot calls too many excellent; `people` are the places of the members."""
    return sum(marks[place] == EXCELLENT for place in people) > most_excellent(len(people))


# --- the count ------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """Whether a round's ballots count, and if not, why."""

    VALID = "valid"
    QUORUM = "quorum"
    STUFFED = "stuffed"
    MISSING = "missing"


def outcome(issued: int, used: int, ballots: int) -> Outcome:
    """More than half of the slips issued must have come back, with one ballot for each.

    `issued` are the slips that were not voided, `used` those of them that a vote has taken out,
    `ballots` what lies in the urn. More ballots than slips: stuffed. Fewer: somebody took some
    out, since a vote takes the slip and puts the ballot in one step.
    """
    if ballots > used:
        return Outcome.STUFFED
    if ballots < used:
        return Outcome.MISSING
    return Outcome.VALID if ballots * 2 > issued else Outcome.QUORUM


Columns = dict[tuple[int, int], tuple[int, ...]]


@dataclass(frozen=True)
class Counted:
    """What the ballots come to.

    `columns`: for (subject, group) the number of each grade, blanks last. `returned` and `papers`
    by group. `spoilt` are ballots that none could be read from.
    """

    columns: Columns
    returned: tuple[int, ...]
    papers: tuple[int, ...]
    spoilt: int = 0


def count(votes: Iterable[Vote], subjects: int, groups: int, spoilt: int = 0) -> Counted:
    """Count ballots, whatever their order."""
    tallies = Counter[tuple[int, int, int]]()
    returned, papers = [0] * groups, [0] * groups
    for vote in votes:
        returned[vote.group] += 1
        papers[vote.group] += vote.paper
        tallies.update((place, vote.group, mark) for place, mark in enumerate(vote.marks))
    columns = {
        (subject, group): (
            *(tallies[subject, group, mark] for mark in range(1, GRADES_OF_A_SCALE + 1)),
            tallies[subject, group, BLANK],
        )
        for subject in range(subjects)
        for group in range(groups)
    }
    return Counted(columns, tuple(returned), tuple(papers), spoilt)


def torn(votes: Sequence[Vote], chance: random.Random) -> list[Vote]:
    """The ballots torn into single answers and put together anew at random, group by group.

    Every count stays what it was. Threat: over fifty names a ballot's pattern is as good as a
    signature; whoever buys a vote could ask for one and look for it among the readable ballots.
    """
    made: list[Vote] = []
    for group in sorted({vote.group for vote in votes}):
        own = [vote for vote in votes if vote.group == group]
        columns = [list(column) for column in zip(*(vote.marks for vote in own), strict=True)]
        papers = [vote.paper for vote in own]
        for column in (*columns, papers):
            chance.shuffle(column)
        rows = zip(*columns, strict=True)
        made += [Vote(group, marks, paper) for marks, paper in zip(rows, papers, strict=True)]
    chance.shuffle(made)
    return made
