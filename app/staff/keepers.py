"""Who holds which box key: personal keys, grants, roles, and what a keeper's session can open."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Conflict, Invalid
from app.organisation.models import Box, Unit, UnitKind
from app.sealing.models import BoxKey
from app.staff import recovery
from app.staff.models import (
    KeyGrant,
    PersonalKey,
    Role,
    RoleAssignment,
    Staff,
)

PASSWORD_CHARACTERS = 10
SALT_BYTES = 16
_USERNAME = re.compile(r"[\w.\-]{2,64}")


# --- what a password opens ----------------------------------------------------------------------


def verifier(master: bytes) -> bytes:
    """What is stored of a password's master key: it tells the right one and opens nothing."""
    return hashlib.sha256(crypto.hkdf(master, "verifier")).digest()


def seal_totp_secret(master: bytes, totp_secret: str) -> bytes:
    """A TOTP secret (base32) under the password's master key."""
    return crypto.encrypt(crypto.hkdf(master, "second factor"), totp_secret.encode("ascii"))


def open_totp_secret(master: bytes, sealed: bytes) -> str:
    """The TOTP secret inside; raises SealError."""
    return crypto.decrypt(crypto.hkdf(master, "second factor"), sealed).decode("ascii")


def seal_private_key(master: bytes, private_key: bytes) -> bytes:
    """A personal private key under the password's master key."""
    return crypto.encrypt(crypto.hkdf(master, "personal key"), private_key)


def open_private_key(master: bytes, sealed: bytes) -> bytes:
    """The personal private key inside; raises SealError."""
    return crypto.decrypt(crypto.hkdf(master, "personal key"), sealed)


def require_strong(password: str) -> None:
    """A password has at least 10 characters: it guards keys, and a dump can be guessed at offline.

    Raises Invalid (field `password`).
    """
    if len(unicodedata.normalize("NFKC", password)) < PASSWORD_CHARACTERS:
        raise Invalid(
            N_("密码至少要 %(least)d 个字符。几个不相干的词连在一起，又好记又难猜。"),
            field="password",
            least=PASSWORD_CHARACTERS,
        )


@dataclass(frozen=True)
class Credentials:
    """A new password as it is kept, and what it seals; made outside any transaction."""

    salt: bytes
    master: bytes = field(repr=False)


def stretch(password: str, pepper: bytes) -> Credentials:
    """Stretch a new password under a fresh salt; raises Invalid for a weak one."""
    require_strong(password)
    salt = nacl.utils.random(SALT_BYTES)
    return Credentials(salt, crypto.stretch_password(password, pepper, salt))


# --- accounts and roles -------------------------------------------------------------------------


def normal_username(typed: str) -> str | None:
    """The stored form of a username (NFKC, case folded), or None when it can't be one."""
    normal = unicodedata.normalize("NFKC", typed).strip().casefold()
    return normal if _USERNAME.fullmatch(normal) else None


def create_staff(
    session: Session,
    *,
    username: str,
    password: str,
    totp_secret: str,
    pepper: bytes,
    now: dt.datetime,
) -> Staff:
    """A new account with its first personal key pair; it holds no role and no box key yet.

    `totp_secret` is base32, `now` a UTC instant (the key's date is its date). Raises Invalid
    (fields `username`, `password`).
    """
    name = require_username(username)
    require_free(session, name)
    return new_account(session, name, stretch(password, pepper), totp_secret, now)


def require_username(typed: str) -> str:
    """The stored form of a username; raises Invalid (field `username`)."""
    name = normal_username(typed)
    if name is None:
        raise Invalid(
            N_("用户名用 2 到 64 个字：文字、数字、点、横线、下划线都可以，中间不留空格。"),
            field="username",
        )
    return name


def require_free(session: Session, name: str) -> None:
    """Raises Invalid (field `username`) when somebody has this name."""
    if session.scalar(sa.select(sa.exists().where(Staff.username == name))):
        raise Invalid(N_("这个用户名已经有人用了，请换一个。"), field="username")


def new_account(
    session: Session, name: str, credentials: Credentials, totp_secret: str, now: dt.datetime
) -> Staff:
    """An account with its first personal pair; `name` is normal and free."""
    staff = Staff(username=name, created_at=now)
    set_credentials(staff, credentials, totp_secret)
    session.add(staff)
    session.flush()
    session.add(new_personal_key(staff.id, credentials.master, now.date()))
    session.flush()
    return staff


def set_credentials(staff: Staff, credentials: Credentials, totp_secret: str) -> None:
    """Password and second factor of an account; what the former password sealed isn't touched."""
    staff.password_salt = credentials.salt
    staff.password_verifier = verifier(credentials.master)
    staff.sealed_totp_secret = seal_totp_secret(credentials.master, totp_secret)


def new_personal_key(staff_id: str, master: bytes, today: dt.date) -> PersonalKey:
    """A fresh personal pair under a password's master key."""
    private_key = crypto.new_private_key()
    return PersonalKey(
        staff_id=staff_id,
        public_key=crypto.public_key_of(private_key),
        sealed_private_key=seal_private_key(master, private_key),
        created_on=today,
    )


def assign(session: Session, staff: Staff, role: Role, unit_id: str | None) -> RoleAssignment:
    """Give a role for a unit (None: the county); one already held is left as it is."""
    held = session.scalar(
        sa.select(RoleAssignment).where(
            RoleAssignment.staff_id == staff.id,
            RoleAssignment.role == role,
            RoleAssignment.unit_id.is_(None)
            if unit_id is None
            else RoleAssignment.unit_id == unit_id,
        )
    )
    if held is None:
        held = RoleAssignment(staff_id=staff.id, role=role, unit_id=unit_id)
        session.add(held)
        session.flush()
    return held


def roles_of(session: Session, staff_id: str) -> frozenset[tuple[Role, str | None]]:
    """Every role a person holds, each with its unit (None: the county)."""
    rows = session.execute(
        sa.select(RoleAssignment.role, RoleAssignment.unit_id).where(
            RoleAssignment.staff_id == staff_id
        )
    )
    return frozenset((role, unit_id) for role, unit_id in rows)


def personal_key_of(session: Session, staff_id: str) -> PersonalKey:
    """The person's current key pair; every account has exactly one."""
    return session.scalars(
        sa.select(PersonalKey).where(
            PersonalKey.staff_id == staff_id, PersonalKey.retired_on.is_(None)
        )
    ).one()


# --- box keys -----------------------------------------------------------------------------------


def new_box_key(
    session: Session, box_id: str, keepers: Sequence[PersonalKey], today: dt.date
) -> BoxKey:
    """A new pair for a box: the current one is retired, each keeper is granted the private half.

    Nothing new is sealed to the old pair; whoever holds it still reads what was. The private half
    is sealed to the box's recovery keys too, now that it is in hand. `today` is the county's
    date. Raises Conflict without a keeper: such a box must stay closed.
    """
    if not keepers:
        raise Conflict(N_("意见箱至少要有一位保管人，才能换上新的钥匙。"))
    recovery_keys = recovery.trusted(session, box_id)
    session.execute(
        sa.update(BoxKey)
        .where(BoxKey.box_id == box_id, BoxKey.retired_on.is_(None))
        .values(retired_on=today)
    )
    private_key = crypto.new_private_key()
    box_key = BoxKey(box_id=box_id, public_key=crypto.public_key_of(private_key), created_on=today)
    session.add(box_key)
    session.flush()
    for keeper in keepers:
        grant(session, box_key.id, private_key, keeper)
    recovery.seal(session, recovery_keys, box_key.id, private_key)
    return box_key


def grant(session: Session, box_key_id: str, private_key: bytes, keeper: PersonalKey) -> None:
    """Seal a box's private key to one keeper; a grant already there is left as it is.

    `private_key` comes from the session of a person who holds it: nobody else can grant.
    """
    if session.get(KeyGrant, (box_key_id, keeper.id)) is None:
        session.add(
            KeyGrant(
                box_key_id=box_key_id,
                personal_key_id=keeper.id,
                sealed_private_key=crypto.seal_to(keeper.public_key, private_key),
            )
        )
        session.flush()


class KeyRing(Mapping[str, bytes]):
    """Box key id -> private key; each is unsealed when it is first asked for, then kept.

    It lives in the memory of one request. Threat: its repr names no key, for a traceback.
    """

    def __init__(self, personal_private: bytes, sealed: Mapping[str, bytes]) -> None:
        self._personal_private = personal_private
        self._sealed = dict(sealed)
        self._opened: dict[str, bytes] = {}

    def __getitem__(self, box_key_id: str) -> bytes:
        if box_key_id not in self._opened:
            sealed = self._sealed[box_key_id]
            self._opened[box_key_id] = crypto.unseal(self._personal_private, sealed)
        return self._opened[box_key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sealed)

    def __len__(self) -> int:
        return len(self._sealed)

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self)}>"


@dataclass(frozen=True)
class Held:
    """What one person can open: the boxes they keep, and the keys of these boxes."""

    box_ids: frozenset[str] = frozenset()
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def held_by(session: Session, staff_id: str, personal_key_id: str, personal_private: bytes) -> Held:
    """The boxes whose keys were granted to this person and whose keeper they are now.

    A supervision group's box is kept by the group's supervisors.

    Both are asked for. Threat: a keeper whose role was taken away still has the grant until the
    box gets a new pair; an administrator who hands out the role has no grant to go with it.
    """
    rows = session.execute(
        sa.select(BoxKey.id, BoxKey.box_id, KeyGrant.sealed_private_key)
        .join(KeyGrant, KeyGrant.box_key_id == BoxKey.id)
        .join(Box, Box.id == BoxKey.box_id)
        .join(Unit, Unit.id == Box.unit_id)
        .join(RoleAssignment, RoleAssignment.unit_id == Box.unit_id)
        .where(
            KeyGrant.personal_key_id == personal_key_id,
            RoleAssignment.staff_id == staff_id,
            sa.or_(
                RoleAssignment.role == Role.KEEPER,
                (RoleAssignment.role == Role.SUPERVISOR) & (Unit.kind == UnitKind.GROUP),
            ),
        )
    ).all()
    return Held(
        box_ids=frozenset(box_id for _, box_id, _ in rows),
        keys=KeyRing(personal_private, {key_id: sealed for key_id, _, sealed in rows}),
    )


def unlock_boxes(
    session: Session, personal_key_id: str, personal_private: bytes
) -> Mapping[str, bytes]:
    """Box key id -> private key, of every box granted to this pair, retired pairs included.

    Whether the person is still keeper isn't asked: `held_by` does. A wrong private key raises
    SealError at the first key asked for.
    """
    rows = session.execute(
        sa.select(KeyGrant.box_key_id, KeyGrant.sealed_private_key).where(
            KeyGrant.personal_key_id == personal_key_id
        )
    )
    return KeyRing(personal_private, {row.box_key_id: row.sealed_private_key for row in rows})


def ever_held(session: Session, staff_id: str, box_id: str) -> bool:
    """Whether a person was granted any key of this box, by any of their pairs."""
    return bool(
        session.scalar(
            sa.select(
                sa.exists()
                .where(KeyGrant.box_key_id == BoxKey.id, BoxKey.box_id == box_id)
                .where(KeyGrant.personal_key_id == PersonalKey.id, PersonalKey.staff_id == staff_id)
            )
        )
    )


def assignments(session: Session) -> list[tuple[str, str, str]]:
    """Every role as username, role, unit's slug (empty: the county); in a steady order."""
    rows = session.execute(
        sa.select(Staff.username, RoleAssignment.role, Unit.slug)
        .join(RoleAssignment, RoleAssignment.staff_id == Staff.id)
        .outerjoin(Unit, Unit.id == RoleAssignment.unit_id)
        .order_by(Staff.username, RoleAssignment.role, Unit.slug)
    )
    return [(username, str(role), slug or "") for username, role, slug in rows]
