"""What the desk shows of a round: its slips and turnout, who counts, and what it came to."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.evaluations import batches, reach, results, service, slips, urn, voting
from app.evaluations.batches import Turnout
from app.evaluations.counting import GRADES, Grade, Scale
from app.evaluations.models import Comment, Round, Subject, SubjectKind, Tally
from app.evaluations.rounds import SETTLED
from app.evaluations.slips import Order
from app.organisation.models import Unit
from app.staff.models import Staff
from app.staff.rights import Actor
from app.suppression import Figure
from app.transparency import leaves, log

COMMENTS_A_PAGE = 50


@dataclass(frozen=True)
class DeskBatch:
    """Slips as they were brought in."""

    id: str
    group: str
    count: int
    root: str
    at_desk: bool
    logged: bool


@dataclass(frozen=True)
class DeskSubject:
    """A subject; once confirmed with its figure, and from ten ballots on with counts."""

    id: str
    name: str
    kind: SubjectKind
    verdict: str
    figure: Figure | None = None
    counts: tuple[int, ...] | None = None


@dataclass(frozen=True)
class DeskRound:
    """A round's page at the desk; `leads`, `counts`: what this person does in it."""

    held: Round
    unit_name: str
    grades: tuple[Grade, ...]
    order: str
    leads: bool
    scrutineer: bool
    scrutineers: tuple[str, ...]
    drawn: tuple[Turnout, ...]
    batches: tuple[DeskBatch, ...]
    subjects: tuple[DeskSubject, ...]
    counted_by: str
    own_count: bool
    reads_comments: bool

    @property
    def issued(self) -> int:
        """Slips that count."""
        return sum(one.issued for one in self.drawn)

    @property
    def used(self) -> int:
        """Slips that were used: the turnout."""
        return sum(one.used for one in self.drawn)


def page(session: Session, actor: Actor, held: Round, box_ids: frozenset[str]) -> DeskRound:
    """A round as this person sees it; `box_ids` are the boxes that they keep."""
    drawn = batches.turnout(session, held.id)
    subjects = service.subjects_of(session, held.id)
    counter = session.get(Staff, held.counted_by) if held.counted_by else None
    return DeskRound(
        held=held,
        unit_name=session.get_one(Unit, held.unit_id).name,
        grades=GRADES[held.scale],
        order=str(Order(held.id, held.salt)),
        leads=reach.leads(actor, held),
        scrutineer=urn.is_scrutineer(session, held.id, actor.staff_id),
        scrutineers=tuple(one.username for one in service.scrutineers_of(session, held.id)),
        drawn=tuple(drawn),
        batches=_batches(session, held, drawn),
        subjects=_subjects(session, held, subjects),
        counted_by=counter.username if counter else "",
        own_count=held.counted_by == actor.staff_id,
        reads_comments=held.state in SETTLED and held.comments_box_id in box_ids,
    )


def _batches(session: Session, held: Round, drawn: Sequence[Turnout]) -> tuple[DeskBatch, ...]:
    names = {one.group_id: one.name for one in drawn}
    found = batches.batches_of(session, held.id)
    leaf_of = {b.id: leaves.slip_batch_leaf(held.id, b.count, b.root) for b in found}
    in_log = log.logged(session, leaf_of.values())
    return tuple(
        DeskBatch(
            b.id, names[b.group_id], b.count, b.root.hex(), b.at_desk, leaf_of[b.id] in in_log
        )
        for b in found
    )


def _subjects(
    session: Session, held: Round, subjects: Sequence[Subject]
) -> tuple[DeskSubject, ...]:
    if held.state not in SETTLED:
        return tuple(DeskSubject(s.id, s.name, s.kind, s.verdict) for s in subjects)
    ids = [subject.id for subject in subjects]
    columns: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for tally in session.scalars(sa.select(Tally).where(Tally.subject_id.in_(ids))):
        columns[tally.subject_id].append(tally.counts)
    return tuple(
        DeskSubject(
            s.id,
            s.name,
            s.kind,
            s.verdict,
            results.told(columns[s.id]).whole,
            results.for_committee(columns[s.id]),
        )
        for s in subjects
    )


@dataclass(frozen=True)
class ReadComment:
    """A comment as the committee reads it."""

    id: str
    subject: str
    text: str = field(repr=False)


def comments(
    session: Session, held: Round, keys: Mapping[str, bytes], after: str, most: int
) -> list[ReadComment]:
    """The comments of a settled round that these box keys open, in the order of random ids."""
    if held.state not in SETTLED:
        return []
    rows = session.execute(
        sa.select(Comment, Subject.name)
        .join(Subject, Subject.id == Comment.subject_id)
        .where(Subject.round_id == held.id, Comment.box_key_id.in_(list(keys)), Comment.id > after)
        .order_by(Comment.id)
        .limit(most)
    )
    return [
        ReadComment(
            one.id,
            name,
            voting.unpack_comment(crypto.unseal(keys[one.box_key_id], one.sealed))[1],
        )
        for one, name in rows
    ]


def filled(
    session: Session, unit: Unit, held: Round | None, usual_end: dt.date
) -> dict[str, object]:
    """What the form of a draft begins with: a branch and its committee, two usual groups."""
    if held is None:
        return {
            "title": "",
            "scale": Scale.SATISFACTION,
            "closes_on": usual_end.isoformat(),
            "ask": ["branch", "committee"],
            "stage": "",
            "member": [],
            "groups": "党员\n群众",
            "scrutineer": [],
            "capped": False,
            "comments": unit.box is not None,
            "names_public": False,
        }
    subjects = service.subjects_of(session, held.id)
    stages = [s.name for s in subjects if s.kind is SubjectKind.STAGE]
    return {
        "title": held.title,
        "scale": held.scale,
        "closes_on": held.closes_on.isoformat(),
        "ask": [s.kind.value for s in subjects],
        "stage": stages[0] if stages else "",
        "member": [s.member_id for s in subjects if s.member_id],
        "groups": "\n".join(group.name for group in service.groups_of(session, held.id)),
        "scrutineer": [staff.id for staff in service.scrutineers_of(session, held.id)],
        "capped": held.capped,
        "comments": held.comments_box_id is not None,
        "names_public": held.names_public,
    }


def at_desk_list(held: Round, codes: Sequence[str]) -> slips.SlipList:
    """The list of slips that the server makes itself."""
    hashes = tuple(sorted(crypto.slip_hash(code, held.salt) for code in codes))
    return slips.SlipList(held.id, hashes, slips.root_of(hashes))
