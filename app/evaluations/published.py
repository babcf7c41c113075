"""A round as everybody may see it: its slips before the draw, its turnout after the close, its
figures once published; never more than suppression lets be told."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.evaluations import batches, reach, results, service, slips
from app.evaluations.batches import Turnout
from app.evaluations.counting import GRADES, Grade
from app.evaluations.models import Round, Subject, SubjectKind, Tally, VoidReason
from app.evaluations.results import Told
from app.evaluations.rounds import PUBLIC, State
from app.organisation.models import Unit
from app.suppression import Figure
from app.transparency import leaves, log

PAGE = 20


@dataclass(frozen=True)
class ShownBatch:
    """Slips as they were announced: whose, how many, the root, whether the log has it."""

    group: str
    count: int
    root: str
    at_desk: bool
    logged: bool


@dataclass(frozen=True)
class ShownPart:
    """Groups told together: slips that counted, ballots that came back, papers among them."""

    groups: tuple[str, ...]
    issued: int
    returned: int
    papers: int


@dataclass(frozen=True)
class ShownSubject:
    """A subject with what may be told of it: by part of the voters, and on the whole."""

    name: str
    kind: SubjectKind
    parts: tuple[tuple[tuple[str, ...], Figure], ...]
    whole: Figure
    verdict: str


@dataclass(frozen=True)
class ShownRound:
    """A round's public page: `returned` counts once voting is over (`is_settled`), `parts` and
    `subjects` come with the publication. `unnamed`: so many members' grades aren't published."""

    id: str
    title: str
    unit_name: str
    unit_slug: str
    state: State
    grades: tuple[Grade, ...]
    closes_on: dt.date
    on: dt.date | None
    void_reason: VoidReason | None
    void_words: str
    spoilt: int
    unnamed: int
    is_settled: bool
    batches: tuple[ShownBatch, ...] = ()
    issued: int = 0
    returned: int = 0
    voided: int = 0
    parts: tuple[ShownPart, ...] = ()
    subjects: tuple[ShownSubject, ...] = ()


def one(session: Session, round_id: str) -> ShownRound:
    """A round's page; a fixed number of queries. Raises NotFound for a draft too."""
    row = session.execute(
        sa.select(Round, Unit.name, Unit.slug)
        .join(Unit, Unit.id == Round.unit_id)
        .where(Round.id == round_id, Round.state.in_(PUBLIC))
    ).first()
    if row is None:
        raise NotFound(reach.GONE)
    held, unit_name, unit_slug = row
    subjects = service.subjects_of(session, held.id)
    unnamed = [s for s in subjects if s.kind is SubjectKind.MEMBER and not held.names_public]
    drawn = batches.turnout(session, held.id)
    settled = held.closed_on is not None
    published = held.state is State.PUBLISHED
    return ShownRound(
        id=held.id,
        title=held.title,
        unit_name=unit_name,
        unit_slug=unit_slug,
        state=held.state,
        grades=GRADES[held.scale],
        closes_on=held.closes_on,
        on=held.published_on or held.voided_on,
        void_reason=held.void_reason,
        void_words=held.void_words,
        spoilt=held.spoilt,
        unnamed=len(unnamed),
        is_settled=settled,
        batches=_batches(session, held, drawn),
        issued=sum(one.issued for one in drawn),
        returned=sum(one.used for one in drawn) if settled else 0,
        voided=sum(one.voided for one in drawn),
        parts=_parts(session, held, drawn) if published else (),
        subjects=_subjects(session, held, subjects) if published else (),
    )


def _batches(session: Session, held: Round, drawn: Sequence[Turnout]) -> tuple[ShownBatch, ...]:
    names = {one.group_id: one.name for one in drawn}
    found = batches.batches_of(session, held.id)
    leaf_of = {b.id: leaves.slip_batch_leaf(held.id, b.count, b.root) for b in found}
    in_log = log.logged(session, leaf_of.values())
    return tuple(
        ShownBatch(names[b.group_id], b.count, b.root.hex(), b.at_desk, leaf_of[b.id] in in_log)
        for b in found
    )


def _parts(session: Session, held: Round, drawn: Sequence[Turnout]) -> tuple[ShownPart, ...]:
    """Turnout by group, the small ones together just as their figures are."""
    groups = service.groups_of(session, held.id)
    told = results.told([(group.returned, 0) for group in groups])
    by_group = {one.group_id: one for one in drawn}
    return tuple(
        ShownPart(
            tuple(groups[place].name for place in places),
            sum(by_group[groups[place].id].issued for place in places),
            sum(groups[place].returned for place in places),
            sum(groups[place].papers for place in places),
        )
        for places, _ in told.parts
    )


def figures(session: Session, round_id: str, subjects: Iterable[Subject]) -> Mapping[str, Told]:
    """What may be told of these subjects of a counted round, by id; two queries."""
    order = {group.id: group.position for group in service.groups_of(session, round_id)}
    columns: dict[str, dict[int, tuple[int, ...]]] = defaultdict(dict)
    ids = [subject.id for subject in subjects]
    for tally in session.scalars(sa.select(Tally).where(Tally.subject_id.in_(ids))):
        columns[tally.subject_id][order[tally.group_id]] = tally.counts
    return {
        subject_id: results.told([found[place] for place in sorted(found)])
        for subject_id, found in columns.items()
    }


def _subjects(
    session: Session, held: Round, subjects: Sequence[Subject]
) -> tuple[ShownSubject, ...]:
    shown = [s for s in subjects if held.names_public or s.kind is not SubjectKind.MEMBER]
    names = [group.name for group in service.groups_of(session, held.id)]
    found = figures(session, held.id, shown)
    return tuple(
        ShownSubject(
            subject.name,
            subject.kind,
            tuple(
                (tuple(names[place] for place in places), figure)
                for places, figure in found[subject.id].parts
            ),
            found[subject.id].whole,
            subject.verdict,
        )
        for subject in shown
    )


# --- lists ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A round in the list of results."""

    id: str
    title: str
    unit_name: str
    state: State
    on: dt.date


def newest(
    session: Session, most: int, after: tuple[dt.date, str] | None = None, unit_id: str = ""
) -> list[Line]:
    """Rounds that came to a result or to nothing, the newest first; `after` (day, id) pages on."""
    on = sa.func.coalesce(Round.published_on, Round.voided_on)
    query = (
        sa.select(Round.id, Round.title, Unit.name, Round.state, on)
        .join(Unit, Unit.id == Round.unit_id)
        .where(Round.state.in_([State.PUBLISHED, State.VOID]))
        .order_by(on.desc(), Round.id.desc())
        .limit(most)
    )
    if unit_id:
        query = query.where(Round.unit_id == unit_id)
    if after is not None:
        day, round_id = after
        query = query.where(sa.or_(on < day, sa.and_(on == day, Round.id < round_id)))
    return [Line(*row) for row in session.execute(query)]


def slip_list(session: Session, round_id: str) -> str:
    """The slips that were voided and those never used, each as in the log's leaves.

    Before the close it is no secret which slips are out, but it would tell who votes when.
    Raises NotFound until then.
    """
    held = session.get(Round, round_id)
    if held is None or held.closed_on is None:
        raise NotFound(reach.GONE)
    lines = [f"round {held.id} salt {held.salt.hex()}"]
    for name, voided in (("unused", False), ("voided", True)):
        found = batches.left_over(session, held.id, voided=voided)
        root = slips.root_of(found).hex()
        lines += ["", f"{name} {len(found)} {root}", *(hashed.hex() for hashed in found)]
    return "\n".join(lines) + "\n"
