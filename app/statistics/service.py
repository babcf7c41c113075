"""The figures of the county, a unit or a branch: the same few queries however many branches.

Counts of work (received, answered, declined) are exact. Ratings and groups of speakers are told by
whole quarters that are over, by unit and never finer, the county by what its units told alone:
nothing can be reckoned from a total less the others, nor from today's figure less yesterday's.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import suppression
from app.cases.models import Answer, Case, CaseEvent, Channel, QuarterTally
from app.cases.workflow import Move
from app.clock import quarter_of
from app.errors import N_, NotFound
from app.organisation.models import Box, Unit, UnitKind
from app.sealing import service as sealing
from app.statistics import tally
from app.statistics.periods import Period
from app.statistics.tally import Cases, Tally
from app.submissions.models import SpeakerTally
from app.suppression import Figure

MOST_MONTHS = 12


@dataclass(frozen=True)
class Place:
    """The county, a unit or a branch."""

    id: str
    slug: str
    name: str
    kind: UnitKind
    parent_id: str | None
    box_id: str | None
    closed: bool


@dataclass(frozen=True)
class Line:
    """A place below the chosen one with what its cases came to."""

    slug: str
    name: str
    tally: Tally


@dataclass(frozen=True)
class Rated:
    """The ratings of a quarter: of so many answers so many were rated; `figure` as it may be told.

    `together`: told with units that had too few for themselves. `seen`: ratings under codes that a
    member of staff had seen, counted apart and in no figure.
    """

    quarter: str
    answers: int
    rated: int
    figure: Figure
    together: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Spoke:
    """Who spoke in a quarter, by group; None where too few did."""

    quarter: str
    groups: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Coverage:
    """Branches: how many there are, have an open box, were spoken to, have published an answer."""

    branches: int
    open: int
    spoken_to: int
    answering: int


@dataclass(frozen=True)
class Figures:
    """Everything that a page of figures tells."""

    place: Place | None
    period: Period | None
    today: dt.date
    whole: Tally
    months: tuple[tuple[str, Tally], ...]
    below: tuple[Line, ...]
    coverage: Coverage
    channels: tuple[tuple[Channel, int], ...] = ()
    rated: tuple[Rated, ...] = ()
    spoke: tuple[Spoke, ...] = ()
    path: tuple[Place, ...] = field(default=())


def figures(
    session: Session, today: dt.date, *, slug: str = "", period: Period | None = None
) -> Figures:
    """The figures of a place (`slug`; empty: the county), of opinions opened in a period or ever.

    Raises NotFound.
    """
    places = _places(session)
    top = _top(places, slug)
    keys, boxes = _keys(places, top)
    rows = _rows(session, boxes if top else None, period)
    below, by_month = tally.gather(rows, today, keys)
    lines = (
        Line(places[i].slug, places[i].name, below.get(i, Tally())) for i in _shown(places, top)
    )
    whole = tally.total(by_month.values())
    return Figures(
        place=top,
        period=period,
        today=today,
        whole=whole,
        months=tuple(sorted(by_month.items()))[-MOST_MONTHS:],
        below=tuple(sorted(lines, key=lambda line: line.name)) if _has_below(top) else (),
        coverage=_coverage(session, places, boxes, rows),
        channels=_channels(session, boxes if top else None, period),
        rated=() if period else _rated(session, places, top, today),
        spoke=() if period or top else _spoke(session, today),
        path=_path(places, top),
    )


def whole(session: Session, today: dt.date, *, slug: str = "") -> Tally:
    """What all cases of a place come to, and nothing else of its figures. Raises NotFound.

    The county's is what `verify-log` holds against the log.
    """
    places = _places(session)
    top = _top(places, slug)
    keys, boxes = _keys(places, top)
    _, by_month = tally.gather(_rows(session, boxes if top else None, None), today, keys)
    return tally.total(by_month.values())


def rated(session: Session, today: dt.date, *, slug: str = "") -> Rated | None:
    """How a place's answers were rated in the newest quarter that is told. Raises NotFound."""
    places = _places(session)
    found = _rated(session, places, _top(places, slug), today, newest=True)
    return found[0] if found else None


# --- places ---------------------------------------------------------------------------------------


def _top(places: dict[str, Place], slug: str) -> Place | None:
    """The chosen place; None: the county."""
    chosen = next((place for place in places.values() if place.slug == slug), None)
    if slug and (chosen is None or chosen.kind is UnitKind.GROUP):
        raise NotFound(N_("没有找到这个单位。请从列出来的里面选。"))
    return chosen if chosen and chosen.kind is not UnitKind.COUNTY else None


def _places(session: Session) -> dict[str, Place]:
    query = sa.select(
        Unit.id, Unit.slug, Unit.name, Unit.kind, Unit.parent_id, Box.id.label("box_id"),
        Unit.closed_on,
    ).outerjoin(Box, Box.unit_id == Unit.id)  # fmt: skip
    return {
        row.id: Place(row.id, row.slug, row.name, row.kind, row.parent_id, row.box_id,
                      row.closed_on is not None)
        for row in session.execute(query)
    }  # fmt: skip


def _unit_above(places: dict[str, Place], place: Place) -> Place:
    """The unit, or group, that a box belongs to: what hangs right below the county."""
    above = places.get(place.parent_id or "")
    return place if above is None or above.kind is UnitKind.COUNTY else above


def _keys(places: dict[str, Place], top: Place | None) -> tuple[dict[str, str], frozenset[str]]:
    """For each box the place below `top` that it counts for; and the boxes of `top`."""
    keys, boxes = {}, set()
    for place in places.values():
        if place.box_id is None:
            continue
        unit = _unit_above(places, place)
        keys[place.box_id] = unit.id if top is None else place.id
        if top is None or top.id in (place.id, unit.id):
            boxes.add(place.box_id)
    return keys, frozenset(boxes)


def _has_below(top: Place | None) -> bool:
    return top is None or top.kind is UnitKind.UNIT


def _shown(places: dict[str, Place], top: Place | None) -> list[str]:
    if top is not None:
        return [p.id for p in places.values() if p.parent_id == top.id]
    return [p.id for p in places.values() if p.kind in (UnitKind.UNIT, UnitKind.GROUP)
            or (p.box_id and _unit_above(places, p) is p)]  # fmt: skip


def _path(places: dict[str, Place], top: Place | None) -> tuple[Place, ...]:
    found: list[Place] = []
    while top is not None and top.kind is not UnitKind.COUNTY:
        found.insert(0, top)
        top = places.get(top.parent_id or "")
    return tuple(found)


# --- what the desk did ----------------------------------------------------------------------------


def _first(move: Move) -> sa.ColumnElement[dt.date]:
    return sa.func.min(sa.case((CaseEvent.move == move, CaseEvent.moved_on)))


def _rows(session: Session, boxes: frozenset[str] | None, period: Period | None) -> list[Cases]:
    """Cases, those that are alike together; two queries."""
    halted = sa.case((CaseEvent.move.in_(tally.HALTS), CaseEvent.case_id))
    first = sa.select(
        CaseEvent.case_id,
        _first(Move.APPROVE).label("answered_on"),
        _first(Move.DECLINE).label("declined_on"),
        sa.func.max(halted).label("halted_id"),
    )
    if boxes is not None:
        own = sa.select(Case.id).where(Case.box_id.in_(boxes))
        first = first.where(CaseEvent.case_id.in_(own))
    told = first.group_by(CaseEvent.case_id).subquery()
    columns = (
        Case.box_id, Case.opened_on, Case.state, Case.decline_reason,
        told.c.answered_on, told.c.declined_on, told.c.halted_id,
    )  # fmt: skip
    query = sa.select(*columns, sa.func.count().label("number")).outerjoin(
        told, told.c.case_id == Case.id
    )
    stood = (
        sa.select(CaseEvent.case_id, CaseEvent.move, CaseEvent.moved_on)
        .join(told, told.c.halted_id == CaseEvent.case_id)
        .order_by(CaseEvent.case_id, CaseEvent.position)
    )
    if boxes is not None:
        query = query.where(Case.box_id.in_(boxes))
    query = query.where(*_within(period))
    events: dict[str, list[tuple[Move, dt.date]]] = {}
    for case_id, move, on in session.execute(stood):
        events.setdefault(case_id, []).append((move, on))
    return [
        Cases(row.box_id, row.opened_on, row.state, row.decline_reason or "", row.answered_on,
              row.declined_on, row.number, tuple(events.get(row.halted_id or "", ())))
        for row in session.execute(query.group_by(*columns))
    ]  # fmt: skip


def _within(period: Period | None) -> list[sa.ColumnElement[bool]]:
    return [Case.opened_on.between(period.first, period.last)] if period else []


def _channels(
    session: Session, boxes: frozenset[str] | None, period: Period | None
) -> tuple[tuple[Channel, int], ...]:
    """How many opinions came by each road, none left out; one query."""
    query = sa.select(Case.channel, sa.func.count()).where(*_within(period))
    if boxes is not None:
        query = query.where(Case.box_id.in_(boxes))
    found = {channel: number for channel, number in session.execute(query.group_by(Case.channel))}  # noqa: C416
    return tuple((channel, found.get(channel, 0)) for channel in Channel)


def _coverage(
    session: Session, places: dict[str, Place], boxes: frozenset[str], rows: list[Cases]
) -> Coverage:
    branches = {
        place.box_id
        for place in places.values()
        if place.kind is UnitKind.BRANCH and place.box_id in boxes and not place.closed
    }
    kept = sealing.open_boxes(session, [box for box in branches if box])
    published = set(session.scalars(sa.select(Answer.box_id).distinct()))
    spoken_to = {row.box_id for row in rows}
    return Coverage(
        len(branches), len(branches & kept), len(branches & spoken_to), len(branches & published)
    )


# --- what people said -----------------------------------------------------------------------------


def _rated(
    session: Session,
    places: dict[str, Place],
    top: Place | None,
    today: dt.date,
    *,
    newest: bool = False,
) -> tuple[Rated, ...]:
    """The ratings of whole quarters that are over, newest first, or of the newest; one query.

    Each answer and each rating counts by its event, so that a quarter once told never changes. A
    silence is no rating.
    """
    unit_of = {p.box_id: _unit_above(places, p).id for p in places.values() if p.box_id}
    row = QuarterTally
    query = sa.select(row.quarter, row.box_id, row.move, row.seen, row.number)
    over = row.quarter < quarter_of(today)
    if newest:
        over = row.quarter == sa.select(sa.func.max(row.quarter)).where(over).scalar_subquery()
    quarters: dict[str, Counter[tuple[str, str]]] = {}
    for quarter, box_id, move, seen, number in session.execute(query.where(over)):
        sort = "seen" if seen and move is not Move.APPROVE else move
        counts = quarters.setdefault(quarter, Counter())
        for place in {unit_of[box_id], box_id}:
            counts[place, sort] += number
    units = sorted(set(unit_of.values()))
    chosen = top.id if top else None
    if top and top.kind is UnitKind.BRANCH:
        chosen = top.box_id or ""
    return tuple(
        _quarter(quarter, counts, units, chosen) for quarter, counts in sorted(quarters.items())
    )[::-1]


def _quarter(
    quarter: str, counts: Counter[tuple[str, str]], units: list[str], chosen: str | None
) -> Rated:
    groups = [
        (counts[unit, Move.RATE_CONTENT], 0, counts[unit, Move.RATE_DISSATISFIED]) for unit in units
    ]
    parts = suppression.merge(groups)
    told = [suppression.figure(part.counts) for part in parts]
    mine = units if chosen is None else [chosen]
    rated = sum(counts[place, move] for place in mine
                for move in (Move.RATE_CONTENT, Move.RATE_DISSATISFIED))  # fmt: skip
    figure, together = Figure(rated), 0
    if chosen is None:
        figure = suppression.total(told)
    elif chosen in units:  # a branch is never told for itself
        number = next(i for i, part in enumerate(parts) if units.index(chosen) in part.groups)
        figure = told[number]
        together = len([i for i in parts[number].groups if sum(groups[i])])
    return Rated(
        quarter,
        answers=sum(counts[place, Move.APPROVE] for place in mine),
        rated=rated,
        figure=figure,
        together=together if together > 1 else 0,
        seen=sum(counts[place, "seen"] for place in mine),
    )


def _spoke(session: Session, today: dt.date) -> tuple[Spoke, ...]:
    """Who spoke, in the county, in quarters that are over, newest first; one query."""
    query = (
        sa.select(SpeakerTally.quarter, SpeakerTally.speaker, sa.func.sum(SpeakerTally.count))
        .where(SpeakerTally.quarter < quarter_of(today))
        .group_by(SpeakerTally.quarter, SpeakerTally.speaker)
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for quarter, speaker, number in session.execute(query):
        found.setdefault(quarter, []).append((speaker, int(number)))
    return tuple(_groups(quarter, sorted(groups)) for quarter, groups in sorted(found.items()))[
        ::-1
    ]


def _groups(quarter: str, groups: list[tuple[str, int]]) -> Spoke:
    hidden = suppression.suppressed([number for _, number in groups])
    return Spoke(
        quarter,
        tuple((name, None if i in hidden else n) for i, (name, n) in enumerate(groups)),
    )
