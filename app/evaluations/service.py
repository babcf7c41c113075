"""Rounds at the desk: drafted, frozen, opened, called off, published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.clock import quarter_of
from app.errors import N_, Conflict, Forbidden, Invalid
from app.evaluations import reach
from app.evaluations.counting import Scale
from app.evaluations.models import (
    KeyHalf,
    Round,
    Scrutineer,
    SealedBallot,
    SealedComment,
    SlipBatch,
    Subject,
    SubjectKind,
    VoidReason,
    VoterGroup,
)
from app.evaluations.rounds import Move, State, next_state
from app.evaluations.slips import SALT_BYTES
from app.organisation import service as organisation
from app.organisation.models import Member, Unit
from app.sealing.models import BoxKey
from app.staff import keepers
from app.staff.models import PersonalKey, Role, RoleAssignment, Staff
from app.staff.rights import Actor

MAX_TITLE, MAX_NAME, MAX_GROUP, MAX_REASON, MAX_VERDICT = 120, 120, 40, 300, 300
MOST_SUBJECTS, MOST_GROUPS = 80, 12
FEWEST_SCRUTINEERS, MOST_SCRUTINEERS = 2, 5


@dataclass(frozen=True)
class Asked:
    """What a grade is asked for, as it is drafted."""

    kind: SubjectKind
    name: str
    member_id: str | None = None


@dataclass(frozen=True)
class Plan:
    """A round as it is drafted; `scrutineers` are ids of staff."""

    title: str
    scale: Scale
    closes_on: dt.date
    subjects: Sequence[Asked]
    groups: Sequence[str]
    scrutineers: Sequence[str]
    capped: bool = False
    names_public: bool = False
    comments: bool = False


# --- what a round has -----------------------------------------------------------------------------


def subjects_of(session: Session, round_id: str) -> list[Subject]:
    """What a round asks about, in the ballot's order."""
    query = sa.select(Subject).where(Subject.round_id == round_id)
    return list(session.scalars(query.order_by(Subject.position)))


def groups_of(session: Session, round_id: str) -> list[VoterGroup]:
    """A round's groups of voters, in their order."""
    query = sa.select(VoterGroup).where(VoterGroup.round_id == round_id)
    return list(session.scalars(query.order_by(VoterGroup.position)))


def scrutineers_of(session: Session, round_id: str) -> list[Staff]:
    """Who was named to open the urn."""
    query = (
        sa.select(Staff)
        .join(Scrutineer, Scrutineer.staff_id == Staff.id)
        .where(Scrutineer.round_id == round_id)
    )
    return list(session.scalars(query.order_by(Staff.username)))


def eligible(session: Session, unit_id: str) -> list[Staff]:
    """Who may be scrutineer of a unit's rounds: its keepers, those who watch it, the office."""
    group = organisation.superior(session, unit_id)
    watching = sa.false() if group is None else RoleAssignment.unit_id == group.id
    query = (
        sa.select(Staff)
        .join(RoleAssignment, RoleAssignment.staff_id == Staff.id)
        .where(
            sa.or_(
                (RoleAssignment.role == Role.KEEPER) & (RoleAssignment.unit_id == unit_id),
                (RoleAssignment.role == Role.SUPERVISOR) & watching,
                RoleAssignment.role == Role.OFFICE,
            )
        )
        .distinct()
    )
    return sorted(session.scalars(query), key=lambda staff: staff.username)


def roll(session: Session, unit_id: str) -> list[Member]:
    """The members who may be graded in a unit's rounds: its own and those of its branches."""
    below = sa.select(Unit.id).where(sa.or_(Unit.id == unit_id, Unit.parent_id == unit_id))
    query = sa.select(Member).where(Member.unit_id.in_(below), Member.left_on.is_(None))
    return list(session.scalars(query.order_by(Member.unit_id, Member.number).limit(1000)))


# --- drafts ---------------------------------------------------------------------------------------


def draft(session: Session, actor: Actor, unit_id: str, plan: Plan, today: dt.date) -> Round:
    """Keep a new draft. Raises Forbidden, Invalid (the field at fault)."""
    if unit_id not in {unit.id for unit in reach.led_units(session, actor)}:
        raise Forbidden(N_("这个单位的评议不归您办，什么都没有改变。"))
    made = Round(
        unit_id=unit_id,
        title="",
        scale=plan.scale,
        salt=_salt(session, today),
        closes_on=plan.closes_on,
        drafted_by=actor.staff_id,
        drafted_on=today,
    )
    _write(session, made, plan, today)
    return made


def _salt(session: Session, today: dt.date) -> bytes:
    """The salt of this quarter's rounds, made by the first of them."""
    newest = session.scalar(
        sa.select(Round).order_by(Round.drafted_on.desc(), Round.id.desc()).limit(1)
    )
    if newest is not None and quarter_of(newest.drafted_on) == quarter_of(today):
        return newest.salt
    return nacl.utils.random(SALT_BYTES)


def rewrite(session: Session, actor: Actor, held: Round, plan: Plan, today: dt.date) -> None:
    """Change a draft. Raises Conflict once the slips may have been drawn, Forbidden, Invalid."""
    reach.require_lead(actor, held)
    _require_draft(held)
    for model in (Subject, VoterGroup, Scrutineer):
        session.execute(sa.delete(model).where(model.round_id == held.id))
    _write(session, held, plan, today)


def _require_draft(held: Round) -> None:
    if held.state is not State.DRAFT:
        raise Conflict(N_("这一轮评议已经定下来了，不能再改。要改，请作废它，另起一轮。"))


def _write(session: Session, held: Round, plan: Plan, today: dt.date) -> None:
    _check(session, held.unit_id, plan, today)
    held.title, held.scale, held.closes_on = plan.title.strip(), plan.scale, plan.closes_on
    held.capped = plan.capped and plan.scale is Scale.COMPETENCE
    held.names_public = plan.names_public
    held.comments_box_id = _comments_box(session, held.unit_id) if plan.comments else None
    session.add(held)
    session.flush()
    session.add_all(
        Subject(
            round_id=held.id, position=place, kind=one.kind, name=one.name, member_id=one.member_id
        )
        for place, one in enumerate(plan.subjects)
    )
    session.add_all(
        VoterGroup(round_id=held.id, position=place, name=name)
        for place, name in enumerate(plan.groups)
    )
    session.add_all(
        Scrutineer(round_id=held.id, staff_id=staff_id) for staff_id in set(plan.scrutineers)
    )
    session.flush()


def _check(session: Session, unit_id: str, plan: Plan, today: dt.date) -> None:
    if not plan.title.strip():
        raise Invalid(N_("还没有写标题，没有存下。您填的都还在，请补上标题。"), field="title")
    if plan.closes_on < today:
        raise Invalid(N_("截止的日子已经过了，没有存下。请换一天。"), field="closes_on")
    if not 0 < len(plan.subjects) <= MOST_SUBJECTS:
        raise Invalid(
            N_("还没有选评什么，或选得太多：最少一项，最多 %(most)d 项。没有存下，您填的都还在。"),
            field="subjects",
            most=MOST_SUBJECTS,
        )
    if not 0 < len(set(plan.groups)) == len(plan.groups) <= MOST_GROUPS:
        raise Invalid(
            N_("投票的人要分成一组到 %(most)d 组，每组一行，名称不能重。没有存下，您填的都还在。"),
            field="groups",
            most=MOST_GROUPS,
        )
    may = {staff.id for staff in eligible(session, unit_id)}
    named = set(plan.scrutineers)
    if not FEWEST_SCRUTINEERS <= len(named) <= MOST_SCRUTINEERS or not named <= may:
        raise Invalid(
            N_("监票人要选两位到五位：开票要两个人在场，多选一位，有人忘了密码也不怕。没有存下。"),
            field="scrutineers",
        )


def _comments_box(session: Session, unit_id: str) -> str:
    """The box whose keepers read the comments: the unit's own, else that of its watchers."""
    for unit in (organisation.unit_of(session, unit_id), organisation.superior(session, unit_id)):
        if unit is not None and unit.box_id is not None and box_key(session, unit.box_id):
            return unit.box_id
    raise Invalid(
        N_("这里还没有人保管意见箱，留言没有人能打开。请去掉“可以留言”，或先请人保管。没有存下。"),
        field="comments",
    )


def box_key(session: Session, box_id: str) -> BoxKey | None:
    """A box's newest key, retired or not: whoever holds it can read."""
    query = sa.select(BoxKey).where(BoxKey.box_id == box_id)
    return session.scalars(
        query.order_by(BoxKey.retired_on.is_not(None), BoxKey.created_on.desc()).limit(1)
    ).first()


def discard(session: Session, actor: Actor, held: Round) -> None:
    """Throw a draft away. Raises Conflict, Forbidden."""
    reach.require_lead(actor, held)
    _require_draft(held)
    for model in (Subject, VoterGroup, Scrutineer):
        session.execute(sa.delete(model).where(model.round_id == held.id))
    session.delete(held)
    session.flush()


# --- steps ----------------------------------------------------------------------------------------


def move(held: Round, step: Move) -> None:
    """Move a round by the table; the one place. Raises IllegalMoveError and changes nothing."""
    held.state = next_state(held.state, step)


def freeze(session: Session, actor: Actor, held: Round) -> None:
    """Nothing of a round changes any more; its key is made and split among its scrutineers.

    The private key is gone with this request: each pair of scrutineers has two halves of it, so
    nobody opens the urn alone, and with three of them one may lose theirs.
    """
    reach.require_lead(actor, held)
    move(held, Move.FREEZE)
    private_key = crypto.new_private_key()
    held.public_key = crypto.public_key_of(private_key)
    people = scrutineers_of(session, held.id)
    keys = [keepers.personal_key_of(session, staff.id) for staff in people]
    for one, other in combinations(keys, 2):
        halves = crypto.split_key(private_key)
        session.add_all((_half(held, one, other, halves[0]), _half(held, other, one, halves[1])))
    session.flush()


def _half(held: Round, holder: PersonalKey, partner: PersonalKey, half: bytes) -> KeyHalf:
    return KeyHalf(
        round_id=held.id,
        holder_id=holder.id,
        partner_id=partner.id,
        sealed_half=crypto.seal_to(holder.public_key, half),
    )


def begin(session: Session, actor: Actor, held: Round, today: dt.date) -> None:
    """Open a round for voting: every group has its slips. Raises Conflict, Forbidden."""
    reach.require_lead(actor, held)
    drawn = set(session.scalars(sa.select(SlipBatch.group_id).where(SlipBatch.round_id == held.id)))
    move(held, Move.OPEN)
    if any(group.id not in drawn for group in groups_of(session, held.id)):
        raise Conflict(N_("还有一组没有票签，没有开始。请先把每一组的票签单传上来。"))
    held.opened_on = today
    session.flush()


def void(session: Session, actor: Actor, held: Round, words: str, today: dt.date) -> None:
    """Call a round off before anybody can know its result. Raises Conflict, Forbidden, Invalid."""
    reach.require_lead(actor, held)
    if not words.strip():
        raise Invalid(
            N_("作废一轮评议，要对大家说明原因。请写上原因，别的都没有变。"), field="reason"
        )
    move(held, Move.VOID)
    end_void(session, held, VoidReason.DECIDED, today, words.strip())


def end_void(
    session: Session, held: Round, reason: VoidReason, today: dt.date, words: str = ""
) -> None:
    """A round that was just voided keeps the reason and the day; its urn and keys are destroyed."""
    held.void_reason, held.void_words, held.voided_on = reason, words, today
    destroy_urn(session, held)


def destroy_urn(session: Session, held: Round) -> None:
    """What lay in the urn, and every half of its key."""
    for model in (SealedBallot, SealedComment, KeyHalf):
        session.execute(sa.delete(model).where(model.round_id == held.id))
    session.flush()


def publish(
    session: Session, actor: Actor, held: Round, verdicts: dict[str, str], today: dt.date
) -> None:
    """Publish a confirmed round; `verdicts` are the committee's words by subject id.

    Raises Conflict, Forbidden.
    """
    reach.require_lead(actor, held)
    move(held, Move.PUBLISH)
    held.published_on = today
    for subject in subjects_of(session, held.id):
        subject.verdict = " ".join(verdicts.get(subject.id, "").split())
    session.flush()
