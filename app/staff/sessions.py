"""Sessions of the desk, cut in two: what the table holds opens only with what the cookie holds."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field, replace

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, NotFound
from app.staff.models import StaffSession

LIFETIME = dt.timedelta(hours=10)
HALFWAY_LIFETIME = dt.timedelta(minutes=15)
_COOKIE = re.compile(r"([0-9a-f]{32})([0-9a-f]{64})")


@dataclass(frozen=True)
class SessionKeys:
    """What a password unlocked: the personal pair, and the TOTP secret until it was asked for."""

    personal_key_id: str
    private_key: bytes = field(repr=False)
    totp_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class OpenSession:
    """A session whose two halves have met, for the length of one request."""

    id_hash: bytes = field(repr=False)
    staff_id: str
    passed_second_factor: bool
    half_key: bytes = field(repr=False)
    keys: SessionKeys

    @property
    def csrf_token(self) -> str:
        """The token of this session's forms: it proves the cookie and is stored nowhere."""
        return hmac.digest(crypto.hkdf(self.half_key, "desk csrf"), b"form", "sha256").hex()

    def is_own(self, csrf_token: str) -> bool:
        """Whether a form came from a page of this session."""
        return crypto.equal(self.csrf_token.encode(), csrf_token.encode(errors="replace"))


def open_session(
    session: Session,
    staff_id: str,
    keys: SessionKeys,
    now: dt.datetime,
    *,
    passed_second_factor: bool = False,
) -> str:
    """A new session; returns the cookie's value: a random id and a random half key.

    Lasts 10 hours whatever is done in it, 15 minutes until the second factor has been passed.
    """
    session_id, half_key = nacl.utils.random(16), nacl.utils.random(crypto.KEY_BYTES)
    if passed_second_factor:
        keys = replace(keys, totp_secret=None)
    session.add(
        StaffSession(
            id_hash=hashlib.sha256(session_id).digest(),
            staff_id=staff_id,
            sealed_keys=crypto.encrypt(half_key, _pack(keys)),
            passed_second_factor=passed_second_factor,
            created_at=now,
            expires_at=now + (LIFETIME if passed_second_factor else HALFWAY_LIFETIME),
        )
    )
    session.flush()
    return session_id.hex() + half_key.hex()


def find_session(session: Session, cookie: str, now: dt.datetime) -> OpenSession | None:
    """The session of a cookie, or None: unknown, lapsed, altered. Never writes."""
    match = _COOKIE.fullmatch(cookie)
    if match is None:
        return None
    session_id, half_key = (bytes.fromhex(part) for part in match.groups())
    row = session.get(StaffSession, hashlib.sha256(session_id).digest())
    if row is None or row.expires_at <= now:
        return None
    try:
        keys = _unpack(crypto.decrypt(half_key, row.sealed_keys))
    except crypto.SealError:
        return None
    return OpenSession(
        id_hash=row.id_hash,
        staff_id=row.staff_id,
        passed_second_factor=row.passed_second_factor,
        half_key=half_key,
        keys=keys,
    )


def promote(session: Session, halfway: OpenSession, now: dt.datetime) -> str:
    """The session after its second factor; returns a cookie value that shares nothing with the old.

    Threat: fixation. Whoever planted or saw the first cookie holds nothing afterwards; the TOTP
    secret leaves the session.
    """
    end_session(session, halfway)
    return open_session(session, halfway.staff_id, halfway.keys, now, passed_second_factor=True)


def end_session(session: Session, ended: OpenSession) -> None:
    """Forget a session: its cookie opens nothing from now on."""
    session.execute(sa.delete(StaffSession).where(StaffSession.id_hash == ended.id_hash))


def end_all(session: Session, staff_id: str) -> None:
    """Forget every session of a person, in all browsers."""
    session.execute(sa.delete(StaffSession).where(StaffSession.staff_id == staff_id))


@dataclass(frozen=True)
class Desk:
    """An open desk as its owner's list shows it; `own`: the one that they are looking from."""

    id: str
    since: dt.datetime
    own: bool


def open_desks(session: Session, own: OpenSession, now: dt.datetime) -> list[Desk]:
    """The person's open desks, the newest first."""
    rows = session.scalars(
        sa.select(StaffSession)
        .where(
            StaffSession.staff_id == own.staff_id,
            StaffSession.passed_second_factor,
            StaffSession.expires_at > now,
        )
        .order_by(StaffSession.created_at.desc(), StaffSession.id_hash)
    )
    return [Desk(row.id_hash.hex(), row.created_at, row.id_hash == own.id_hash) for row in rows]


def end_desk(session: Session, own: OpenSession, desk_id: str) -> None:
    """Forget one session of the person. Raises NotFound for anybody else's."""
    well_formed = re.fullmatch(r"[0-9a-f]{64}", desk_id)
    found = session.get(StaffSession, bytes.fromhex(desk_id)) if well_formed else None
    if found is None or found.staff_id != own.staff_id:
        raise NotFound(N_("没有这次登录，可能已经结束了。"))
    session.delete(found)
    session.flush()


def end_others(session: Session, own: OpenSession) -> None:
    """Forget every session of the person but this one, half-open ones too."""
    session.execute(
        sa.delete(StaffSession).where(
            StaffSession.staff_id == own.staff_id, StaffSession.id_hash != own.id_hash
        )
    )


def any_expired(session: Session, now: dt.datetime) -> bool:
    """Whether a session has lapsed and is still there."""
    lapsed = sa.select(StaffSession.id_hash).where(StaffSession.expires_at <= now).limit(1)
    return session.scalar(lapsed) is not None


def purge_expired(session: Session, now: dt.datetime) -> None:
    """Delete the sessions that have lapsed."""
    session.execute(sa.delete(StaffSession).where(StaffSession.expires_at <= now))


def _pack(keys: SessionKeys) -> bytes:
    return json.dumps(
        {
            "personal_key_id": keys.personal_key_id,
            "private_key": keys.private_key.hex(),
            "totp_secret": keys.totp_secret,
        }
    ).encode()


def _unpack(packed: bytes) -> SessionKeys:
    values = json.loads(packed)
    return SessionKeys(
        personal_key_id=values["personal_key_id"],
        private_key=bytes.fromhex(values["private_key"]),
        totp_secret=values["totp_secret"],
    )
