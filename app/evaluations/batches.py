"""Slips as the server knows them: lists brought in before the draw, slips voided, what is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Invalid
from app.evaluations import slips
from app.evaluations.models import Round, SlipBatch, SlipHash, VoterGroup
from app.evaluations.reach import GONE
from app.evaluations.rounds import State
from app.evaluations.slips import ListError, SlipList
from app.transparency import leaves, log

MOST_AT_DESK = 500
_AT_ONCE = 5000


@dataclass(frozen=True)
class Turnout:
    """Slips of one group: made (spares included), voided, used by a vote."""

    group_id: str
    name: str
    made: int = 0
    voided: int = 0
    used: int = 0

    @property
    def issued(self) -> int:
        """Slips that count: whoever held one could vote."""
        return self.made - self.voided


def read_list(raw: bytes, round_id: str) -> SlipList:
    """A list that was sent. Raises Invalid for one that is damaged or another round's."""
    try:
        read = slips.read_list(raw)
    except ListError:
        raise Invalid(
            N_("这份票签单不完整或被改过，一张也没有收下。请把原来的文件再传一次，不要打开另存。"),
            field="list",
        ) from None
    if read.round_id != round_id:
        raise Invalid(N_("这份票签单是另一轮评议的，一张也没有收下。请核对文件。"), field="list")
    return read


def add(
    session: Session,
    held: Round,
    group_id: str,
    batch: SlipList,
    today: dt.date,
    *,
    at_desk: bool = False,
) -> SlipBatch:
    """Bring in the slips of a group before the draw; count and root go into the public log.

    Raises Conflict once voting has begun: nobody adds slips to a round that runs.
    """
    if held.state is not State.FROZEN:
        raise Conflict(N_("票签要在定下来以后、开始投票以前传上来。现在不能加，什么都没有改变。"))
    if session.get_one(VoterGroup, group_id).round_id != held.id:
        raise Conflict(GONE)
    made = SlipBatch(
        round_id=held.id,
        group_id=group_id,
        count=len(batch.hashes),
        root=batch.root,
        at_desk=at_desk,
        added_on=today,
    )
    session.add(made)
    session.flush()
    for start in range(0, len(batch.hashes), _AT_ONCE):
        part = batch.hashes[start : start + _AT_ONCE]
        _refuse_known(session, part)
        rows = [{"slip_hash": hashed, "batch_id": made.id, "voided": False} for hashed in part]
        session.execute(sa.insert(SlipHash), rows)
    log.append(session, [leaves.slip_batch_leaf(held.id, made.count, made.root)])
    return made


def _refuse_known(session: Session, hashes: Sequence[bytes]) -> None:
    known = sa.select(SlipHash.slip_hash).where(SlipHash.slip_hash.in_(hashes)).limit(1)
    if session.scalar(known) is not None:
        raise Invalid(N_("这份票签单已经传过了，没有再收一遍。"), field="list")


def batches_of(session: Session, round_id: str) -> list[SlipBatch]:
    """The batches of a round, group by group."""
    query = (
        sa.select(SlipBatch)
        .join(VoterGroup, VoterGroup.id == SlipBatch.group_id)
        .where(SlipBatch.round_id == round_id)
    )
    return list(session.scalars(query.order_by(VoterGroup.position, SlipBatch.root)))


def turnout(session: Session, round_id: str) -> list[Turnout]:
    """How many slips each group was given, lost, used; two queries whatever their number."""
    made = (
        sa.select(SlipBatch.group_id, sa.func.sum(SlipBatch.count).label("made"))
        .where(SlipBatch.round_id == round_id)
        .group_by(SlipBatch.group_id)
        .subquery()
    )
    left = (
        sa.select(
            SlipBatch.group_id,
            sa.func.count().label("left"),
            sa.func.sum(sa.case((SlipHash.voided, 1), else_=0)).label("voided"),
        )
        .join(SlipHash, SlipHash.batch_id == SlipBatch.id)
        .where(SlipBatch.round_id == round_id)
        .group_by(SlipBatch.group_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(VoterGroup.id, VoterGroup.name, made.c.made, left.c.left, left.c.voided)
        .outerjoin(made, made.c.group_id == VoterGroup.id)
        .outerjoin(left, left.c.group_id == VoterGroup.id)
        .where(VoterGroup.round_id == round_id)
        .order_by(VoterGroup.position)
    )
    return [
        Turnout(id_, name, int(all_ or 0), int(voided or 0), int(all_ or 0) - int(rest or 0))
        for id_, name, all_, rest, voided in rows
    ]


# --- voided, unused -------------------------------------------------------------------------------


def void_slips(session: Session, held: Round, hashes: Iterable[bytes]) -> int:
    """Void slips that are left over, in everybody's sight; how many of these were good till now.

    Raises Conflict outside the time in which slips count.
    """
    if held.state not in (State.FROZEN, State.OPEN):
        raise Conflict(N_("现在不能再作废票签，什么都没有改变。"))
    own = sa.select(SlipBatch.id).where(SlipBatch.round_id == held.id)
    done = session.execute(
        sa.update(SlipHash)
        .where(
            SlipHash.slip_hash.in_(list(hashes)),
            SlipHash.batch_id.in_(own),
            SlipHash.voided.is_(False),
        )
        .values(voided=True)
        .returning(SlipHash.slip_hash)
    )
    return len(done.all())


def void_batch(session: Session, held: Round, batch_id: str) -> int:
    """Void every slip of a batch before the draw, e.g. when its printing failed; how many."""
    batch = session.get(SlipBatch, batch_id)
    if batch is None or batch.round_id != held.id or held.state is not State.FROZEN:
        raise Conflict(N_("现在不能作废这一批票签，什么都没有改变。"))
    done = session.execute(
        sa.update(SlipHash)
        .where(SlipHash.batch_id == batch.id, SlipHash.voided.is_(False))
        .values(voided=True)
        .returning(SlipHash.slip_hash)
    )
    return len(done.all())


def left_over(session: Session, round_id: str, *, voided: bool) -> list[bytes]:
    """The hashes of slips that were voided, or never used; sorted."""
    query = (
        sa.select(SlipHash.slip_hash)
        .join(SlipBatch, SlipBatch.id == SlipHash.batch_id)
        .where(SlipBatch.round_id == round_id, SlipHash.voided.is_(voided))
    )
    return sorted(session.scalars(query))


def announce_left_over(session: Session, held: Round) -> None:
    """At the close: what was voided and what was never used, into the public log.

    Whoever still holds an unused slip that isn't on the list has caught somebody voting for them.
    """
    unused = left_over(session, held.id, voided=False)
    voided = left_over(session, held.id, voided=True)
    log.append(
        session,
        [
            leaves.unused_slips_leaf(held.id, len(unused), slips.root_of(unused)),
            leaves.voided_slips_leaf(held.id, len(voided), slips.root_of(voided)),
        ],
    )
