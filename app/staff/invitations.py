"""Links to a first account and to a renewed one: issued, looked at, used once."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Conflict, Invalid, NotFound
from app.organisation.models import Unit
from app.staff import audit, keepers, rights, second_factor, succession, tokens
from app.staff.models import (
    HOLDING_ROLES,
    Invitation,
    PersonalKey,
    Role,
    RoleAssignment,
    Staff,
    TrustedDevice,
)
from app.staff.rights import Actor, RoleFor
from app.staff.sessions import end_all

INVITATION = "invitation"
ENROLMENT = "enrolment"
LIFETIME = dt.timedelta(days=7)
_EVER = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True)
class Enrolment:
    """What a person brought along to the link: a stretched password, a proved second factor."""

    credentials: keepers.Credentials
    totp_secret: str = field(repr=False)
    totp_step: int


@dataclass(frozen=True)
class Enrolled:
    """A used link: whose it was, their recovery codes (shown once), what became of boxes.

    `first_key`: a box got its first pair; `waits`: a colleague has yet to hand over the key;
    `closed`: ids of boxes that nobody can open any more.
    """

    staff_id: str
    username: str
    recovery_codes: list[str] = field(repr=False)
    first_key: bool
    waits: bool
    closed: list[str]


# --- issuing ------------------------------------------------------------------------------------


def invite(
    session: Session,
    *,
    username: str,
    role: Role,
    unit_id: str | None,
    now: dt.datetime,
    invited_by: str | None,
    instance_secret: bytes,
) -> str:
    """Invite somebody to a first account with this role; returns the token of the link.

    Works once within 7 days. The row holds a random id; that the link is ours is told by a
    signature alone, so a dump can make none. Raises Invalid (fields `username`, `role`, `unit`),
    Conflict when an invitation for this name is open.
    """
    name = keepers.require_username(username)
    require_place(session, role, unit_id)
    keepers.require_free(session, name)
    invitation = Invitation(username=name, role=role, unit_id=unit_id, staff_id=None)
    _put(session, invitation, now, invited_by)
    audit.record(session, now, invited_by, "invite", unit_id or "", f"{role.value} {invitation.id}")
    return token_of(invitation, instance_secret)


def invite_or_appoint(
    session: Session,
    actor: Actor,
    username: str,
    place: RoleFor,
    now: dt.datetime,
    today: dt.date,
    instance_secret: bytes,
) -> Invitation | None:
    """Invite somebody, or give the role to who has an account already (then None).

    Raises Forbidden for a role or unit that isn't the actor's to give.
    """
    role, unit_id = place
    rights.require_appoint(session, actor, role, unit_id)
    name = keepers.require_username(username)
    staff = session.scalar(sa.select(Staff).where(Staff.username == name))
    if staff is not None:
        require_place(session, role, unit_id)
        keepers.assign(session, staff, role, unit_id)
        audit.record(session, now, actor.staff_id, "appoint", staff.id, role.value)
        succession.first_key(session, unit_id if role in HOLDING_ROLES else None, today)
        return None
    invite(
        session,
        username=name,
        role=role,
        unit_id=unit_id,
        now=now,
        invited_by=actor.staff_id,
        instance_secret=instance_secret,
    )
    return session.scalars(sa.select(Invitation).where(Invitation.username == name)).one()


@dataclass(frozen=True)
class Invited:
    """What a list of staff led to: a link for each new person; who has to be given more later."""

    links: tuple[tuple[str, str], ...]
    later: tuple[str, ...]


def invite_all(
    session: Session,
    rows: Iterable[tuple[str, str, str]],
    now: dt.datetime,
    invited_by: str | None,
    instance_secret: bytes,
) -> Invited:
    """Invite a list of (username, role, unit's slug), of whom some may be here already.

    Who has an account is given the role, who has an open invitation for it is left as they are: a
    list that is brought in twice invites nobody twice. Raises Invalid, Conflict; nothing then.
    """
    units = dict(session.execute(sa.select(Unit.slug, Unit.id)).all())
    links, later = [], []
    for username, role_name, slug in rows:
        role = Role(role_name)
        unit_id = units.get(slug) if role in HOLDING_ROLES else None  # the county's slug, or none
        name = keepers.require_username(username)
        staff = session.scalar(sa.select(Staff).where(Staff.username == name))
        there = session.scalar(sa.select(Invitation).where(Invitation.username == name))
        if staff is not None:
            _appoint_again(session, staff, role, unit_id, now)
        elif there is None or there.expires_at <= now:
            token = invite(
                session,
                username=name,
                role=role,
                unit_id=unit_id,
                now=now,
                invited_by=invited_by,
                instance_secret=instance_secret,
            )
            links.append((name, token))
        elif (there.role, there.unit_id) != (role, unit_id):
            later.append(name)
    return Invited(tuple(links), tuple(later))


def _appoint_again(
    session: Session, staff: Staff, role: Role, unit_id: str | None, now: dt.datetime
) -> None:
    if role not in HOLDING_ROLES and role in dict(keepers.roles_of(session, staff.id)):
        return
    require_place(session, role, unit_id)
    keepers.assign(session, staff, role, unit_id)
    succession.first_key(session, unit_id if role in HOLDING_ROLES else None, now.date())


def require_place(session: Session, role: Role, unit_id: str | None) -> None:
    """A role has its place: keepers and supervisors a unit, office and operator the county.

    Raises Invalid (field `unit`).
    """
    if role in HOLDING_ROLES:
        if unit_id is None or session.get(Unit, unit_id) is None:
            raise Invalid(N_("请写明是哪个支部或监督组。"), field="unit")
    elif unit_id is not None:
        raise Invalid(N_("县管理员和运维员管全县，单位这一栏请空着。"), field="unit")


def renew(session: Session, actor: Actor, staff_id: str, now: dt.datetime) -> Invitation:
    """A link by which somebody who forgot their password makes a new one, with new keys.

    Until it is used nothing changes. A former link for the same person lapses. Raises NotFound,
    Forbidden.
    """
    staff = session.get(Staff, staff_id)
    if staff is None:
        raise NotFound(N_("没有这个账号。"))
    rights.require_renew(session, actor, keepers.roles_of(session, staff_id))
    session.execute(sa.delete(Invitation).where(Invitation.staff_id == staff_id))
    invitation = Invitation(username=staff.username, role=None, unit_id=None, staff_id=staff_id)
    _put(session, invitation, now, actor.staff_id)
    audit.record(session, now, actor.staff_id, "renew", staff_id, invitation.id)
    return invitation


def _put(
    session: Session, invitation: Invitation, now: dt.datetime, invited_by: str | None
) -> None:
    session.execute(
        sa.delete(Invitation).where(
            Invitation.username == invitation.username, Invitation.expires_at <= now
        )
    )
    invitation.invited_by, invitation.created_at = invited_by, now
    invitation.expires_at = now + LIFETIME
    session.add(invitation)
    try:
        session.flush()
    except IntegrityError:
        # Its name is unique: somebody was faster, or an invitation is still open.
        raise Conflict(N_("这个用户名已经有一份没用过的邀请。要重发，请先撤回那一份。")) from None


def token_of(invitation: Invitation, instance_secret: bytes) -> str:
    """The token that the link carries."""
    values = {"id": invitation.id}
    return tokens.sign(instance_secret, INVITATION, values, invitation.expires_at)


def issued(session: Session, actor: Actor, invitation_id: str) -> Invitation:
    """An open invitation of the actor's own, to show its link again. Raises NotFound.

    Nobody else is shown it: who used a link is then whoever got it from the one the audit names.
    """
    found = session.get(Invitation, invitation_id)
    if found is None or found.invited_by != actor.staff_id:
        raise NotFound(N_("这份邀请已经用过或撤回了，或者不是您发的。需要的话可以重新邀请。"))
    return found


def withdraw(session: Session, actor: Actor, invitation_id: str, now: dt.datetime) -> None:
    """Make a link useless. Raises NotFound, Forbidden."""
    found = _locked(session, invitation_id)
    if found is None:
        raise NotFound(N_("这份邀请已经用过或撤回了。"))
    if found.staff_id is None:
        rights.require_appoint(session, actor, found.role, found.unit_id)
    else:
        rights.require_renew(session, actor, keepers.roles_of(session, found.staff_id))
    session.delete(found)
    audit.record(session, now, actor.staff_id, "withdraw_invitation", invitation_id)
    session.flush()


# --- using --------------------------------------------------------------------------------------


def look(session: Session, token: str, instance_secret: bytes, now: dt.datetime) -> Invitation:
    """The invitation of a link, not yet used. Raises NotFound, Conflict."""
    found = session.get(Invitation, _read(token, instance_secret))
    return _require_open(session, found, now)


def _read(token: str, instance_secret: bytes) -> str:
    # Whether it has lapsed is the row's to say: an old link is told apart from an altered one.
    values = tokens.read(instance_secret, INVITATION, token, _EVER)
    if values is None:
        raise NotFound(
            N_("这个链接不完整，多半是抄的时候少了几个字。请对照原来的链接，或请对方再发一次。")
        )
    return values["id"]


def _require_open(session: Session, found: Invitation | None, now: dt.datetime) -> Invitation:
    if found is None or found.expires_at <= now or not _is_backed(session, found):
        raise Conflict(
            N_(
                "这个链接已经用过、撤回，或者过了七天。什么都没有改变。"
                "如果不是您自己用的，请马上告诉发给您的人；需要新的链接，也请他再发一次。"
            )
        )
    return found


def _is_backed(session: Session, found: Invitation) -> bool:
    # Threats: a link kept in a drawer by somebody who has left since; a renewal issued by a keeper
    # to a colleague who has become more than that since.
    if found.invited_by is None:
        return True
    issuer = Actor(found.invited_by, keepers.roles_of(session, found.invited_by))
    if found.staff_id is None:
        return rights.may_appoint(session, issuer, found.role, found.unit_id)
    return rights.may_renew(session, issuer, keepers.roles_of(session, found.staff_id))


def _locked(session: Session, invitation_id: str) -> Invitation | None:
    query = sa.select(Invitation).where(Invitation.id == invitation_id).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def accept(
    session: Session,
    token: str,
    brought: Enrolment,
    *,
    now: dt.datetime,
    today: dt.date,
    instance_secret: bytes,
) -> Enrolled:
    """Use a link: an account with its role, or a renewed one; the link is spent in the same act.

    Of two at once one wins: the row is locked and deleted. Raises NotFound, Conflict.
    """
    invitation_id = _read(token, instance_secret)
    invitation = _require_open(session, _locked(session, invitation_id), now)
    session.delete(invitation)
    session.flush()
    if invitation.staff_id is None:
        keepers.require_free(session, invitation.username)
        staff = keepers.new_account(
            session, invitation.username, brought.credentials, brought.totp_secret, now
        )
        keepers.assign(session, staff, invitation.role or Role.KEEPER, invitation.unit_id)
        closed: list[str] = []
    else:
        staff = session.get_one(Staff, invitation.staff_id, with_for_update=True)
        _renew_account(session, staff, brought, today)
        closed = succession.close_what_nobody_holds(session, staff.id, today)
    staff.last_totp_step = brought.totp_step
    codes = second_factor.new_recovery_codes(session, staff.id, instance_secret)
    renewed = invitation.staff_id is not None
    first = not renewed and _first_key(session, invitation, today)
    action = "renewed" if renewed else "enrol"
    audit.record(session, now, staff.id, action, staff.id, invitation_id)
    waits = _is_keeper(session, staff.id) and not first
    return Enrolled(staff.id, staff.username, codes, first, waits, closed)


def _first_key(session: Session, invitation: Invitation, today: dt.date) -> bool:
    holds = invitation.role in HOLDING_ROLES
    return succession.first_key(session, invitation.unit_id if holds else None, today)


def _is_keeper(session: Session, staff_id: str) -> bool:
    return bool(
        session.scalar(
            sa.select(
                sa.exists().where(
                    RoleAssignment.staff_id == staff_id, RoleAssignment.role.in_(HOLDING_ROLES)
                )
            )
        )
    )


def _renew_account(session: Session, staff: Staff, brought: Enrolment, today: dt.date) -> None:
    # Threat: a reset into somebody's keys. There is none: the new pair opens nothing that was
    # granted to the old one, and no sealed thing of the old password is touched.
    keepers.set_credentials(staff, brought.credentials, brought.totp_secret)
    staff.failed_sign_ins, staff.next_sign_in_at = 0, None
    session.execute(
        sa.update(PersonalKey)
        .where(PersonalKey.staff_id == staff.id, PersonalKey.retired_on.is_(None))
        .values(retired_on=today)
    )
    session.flush()
    session.add(keepers.new_personal_key(staff.id, brought.credentials.master, today))
    end_all(session, staff.id)
    session.execute(sa.delete(TrustedDevice).where(TrustedDevice.staff_id == staff.id))
    session.flush()


# --- the second factor on its way ---------------------------------------------------------------


def seal_secret(instance_secret: bytes, bound_to: str, totp_secret: str) -> str:
    """A second factor that isn't anybody's yet, for the hidden field between GET and POST.

    `bound_to` is the id of the invitation or person: it can't be carried to another form.
    """
    content = json.dumps([bound_to, totp_secret]).encode()
    key = crypto.hkdf(instance_secret, ENROLMENT)
    return base64.urlsafe_b64encode(crypto.encrypt(key, content)).decode()


def open_secret(instance_secret: bytes, bound_to: str, sealed: str) -> str | None:
    """The second factor inside; None when the field was altered or belongs to another form."""
    try:
        packed = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
        content = json.loads(crypto.decrypt(crypto.hkdf(instance_secret, ENROLMENT), packed))
    except (crypto.SealError, ValueError, binascii.Error):
        return None
    bound, totp_secret = content
    return str(totp_secret) if bound == bound_to else None
