"""Bulletins: drafted by one, published by another, withdrawn with a reason; who may do what."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import wordindex
from app.bulletins.models import Audience, Bulletin, BulletinState, Promise
from app.errors import N_, Conflict, Forbidden, Invalid, NotFound
from app.notifications import outbox
from app.organisation import service as organisation
from app.organisation.models import Unit, UnitKind
from app.staff.models import Role
from app.wordindex import Published

MAX_TITLE = 120
MAX_PART = 8000
MAX_REASON = 500
MAX_PROMISE, MAX_OWNER = 300, 60
MOST_PROMISES = 20
PARTS = ("meeting", "problems", "result")
# A blank of the first draft between words; at the head of a line two such spaces are an indent.
UNFILLED = re.compile(r"[^\s\u3000]\u3000{2,}[^\s\u3000]")
GONE = N_("没有这份通报。网址可能抄错了，请从通报列表里找。")
CHANGED_MEANWHILE = N_(
    "您看着的时候，同事刚改过这份通报。什么都没有覆盖，您写的还在下面，请先看最新的稿子。"
)

Roles = Iterable[tuple[Role, str | None]]


@dataclass(frozen=True)
class Writer:
    """Who is at the desk, as far as bulletins go: themselves and their roles."""

    staff_id: str
    roles: frozenset[tuple[Role, str | None]]

    @property
    def is_office(self) -> bool:
        """Whether they speak for the county."""
        return any(role is Role.OFFICE for role, _ in self.roles)

    def units_as(self, role: Role) -> list[str]:
        """The units for which they hold a role."""
        return sorted(unit for held, unit in self.roles if held is role and unit)


@dataclass(frozen=True)
class Pledge:
    """A promise as it is typed."""

    words: str
    owner: str
    due_on: dt.date


@dataclass(frozen=True)
class Text:
    """What a draft says; the three parts are Markdown."""

    title: str
    meeting: str
    problems: str
    result: str
    pledges: Sequence[Pledge] = ()


# --- who may --------------------------------------------------------------------------------------


def writable(session: Session, writer: Writer) -> list[Unit]:
    """The units whose bulletins this person writes: what they keep; the office, all."""
    query = sa.select(Unit).where(Unit.closed_on.is_(None), Unit.kind != UnitKind.GROUP)
    if not writer.is_office:
        query = query.where(Unit.id.in_(writer.units_as(Role.KEEPER)))
    return list(session.scalars(query.order_by(Unit.kind, Unit.name)))


def _reach(writer: Writer) -> sa.ColumnElement[bool]:
    """The units whose bulletins this person sees and publishes: also those their group watches."""
    if writer.is_office:
        return sa.true()
    watched = organisation.watched_by(writer.units_as(Role.SUPERVISOR))
    return Bulletin.unit_id.in_(writer.units_as(Role.KEEPER)) | Bulletin.unit_id.in_(watched)


def _shared(writer: Writer) -> sa.ColumnElement[bool]:
    """Published for a whole unit: read by the keepers of its branches."""
    mine = sa.select(Unit.parent_id).where(Unit.id.in_(writer.units_as(Role.KEEPER)))
    siblings = sa.select(Unit.id).where(Unit.parent_id.in_(mine) | Unit.id.in_(mine))
    return (
        (Bulletin.state != BulletinState.DRAFT)
        & (Bulletin.audience == Audience.UNIT)
        & Bulletin.unit_id.in_(siblings)
    )


def get(session: Session, writer: Writer, bulletin_id: str, version: int | None = None) -> Bulletin:
    """A bulletin within this person's reach, of the version that they saw.

    Raises NotFound (for another's draft too: that there is one is nobody's business), Conflict.
    """
    query = sa.select(Bulletin).where(Bulletin.id == bulletin_id, _reach(writer))
    found = session.scalar(query)
    if found is None:
        raise NotFound(GONE)
    if version is not None and found.version != version:
        raise Conflict(CHANGED_MEANWHILE)
    return found


def readable(session: Session, writer: Writer, bulletin_id: str) -> Bulletin:
    """A bulletin that this person may read at the desk. Raises NotFound."""
    allowed = _reach(writer) | _shared(writer)
    found = session.scalar(sa.select(Bulletin).where(Bulletin.id == bulletin_id, allowed))
    if found is None:
        raise NotFound(GONE)
    return found


def at_desk(session: Session, writer: Writer, most: int) -> list[tuple[Bulletin, str]]:
    """The newest bulletins that this person may read, drafts first, with their units' names."""
    query = (
        sa.select(Bulletin, Unit.name)
        .join(Unit, Unit.id == Bulletin.unit_id)
        .where(_reach(writer) | _shared(writer))
        .order_by(
            sa.case((Bulletin.state == BulletinState.DRAFT, 0), else_=1),
            sa.func.coalesce(Bulletin.published_on, Bulletin.drafted_on).desc(),
            Bulletin.id.desc(),
        )
        .limit(most)
    )
    return [(bulletin, name) for bulletin, name in session.execute(query)]


def require_writer(session: Session, writer: Writer, unit_id: str) -> None:
    """Raises Forbidden unless this person writes the unit's bulletins."""
    if unit_id not in {unit.id for unit in writable(session, writer)}:
        raise Forbidden(N_("这个单位的通报不归您起草，什么都没有改变。"))


# --- drafts ---------------------------------------------------------------------------------------


def draft(
    session: Session,
    writer: Writer,
    unit_id: str,
    audience: Audience,
    text: Text,
    today: dt.date,
) -> Bulletin:
    """Keep a new draft. Raises Forbidden, Invalid (fields `title`, `promise`)."""
    require_writer(session, writer, unit_id)
    made = Bulletin(
        unit_id=unit_id,
        audience=audience,
        title="",
        drafted_by=writer.staff_id,
        drafted_on=today,
    )
    session.add(made)
    _write(session, made, text)
    return made


def rewrite(
    session: Session,
    writer: Writer,
    bulletin: Bulletin,
    audience: Audience,
    text: Text,
    today: dt.date,
) -> None:
    """Change a draft; whoever changed it last doesn't publish it. Raises Conflict, Invalid."""
    _require_draft(bulletin)
    bulletin.audience, bulletin.drafted_by, bulletin.drafted_on = audience, writer.staff_id, today
    _write(session, bulletin, text)


def _require_draft(bulletin: Bulletin) -> None:
    if bulletin.state is not BulletinState.DRAFT:
        raise Conflict(N_("这份通报已经发布过了，不能再改。要改，请撤下它，另写一份。"))


def _write(session: Session, bulletin: Bulletin, text: Text) -> None:
    title = " ".join(text.title.split())
    if not title:
        raise Invalid(N_("还没有写标题，没有存下。您写的都还在，请补上标题。"), field="title")
    bulletin.title = title
    bulletin.meeting, bulletin.problems, bulletin.result = text.meeting, text.problems, text.result
    session.flush()
    session.execute(sa.delete(Promise).where(Promise.bulletin_id == bulletin.id))
    for position, pledge in enumerate(text.pledges[:MOST_PROMISES]):
        session.add(
            Promise(
                bulletin_id=bulletin.id,
                position=position,
                words=pledge.words,
                owner=pledge.owner,
                due_on=pledge.due_on,
            )
        )
    session.flush()


def discard(session: Session, bulletin: Bulletin) -> None:
    """Throw a draft away. Raises Conflict once it was published."""
    _require_draft(bulletin)
    session.delete(bulletin)
    session.flush()


# --- publishing -----------------------------------------------------------------------------------


def publish(session: Session, writer: Writer, bulletin: Bulletin, today: dt.date) -> None:
    """Publish a draft: all three parts are there, and somebody else than its writer has read it.

    Raises Conflict, Forbidden, Invalid (the field of a missing part).
    """
    _require_draft(bulletin)
    for part in PARTS:
        if not getattr(bulletin, part).strip():
            raise Invalid(
                N_(
                    "通报要有三部分：会开得怎样、查出的问题和整改、委员会的结论。还缺一部分，没有发布。"
                ),
                field=part,
            )
        if UNFILLED.search(getattr(bulletin, part)):
            raise Invalid(
                N_("稿子里还有空着没填的地方，比如“　　年　　月”。没有发布，请填上或删去。"),
                field=part,
            )
    if bulletin.drafted_by == writer.staff_id:
        raise Forbidden(N_("通报要两个人把关：稿子是您最后改的，请另一位同事看过再发布。"))
    bulletin.state, bulletin.published_on = BulletinState.PUBLISHED, today
    bulletin.published_by = writer.staff_id
    if bulletin.audience is Audience.PUBLIC:
        words = [promise.words for promise in promises(session, bulletin.id)]
        texts = (bulletin.title, bulletin.meeting, bulletin.problems, bulletin.result, *words)
        wordindex.put(session, Published.BULLETIN, bulletin.id, today, texts)
    session.flush()


def withdraw(session: Session, bulletin: Bulletin, reason: str, today: dt.date) -> None:
    """Take a published bulletin back: its page stays and gives the reason. Raises Invalid."""
    if bulletin.state is not BulletinState.PUBLISHED:
        raise Conflict(N_("这份通报现在没有发布，不用撤下。什么都没有改变。"))
    if not reason.strip():
        raise Invalid(N_("撤下通报，要对大家说明原因。请写上原因，别的都还在。"), field="reason")
    bulletin.state, bulletin.withdrawn_on = BulletinState.WITHDRAWN, today
    bulletin.withdrawn_because = reason.strip()
    wordindex.remove(session, [bulletin.id])
    outbox.take_back(session, letters_of(bulletin.id))
    session.flush()


def letters_of(bulletin_id: str) -> str:
    """What the keys of the letters about a bulletin begin with."""
    return f"bulletin {bulletin_id} "


def promises(session: Session, bulletin_id: str) -> list[Promise]:
    """The promises of a bulletin, in its order."""
    query = sa.select(Promise).where(Promise.bulletin_id == bulletin_id)
    return list(session.scalars(query.order_by(Promise.position)))
