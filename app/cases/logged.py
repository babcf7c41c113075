"""The public log beside the cases: what a receipt or a promise proves; whether figures agree."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.cases import thread
from app.cases.models import Case, CaseEvent
from app.cases.workflow import Move
from app.crypto import ReceiptKeys
from app.submissions.service import Pen
from app.transparency import leaves, log
from app.transparency.log import Promise, Standing
from app.transparency.models import LogLeaf, PendingLeaf
from app.transparency.replay import Fault

_BATCH = 1000
_OUTCOMES = {
    Move.DECLINE: "declined",
    Move.APPROVE: "answered",
    Move.REMOVE: "removed",
    Move.UPHOLD: "upheld",
    Move.OVERTURN: "overturned",
}


@dataclass(frozen=True)
class Verdict:
    """What a code, a promise, or both together prove.

    `outcomes` are the decisions that the log tells. `gone`: the promise is good, but the code opens
    nothing. `apart`: code and promise belong to two different receipts; the promise was judged.
    """

    standing: Standing
    by: dt.date | None = None
    outcomes: tuple[str, ...] = ()
    gone: bool = False
    apart: bool = False


def verify(
    session: Session, pen: Pen, keys: ReceiptKeys | None, promise: Promise | None
) -> Verdict:
    """Judge by the promise where there is one: it needs no row of ours to accuse."""
    page = thread.open_thread(session, pen, keys) if keys else None
    if promise is not None:
        found = log.logged(session, [crypto.drop_leaf(promise.commitment)])
        return Verdict(
            standing=log.standing(in_log=bool(found), by=promise.by, today=pen.today),
            by=promise.by,
            outcomes=log.outcomes(session, promise.commitment),
            gone=keys is not None and page is None,
            apart=page is not None and page.commitment != promise.commitment,
        )
    if page is not None:
        outcomes = log.outcomes(session, page.commitment)
        return Verdict(page.standing, page.promised_by, outcomes)
    return Verdict(Standing.UNKNOWN)


# --- figures ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Received opinions as the cases count them; `taken_back` have a leaf and no case.

    `answered`, `declined`: how many opinions the log says that of, those that merely followed
    another one left out: what published figures must come to.
    """

    cases: int
    taken_back: int
    answered: int
    declined: int


def check_figures(session: Session, counts: leaves.Counts) -> Figures:
    """Hold cases and their decisions against the log, what is still pending included.

    Raises Fault when a case has no leaf (it was slipped in), a decision has no leaf, or a leaf of a
    decision has no case (an opinion was deleted after it was decided). A drop that was taken back
    before its opening leaves a leaf and no case; one deleted by hand then looks the same from here,
    and is found by its promise alone.
    """
    waiting = set(session.scalars(sa.select(PendingLeaf.leaf)))
    told = _told(session, waiting)
    decided = _decided(session)
    merged = _merged(session)
    cases = 0
    outcomes: Counter[str] = Counter()
    for batch in _cases(session):
        drops = {crypto.drop_leaf(commitment) for commitment in batch}
        missing = drops - waiting - log.logged(session, drops)
        if missing:
            raise Fault(f"{len(missing)} cases have no leaf in the log: they were slipped in")
        for commitment in batch:
            own, said = decided.get(commitment, set()), told.pop(commitment, set())
            _check_decisions(said, own, merged=commitment in merged)
            outcomes.update(said & own)
        cases += len(batch)
    if told:
        raise Fault(f"the log has decisions on {len(told)} opinions that are gone from the cases")
    pending = sum(leaf.startswith(leaves.DROP) for leaf in waiting)
    return Figures(
        cases, counts.drops + pending - cases, outcomes["answered"], outcomes["declined"]
    )


def _check_decisions(told: set[str], decided: set[str], *, merged: bool) -> None:
    if decided - told:
        raise Fault(f"a case was {', '.join(sorted(decided - told))}, but the log doesn't say so")
    # An opinion that was once merged is told what the one it followed was told.
    if told - decided and not merged:
        raise Fault(f"the log says {', '.join(sorted(told - decided))} of a case that wasn't")


def _merged(session: Session) -> set[bytes]:
    query = sa.select(Case.commitment).join(CaseEvent, CaseEvent.case_id == Case.id)
    return set(session.scalars(query.where(CaseEvent.move == Move.MERGE)))


def _cases(session: Session) -> Iterator[list[bytes]]:
    query = sa.select(Case.id, Case.commitment).order_by(Case.id).limit(_BATCH)
    after = ""
    while rows := session.execute(query.where(Case.id > after)).all():
        yield [row.commitment for row in rows]
        after = rows[-1].id


def _decision_leaves(session: Session) -> Iterator[bytes]:
    query = sa.select(LogLeaf.leaf).order_by(LogLeaf.leaf).limit(_BATCH)
    after, end = leaves.DECISION, leaves.DECISION + b"\xff" * 64
    while found := list(session.scalars(query.where(LogLeaf.leaf > after, LogLeaf.leaf < end))):
        yield from found
        after = found[-1]


def _told(session: Session, waiting: set[bytes]) -> dict[bytes, set[str]]:
    """The outcomes that leaves tell, by commitment."""
    found: dict[bytes, set[str]] = {}
    for leaf in chain(_decision_leaves(session), waiting):
        if outcome := leaves.outcome_of(leaf):
            found.setdefault(leaf[2:34], set()).add(outcome)
    return found


def _decided(session: Session) -> dict[bytes, set[str]]:
    """The outcomes that events tell, by commitment."""
    query = (
        sa.select(Case.commitment, CaseEvent.move)
        .join(CaseEvent, CaseEvent.case_id == Case.id)
        .where(CaseEvent.move.in_(list(_OUTCOMES)))
    )
    found: dict[bytes, set[str]] = {}
    for commitment, move in session.execute(query):
        found.setdefault(commitment, set()).add(_OUTCOMES[move])
    return found
