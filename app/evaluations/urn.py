"""The urn: closed by one scrutineer, opened and counted by another, counted anew by a second."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Conflict, Forbidden
from app.evaluations import batches, counting, service, voting
from app.evaluations.counting import Counted, Outcome, SpoiltError, Vote
from app.evaluations.models import (
    Ballot,
    Comment,
    KeyHalf,
    Round,
    Scrutineer,
    SealedBallot,
    SealedComment,
    Tally,
    VoidReason,
)
from app.evaluations.rounds import Move, State
from app.staff.models import PersonalKey

_AT_ONCE = 5000
_CHANCE = random.SystemRandom()
_NOT_YOURS = N_("这一步由这一轮的监票人来做，什么都没有改变。")


@dataclass(frozen=True)
class Hands:
    """A person at the desk with their personal key, unlocked for this request."""

    staff_id: str
    personal_key_id: str
    private_key: bytes = field(repr=False)


def is_scrutineer(session: Session, round_id: str, staff_id: str) -> bool:
    """Whether a person was named to open this round's urn."""
    return session.get(Scrutineer, (round_id, staff_id)) is not None


def _require_scrutineer(session: Session, held: Round, hands: Hands) -> None:
    if not is_scrutineer(session, held.id, hands.staff_id):
        raise Forbidden(_NOT_YOURS)


# --- closing --------------------------------------------------------------------------------------


def close(session: Session, hands: Hands, held: Round, today: dt.date) -> None:
    """End the voting: no vote counts from here on, and the other scrutineers may open the urn.

    This one's halves are sealed to their partners: it takes two people to open. What slips are
    left goes into the log. `held` is locked, so votes in flight are in. Raises Forbidden.
    """
    _require_scrutineer(session, held, hands)
    own = session.scalars(
        sa.select(KeyHalf).where(
            KeyHalf.round_id == held.id, KeyHalf.holder_id == hands.personal_key_id
        )
    ).all()
    if not own:
        raise Forbidden(
            N_("您换过账号的钥匙，手里没有这一轮的那一半了。请另一位监票人来截止，什么都没有改变。")
        )
    service.move(held, Move.CLOSE)
    held.closed_on = today
    for half in own:
        partner = session.get_one(PersonalKey, half.partner_id)
        opened = crypto.unseal(hands.private_key, half.sealed_half)
        theirs = session.get_one(KeyHalf, (held.id, partner.id, hands.personal_key_id))
        theirs.handed = crypto.seal_to(partner.public_key, opened)
    batches.announce_left_over(session, held)
    session.flush()


# --- counting -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """What came out of the urn; `comments` as (place of the subject, text)."""

    votes: Sequence[Vote] = field(repr=False)
    spoilt: int
    comments: Sequence[tuple[int, str]] = field(repr=False)

    @property
    def ballots(self) -> int:
        """How many ballots lay in the urn."""
        return len(self.votes) + self.spoilt


def open_urn(
    session: Session,
    hands: Hands,
    held: Round,
    progress: Callable[[int], None] = lambda _count: None,
) -> Opened:
    """Decrypt what lies in a closed urn; reads only. Raises Forbidden, Conflict."""
    _require_scrutineer(session, held, hands)
    if held.state is not State.CLOSED:
        raise Conflict(N_("这一轮现在不用开票。什么都没有改变，请刷新后再看。"))
    private_key = _private_key(session, hands, held)
    subjects = len(service.subjects_of(session, held.id))
    groups = len(service.groups_of(session, held.id))
    votes, spoilt = [], 0
    for number, raw in enumerate(_unsealed(session, SealedBallot, held.id, private_key)):
        try:
            votes.append(counting.decode(raw or b"", subjects, groups))
        except SpoiltError:
            spoilt += 1
        if number % _AT_ONCE == 0:
            progress(number)
    comments = [
        voting.unpack_comment(raw)
        for raw in _unsealed(session, SealedComment, held.id, private_key)
        if raw is not None
    ]
    return Opened(votes, spoilt, comments)


def _private_key(session: Session, hands: Hands, held: Round) -> bytes:
    half = session.scalars(
        sa.select(KeyHalf)
        .where(
            KeyHalf.round_id == held.id,
            KeyHalf.holder_id == hands.personal_key_id,
            KeyHalf.handed.is_not(None),
        )
        .limit(1)
    ).first()
    if half is None or half.handed is None:
        raise Forbidden(N_("开票要两个人：截止是您做的，请另一位监票人来开票。什么都没有改变。"))
    return crypto.joined_key(
        crypto.unseal(hands.private_key, half.sealed_half),
        crypto.unseal(hands.private_key, half.handed),
    )


def _unsealed(
    session: Session,
    model: type[SealedBallot | SealedComment],
    round_id: str,
    private_key: bytes,
) -> Iterable[bytes | None]:
    query = sa.select(model.sealed).where(model.round_id == round_id)
    rows = session.scalars(query.execution_options(yield_per=_AT_ONCE))
    return crypto.unseal_each(private_key, rows)


def count(session: Session, hands: Hands, held: Round, opened: Opened, today: dt.date) -> Outcome:
    """Count what came out of the urn, write it anew in no order, destroy the urn and its key.

    A round that failed (quorum, more or fewer ballots than slips used) is void, and nothing of
    its ballots is kept. `held` is locked. Raises Forbidden, Conflict.
    """
    _require_scrutineer(session, held, hands)
    drawn = batches.turnout(session, held.id)
    issued, used = sum(one.issued for one in drawn), sum(one.used for one in drawn)
    outcome = counting.outcome(issued, used, opened.ballots)
    if outcome is not Outcome.VALID:
        service.move(held, Move.FAIL)
        service.end_void(session, held, VoidReason(outcome.value), today)
        return outcome
    service.move(held, Move.COUNT)
    held.counted_by, held.counted_on, held.spoilt = hands.staff_id, today, opened.spoilt
    _write_ballots(session, held, opened.votes)
    _write_tally(session, held, _recounted(session, held))
    _write_comments(session, held, opened.comments)
    service.destroy_urn(session, held)
    return outcome


def _insert(session: Session, model: type[Ballot | Comment], rows: list[dict[str, object]]) -> None:
    rows.sort(key=lambda row: str(row["id"]))
    for start in range(0, len(rows), _AT_ONCE):
        session.execute(sa.insert(model), rows[start : start + _AT_ONCE])


def _write_ballots(session: Session, held: Round, votes: Sequence[Vote]) -> None:
    rows: list[dict[str, object]] = [
        {"id": nacl.utils.random(16).hex(), "round_id": held.id, "marks": counting.encode(vote)}
        for vote in counting.torn(votes, _CHANCE)
    ]
    _insert(session, Ballot, rows)


def _write_comments(session: Session, held: Round, comments: Sequence[tuple[int, str]]) -> None:
    """Comments to the committee's box, each apart, in no order."""
    if held.comments_box_id is None or not comments:
        return
    key = service.box_key(session, held.comments_box_id)
    if key is None:
        raise RuntimeError("a box that was kept has no key")
    subjects = service.subjects_of(session, held.id)
    rows: list[dict[str, object]] = [
        {
            "id": nacl.utils.random(16).hex(),
            "subject_id": subjects[place].id,
            "box_key_id": key.id,
            "sealed": crypto.seal_to(key.public_key, voting.pack_comment(place, text)),
        }
        for place, text in comments
        if place < len(subjects)
    ]
    _insert(session, Comment, rows)


def _recounted(session: Session, held: Round) -> Counted:
    """The count of the ballots as they lie there, readable."""
    subjects = len(service.subjects_of(session, held.id))
    groups = len(service.groups_of(session, held.id))
    rows = session.scalars(sa.select(Ballot.marks).where(Ballot.round_id == held.id))
    return counting.count(
        (counting.decode(raw, subjects, groups) for raw in rows), subjects, groups, held.spoilt
    )


def _write_tally(session: Session, held: Round, counted: Counted) -> None:
    subjects = service.subjects_of(session, held.id)
    groups = service.groups_of(session, held.id)
    for place, group in enumerate(groups):
        group.returned, group.papers = counted.returned[place], counted.papers[place]
    names = ("first", "second", "third", "fourth", "blank")
    rows = [
        {
            "subject_id": subjects[subject].id,
            "group_id": groups[group].id,
            **dict(zip(names, column, strict=True)),
        }
        for (subject, group), column in counted.columns.items()
    ]
    session.execute(sa.insert(Tally), rows)


# --- confirming -----------------------------------------------------------------------------------


def confirm(session: Session, hands: Hands, held: Round, today: dt.date) -> bool:
    """Count the ballots anew and confirm the tally, by another scrutineer than who counted.

    Ballots or figures that were touched since the count make the round void: False. Raises
    Forbidden, Conflict.
    """
    _require_scrutineer(session, held, hands)
    if held.counted_by == hands.staff_id:
        raise Forbidden(N_("核对要由另一位监票人来做：票是您点的。什么都没有改变。"))
    if held.state is not State.COUNTED:
        service.move(held, Move.CONFIRM)  # raises, in the table's own words
    if not _agrees(session, held):
        service.move(held, Move.FAIL)
        service.end_void(session, held, VoidReason.ALTERED, today)
        return False
    service.move(held, Move.CONFIRM)
    held.confirmed_by, held.confirmed_on = hands.staff_id, today
    session.flush()
    return True


def _agrees(session: Session, held: Round) -> bool:
    """Whether the readable ballots come to what the tally and the slips used say."""
    try:
        counted = _recounted(session, held)
    except SpoiltError:
        return False
    drawn = batches.turnout(session, held.id)
    groups = service.groups_of(session, held.id)
    subjects = service.subjects_of(session, held.id)
    written: dict[tuple[str, str], tuple[int, ...]] = defaultdict(tuple)
    ids = [subject.id for subject in subjects]
    for tally in session.scalars(sa.select(Tally).where(Tally.subject_id.in_(ids))):
        written[tally.subject_id, tally.group_id] = tally.counts
    same_columns = all(
        written[subjects[subject].id, groups[group].id] == column
        for (subject, group), column in counted.columns.items()
    )
    same_returned = counted.returned == tuple(group.returned for group in groups)
    used = sum(one.used for one in drawn)
    return same_columns and same_returned and sum(counted.returned) + held.spoilt == used
