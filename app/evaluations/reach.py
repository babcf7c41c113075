"""Who holds a round, who watches it, and how one is fetched within that reach."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import N_, Conflict, Forbidden, NotFound
from app.evaluations.models import Round, Scrutineer
from app.evaluations.rounds import State
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.staff.models import Role
from app.staff.rights import Actor

GONE = N_("没有这一轮评议。网址可能抄错了，请从评议列表里找。")
CHANGED_MEANWHILE = N_("您看着的时候，同事刚改过这一轮评议。什么都没有覆盖，请看过最新的再做。")

FINISHED = (State.PUBLISHED, State.VOID)


def led_units(session: Session, actor: Actor) -> list[Unit]:
    """The units whose rounds this person holds: what they keep; the office, all."""
    query = sa.select(Unit).where(Unit.closed_on.is_(None), Unit.kind != UnitKind.GROUP)
    if not actor.is_office:
        query = query.where(Unit.id.in_(_units_as(actor, Role.KEEPER)))
    return list(session.scalars(query.order_by(Unit.kind, Unit.name)))


def _units_as(actor: Actor, role: Role) -> list[str]:
    return sorted(unit for held, unit in actor.roles if held is role and unit)


def leads(actor: Actor, held: Round) -> bool:
    """Whether this person holds the round: drafts, freezes, brings slips, opens, publishes."""
    return actor.is_office or held.unit_id in _units_as(actor, Role.KEEPER)


def require_lead(actor: Actor, held: Round) -> None:
    """Raises Forbidden unless `leads`."""
    if not leads(actor, held):
        raise Forbidden(N_("这一步由办这一轮评议的支部来做，什么都没有改变。"))


def _reach(actor: Actor) -> sa.ColumnElement[bool]:
    """The rounds this person sees: what they hold, what their group watches, what they count."""
    if actor.is_office:
        return sa.true()
    watched = organisation.watched_by(_units_as(actor, Role.SUPERVISOR))
    counted = sa.select(Scrutineer.round_id).where(Scrutineer.staff_id == actor.staff_id)
    return (
        Round.unit_id.in_(_units_as(actor, Role.KEEPER))
        | Round.unit_id.in_(watched)
        | Round.id.in_(counted)
    )


def get(session: Session, actor: Actor, round_id: str, version: int | None = None) -> Round:
    """A round within this person's reach, of the version that they saw.

    Raises NotFound (for another's too: that there is one is nobody's business), Conflict.
    """
    found = session.scalar(sa.select(Round).where(Round.id == round_id, _reach(actor)))
    if found is None:
        raise NotFound(GONE)
    if version is not None and found.version != version:
        raise Conflict(CHANGED_MEANWHILE)
    return found


def get_locked(session: Session, actor: Actor, round_id: str, version: int | None) -> Round:
    """The same, held until commit: no vote is half in while the round changes."""
    get(session, actor, round_id)
    session.execute(sa.select(Round.id).where(Round.id == round_id).with_for_update())
    session.expire_all()
    return get(session, actor, round_id, version)


@dataclass(frozen=True)
class Place:
    """Where a page of the list ends: whether in the finished rounds, their day, the id."""

    finished: int
    on: dt.date
    id: str

    def __str__(self) -> str:
        return f"{self.finished}.{self.on.isoformat()}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """A place from an address; None when it is none."""
        finished, _, rest = text.partition(".")
        day, _, round_id = rest.partition(".")
        try:
            return cls(("0", "1").index(finished), dt.date.fromisoformat(day), round_id)
        except ValueError:
            return None


def at_desk(
    session: Session, actor: Actor, most: int, after: Place | None = None
) -> list[tuple[Round, str]]:
    """The rounds that this person sees, unfinished ones first, then the newest, with their units'
    names."""
    finished = sa.case((Round.state.in_(FINISHED), 1), else_=0)
    query = (
        sa.select(Round, Unit.name)
        .join(Unit, Unit.id == Round.unit_id)
        .where(_reach(actor))
        .order_by(finished, Round.drafted_on.desc(), Round.id.desc())
        .limit(most)
    )
    if after is not None:
        query = query.where(
            (finished > after.finished)
            | (finished == after.finished) & (Round.drafted_on < after.on)
            | (finished == after.finished) & (Round.drafted_on == after.on) & (Round.id < after.id)
        )
    return [(held, name) for held, name in session.execute(query)]


def place_of(held: Round) -> Place:
    """The place of a round in that list."""
    return Place(int(held.state in FINISHED), held.drafted_on, held.id)
