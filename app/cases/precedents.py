"""How recourses were decided, for groups to decide alike: no case, no branch, no speaker's word."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.cases.models import Precedent, RecourseGround, RecourseKind, RecourseOutcome
from app.errors import N_, Invalid

MAX_GIST = 300
MOST_SHOWN = 100
# A run of so many characters in both texts is a quotation.
QUOTED = 8
GROUNDS = {
    RecourseKind.APPEAL: (
        RecourseGround.OFF_THE_POINT,
        RecourseGround.FACTS,
        RecourseGround.REASON,
        RecourseGround.NOT_DONE,
        RecourseGround.DELAY,
        RecourseGround.OTHER,
    ),
    RecourseKind.BLAMED: (
        RecourseGround.NAMED,
        RecourseGround.TRACED,
        RecourseGround.PRESSED,
        RecourseGround.PENALISED,
        RecourseGround.OTHER,
    ),
}


@dataclass(frozen=True)
class Line:
    """Decisions on one ground: how many of each outcome, and their points, the newest first."""

    kind: RecourseKind
    ground: RecourseGround
    outcomes: Counter[RecourseOutcome]
    gists: tuple[tuple[RecourseOutcome, str, str], ...]


def keep(
    session: Session,
    kind: RecourseKind,
    ground: RecourseGround,
    outcome: RecourseOutcome,
    gist: str,
    quarter: str,
    said: Iterable[str],
) -> None:
    """Keep a decision. `said` are the speaker's texts: a point that quotes them is refused.

    Raises Invalid (fields `ground`, `gist`).
    """
    if ground not in GROUNDS[kind]:
        raise Invalid(N_("还没有选是哪一类，什么都没有改变。请选一类。"), field="ground")
    gist = " ".join(gist.split())
    if any(_quotes(gist, text) for text in said):
        raise Invalid(
            N_("裁定要点里有来件人的原话，别的组看到会认出人来。请换成自己的话，别的都还在。"),
            field="gist",
        )
    session.add(Precedent(kind=kind, ground=ground, outcome=outcome, gist=gist, quarter=quarter))
    session.flush()


def _quotes(gist: str, text: str) -> bool:
    mine, theirs = _folded(gist), _folded(text)
    return any(mine[start : start + QUOTED] in theirs for start in range(len(mine) - QUOTED + 1))


def _folded(text: str) -> str:
    """Letters and digits alone: a comma more makes no other words."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LN")


def by_ground(session: Session) -> tuple[Line, ...]:
    """All decisions by kind and ground, in the order of the lists; two queries."""
    columns = (Precedent.kind, Precedent.ground, Precedent.outcome)
    counts: dict[tuple[RecourseKind, RecourseGround], Counter[RecourseOutcome]] = {}
    for kind, ground, outcome, number in session.execute(
        sa.select(*columns, sa.func.count()).group_by(*columns)
    ):
        counts.setdefault((kind, ground), Counter())[outcome] += number
    gists: dict[tuple[RecourseKind, RecourseGround], list[tuple[RecourseOutcome, str, str]]] = {}
    query = sa.select(Precedent).where(Precedent.gist != "")
    query = query.order_by(Precedent.quarter.desc(), Precedent.id).limit(MOST_SHOWN)
    for row in session.scalars(query):
        gists.setdefault((row.kind, row.ground), []).append((row.outcome, row.gist, row.quarter))
    order: Sequence[tuple[RecourseKind, RecourseGround]] = [
        (kind, ground) for kind, grounds in GROUNDS.items() for ground in grounds
    ]
    return tuple(
        Line(kind, ground, counts[kind, ground], tuple(gists.get((kind, ground), ())))
        for kind, ground in order
        if (kind, ground) in counts
    )
