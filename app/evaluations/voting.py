"""Voting: a slip is found, its ballot is shown, a ballot takes the slip's place, in one step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Conflict, Invalid
from app.evaluations import counting, service
from app.evaluations.counting import BLANK, GRADES, Grade, Vote
from app.evaluations.models import (
    Round,
    SealedBallot,
    SealedComment,
    SlipBatch,
    SlipHash,
    Subject,
    SubjectKind,
    VoterGroup,
)
from app.evaluations.rounds import State
from app.organisation.models import Unit

MAX_COMMENT = 300
MAX_COMMENTS = 3000
# Four bytes for a character at most, the subject's place, the length.
_COMMENT_BYTES = 4 * MAX_COMMENT + 8
_SALTS = 4


class Standing(StrEnum):
    """How a slip stands. A used one and one that never was look the same: neither has a row."""

    GOOD = "good"
    UNKNOWN = "unknown"
    VOIDED = "voided"
    EARLY = "early"
    LATE = "late"


@dataclass(frozen=True)
class Paper:
    """A ballot to be filled in."""

    round_id: str
    title: str
    unit_name: str
    closes_on: dt.date
    grades: tuple[Grade, ...]
    subjects: tuple[Subject, ...]
    with_comments: bool
    most_excellent: int | None


def salts(session: Session) -> list[bytes]:
    """The salts of the newest quarters that had rounds: a slip is stretched once for each."""
    query = (
        sa.select(Round.salt)
        .where(Round.state != State.DRAFT)
        .group_by(Round.salt)
        .order_by(sa.func.max(Round.drafted_on).desc())
        .limit(_SALTS)
    )
    return list(session.scalars(query))


def standing(
    session: Session, hashes: Sequence[bytes], today: dt.date
) -> tuple[Standing, str | None, bytes]:
    """How a slip stands that has one of these hashes, its round, and which of them it was."""
    row = session.execute(
        sa.select(SlipHash, Round)
        .join(SlipBatch, SlipBatch.id == SlipHash.batch_id)
        .join(Round, Round.id == SlipBatch.round_id)
        .where(SlipHash.slip_hash.in_(list(hashes)))
        .limit(1)
    ).first()
    if row is None:
        return Standing.UNKNOWN, None, b""
    slip, held = row
    return _standing(slip, held, today), held.id, slip.slip_hash


def _standing(slip: SlipHash, held: Round, today: dt.date) -> Standing:
    if held.state not in (State.FROZEN, State.OPEN) or today > held.closes_on:
        return Standing.LATE
    if slip.voided:
        return Standing.VOIDED
    return Standing.EARLY if held.state is State.FROZEN else Standing.GOOD


def paper(session: Session, round_id: str) -> Paper:
    """The ballot of a round."""
    held, unit_name = session.execute(
        sa.select(Round, Unit.name).join(Unit, Unit.id == Round.unit_id).where(Round.id == round_id)
    ).one()
    subjects = tuple(service.subjects_of(session, round_id))
    return Paper(
        round_id=held.id,
        title=held.title,
        unit_name=unit_name,
        closes_on=held.closes_on,
        grades=GRADES[held.scale],
        subjects=subjects,
        with_comments=held.comments_box_id is not None,
        most_excellent=counting.most_excellent(len(_people(subjects))) if held.capped else None,
    )


def _people(subjects: Sequence[Subject]) -> list[int]:
    return [place for place, one in enumerate(subjects) if one.kind is SubjectKind.MEMBER]


def marks_of(paper: Paper, said: Mapping[str, str]) -> counting.Marks:
    """The marks of what was chosen, by subject id; nothing chosen is an abstention.

    Raises Invalid for a grade that this round doesn't have, and over the cap on excellent.
    """
    places = {grade.value: place for place, grade in enumerate(paper.grades, start=1)}
    chosen = [said.get(subject.id, "") for subject in paper.subjects]
    if any(grade and grade not in places for grade in chosen):
        raise Invalid(N_("有一项选得不对，还没有投出去，票签还是好的。请看看各项，再交一次。"))
    marks = tuple(places.get(grade, BLANK) for grade in chosen)
    if paper.most_excellent is not None and counting.breaks_cap(marks, _people(paper.subjects)):
        raise Invalid(
            N_(
                "“优秀”选多了：一张票最多 %(most)d 个。还没有投出去，票签还是好的，"
                "您选的都还在。请改掉几个，再交一次。"
            ),
            most=paper.most_excellent,
        )
    return marks


def vote(
    session: Session,
    round_id: str,
    slip_hash: bytes,
    marks: counting.Marks,
    comments: Mapping[int, str],
    today: dt.date,
    *,
    paper: bool = False,
) -> None:
    """Take a slip and put its ballot, both or neither; `comments` by the subject's place.

    The round is held until commit: closing waits for votes in flight, a vote that comes after
    the close finds it closed. Of two votes with one slip the second finds no slip. Raises Conflict.
    """
    held = session.scalars(
        sa.select(Round).where(Round.id == round_id).with_for_update(read=True)
    ).one_or_none()
    if held is None or held.state is not State.OPEN or today > held.closes_on:
        raise Conflict(N_("这一轮评议已经截止，这一票没有投出去。"))
    batch_id = session.scalar(
        sa.delete(SlipHash)
        .where(SlipHash.slip_hash == slip_hash, SlipHash.voided.is_(False))
        .returning(SlipHash.batch_id)
    )
    group = batch_id and session.scalar(
        sa.select(VoterGroup.position)
        .join(SlipBatch, SlipBatch.group_id == VoterGroup.id)
        .where(SlipBatch.id == batch_id, SlipBatch.round_id == held.id)
    )
    if group is None or held.public_key is None:
        raise Conflict(
            N_("这张票签已经用过或作废了，这一次没有再算。如果您刚才连按了两下，第一下已经算上了。")
        )
    raw = counting.encode(Vote(int(group), marks, paper))
    _put(session, SealedBallot, held, [raw])
    _put(session, SealedComment, held, [pack_comment(*one) for one in comments.items()])


def _put(
    session: Session, model: type[SealedBallot | SealedComment], held: Round, texts: list[bytes]
) -> None:
    if held.public_key is not None and texts:
        rows = [
            {
                "id": nacl.utils.random(16).hex(),
                "round_id": held.id,
                "sealed": crypto.seal_to(held.public_key, text),
            }
            for text in texts
        ]
        session.execute(sa.insert(model), sorted(rows, key=lambda row: str(row["id"])))


def pack_comment(place: int, text: str) -> bytes:
    """A comment and its subject's place; all have one length."""
    return crypto.pad(place.to_bytes(2, "big") + text.encode(), _COMMENT_BYTES)


def unpack_comment(raw: bytes) -> tuple[int, str]:
    """What `pack_comment` wrote. Raises SealError."""
    content = crypto.unpad(raw)
    return int.from_bytes(content[:2], "big"), content[2:].decode("utf-8", "replace")
