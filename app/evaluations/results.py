"""What rounds came to: for the committee's eyes as counts, for everybody as far as may be told."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import suppression
from app.evaluations.counting import GRADES, Grade
from app.evaluations.models import Round, Subject, SubjectKind, Tally, VoterGroup
from app.evaluations.rounds import SETTLED
from app.suppression import Figure


@dataclass(frozen=True)
class MemberResult:
    """What a confirmed round said of one member.

    `counts` are the ballots for each of `grades`, blanks last, all groups together: for the
    committee's desk and for nowhere else. Below ten ballots it is None, for the committee too: five
    who agree would all be known. What anybody else may be told, the member included, is `figure`;
    below ten that is nothing but the number of ballots (`figure.n`) and the committee's `verdict`.
    """

    round_id: str
    title: str
    confirmed_on: dt.date
    grades: tuple[Grade, ...]
    counts: tuple[int, ...] | None
    figure: Figure
    verdict: str

    @property
    def returned(self) -> int:
        """How many ballots came back."""
        return self.figure.n


def of_member(session: Session, member_id: str) -> tuple[MemberResult, ...]:
    """The confirmed rounds in which a member was graded, the newest first; one query."""
    query = (
        sa.select(Subject.verdict, Round, Tally)
        .join(Round, Round.id == Subject.round_id)
        .join(Tally, Tally.subject_id == Subject.id)
        .join(VoterGroup, VoterGroup.id == Tally.group_id)
        .where(
            Subject.kind == SubjectKind.MEMBER,
            Subject.member_id == member_id,
            Round.state.in_(SETTLED),
        )
        .order_by(Round.confirmed_on.desc(), Round.id, VoterGroup.position)
    )
    found: dict[str, tuple[Round, str]] = {}
    counts: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for verdict, held, tally in session.execute(query):
        found[held.id] = (held, verdict)
        counts[held.id].append(tally.counts)
    return tuple(
        MemberResult(
            round_id=held.id,
            title=held.title,
            confirmed_on=held.confirmed_on,
            grades=GRADES[held.scale],
            counts=for_committee(counts[held.id]),
            figure=told(counts[held.id]).whole,
            verdict=verdict,
        )
        for held, verdict in found.values()
        if held.confirmed_on is not None
    )


def for_committee(groups: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    """The counts of all groups together, from ten ballots on."""
    counts = tuple(sum(column) for column in zip(*groups, strict=True))
    return counts if sum(counts) >= suppression.FEWEST else None


# --- what may be told -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What may be told of one subject: the places of the groups told together, each with its
    figure; and the whole, which tells nothing that its parts don't."""

    parts: tuple[tuple[tuple[int, ...], Figure], ...]
    whole: Figure


def told(groups: Sequence[Sequence[int]]) -> Told:
    """What may be told of the counts of each group of voters; pure."""
    parts = tuple(
        (part.groups, suppression.figure(part.counts)) for part in suppression.merge(groups)
    )
    return Told(parts, suppression.total([figure for _, figure in parts]))
