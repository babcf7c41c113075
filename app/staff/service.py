"""Signing in: password, waits after failures, one-time code, trusted devices, change of password.

What a failure changes must be committed, so refusals of a sign-in are returned, not raised.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import math
import unicodedata
from dataclasses import dataclass, field

import nacl.utils
import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Invalid
from app.staff import audit, keepers, tokens
from app.staff.models import PersonalKey, Staff
from app.staff.sessions import SessionKeys, end_all

FREE_TRIES = 3
LONGEST_WAIT = dt.timedelta(minutes=15)
TOTP_SECONDS = 30
TOTP_DRIFT = 1
DEVICE_LIFETIME = dt.timedelta(days=30)
FORM_LIFETIME = dt.timedelta(days=1)
DEVICE = "trusted device"


@dataclass(frozen=True)
class Unlocked:
    """A right password: the person, what it opened, and whether this device is trusted by them."""

    staff: Staff
    keys: SessionKeys = field(repr=False)
    trusted_device: bool


def salt_for(session: Session, username: str, pepper: bytes) -> bytes:
    """The salt to stretch a typed password with; a name that doesn't exist gets a steady one.

    Argon2id runs between this and `sign_in`, outside any transaction: a fifth of a second under
    the write lock at every wrong password would let anybody hold up the boxes.
    """
    name = keepers.normal_username(username)
    salt = session.scalar(sa.select(Staff.password_salt).where(Staff.username == name))
    # Threat: asking which names exist. The unknown one costs the same Argon2id.
    typed = username.encode(errors="replace")
    return salt or hmac.digest(pepper, b"no such name" + typed, "sha256")[: keepers.SALT_BYTES]


def sign_in(
    session: Session,
    *,
    username: str,
    master: bytes,
    now: dt.datetime,
    instance_secret: bytes,
    device: str = "",
) -> Unlocked | Invalid:
    """The first step: name and password. Three free tries, then a wait that doubles up to 15 min.

    `master` is `crypto.stretch_password(password, pepper, salt_for(...))`, `now` a UTC instant,
    `device` the value of the trusted device's cookie. The refusal is the same for an unknown name,
    a wrong password and a try during the wait, which isn't looked at and doesn't prolong it
    (threats: asking which names exist; guessing on through the wait). The wait belongs to one
    account, and a device that its owner trusts doesn't have to wait: nobody can shut a named
    person out for good.
    """
    staff = _locked(session, Staff.username == keepers.normal_username(username))
    if staff is None:
        audit.record(session, now, None, "sign_in_refused", detail="unknown")
        return _refusal()
    trusted = _is_trusted(staff, device, instance_secret, now)
    if _must_wait(staff, now) and not trusted:
        audit.record(session, now, staff.id, "sign_in_refused", detail="wait")
        return _refusal()
    if not crypto.equal(staff.password_verifier, keepers.verifier(master)):
        _count_failure(staff, now)
        audit.record(session, now, staff.id, "sign_in_refused", detail="password")
        return _refusal()
    if trusted:
        _count_success(session, staff, now, "device")
    key = keepers.personal_key_of(session, staff.id)
    keys = SessionKeys(
        personal_key_id=key.id,
        private_key=keepers.open_private_key(master, key.sealed_private_key),
        totp_secret=keepers.open_totp_secret(master, staff.sealed_totp_secret),
    )
    return Unlocked(staff, keys, trusted)


def _refusal() -> Invalid:
    return Invalid(
        N_(
            "没能登录：用户名和密码对不上，或者这个账号刚才试错了几次，还要稍等。"
            "请核对一下，过一会儿再试（最多等 15 分钟）。"
        ),
        field="password",
    )


def check_totp(
    session: Session, staff_id: str, totp_secret: str, code: str, now: dt.datetime
) -> Invalid | None:
    """The second step: a one-time code (SHA-1, 6 digits, 30 s), one step early or late at most.

    None when it is right; it is spent then, and so is every older one: a code that somebody saw
    over a shoulder opens nothing. A wrong one counts like a wrong password.
    """
    staff = _locked(session, Staff.id == staff_id)
    if staff is None:
        return _refusal()
    if _must_wait(staff, now):
        return _wait_refusal(staff, now)
    step = _matching_step(totp_secret, code, now)
    if step is None:
        _count_failure(staff, now)
        audit.record(session, now, staff.id, "sign_in_refused", detail="totp")
        return Invalid(
            N_("动态码不对。请看手机上最新的六位数字；如果一直不对，请检查手机的时间。"),
            field="totp",
        )
    if staff.last_totp_step is not None and step <= staff.last_totp_step:
        return Invalid(N_("这个动态码已经用过了。请等手机上换了下一个再输入。"), field="totp")
    staff.last_totp_step = step
    _count_success(session, staff, now, "totp")
    return None


def trust_device(session: Session, staff_id: str, instance_secret: bytes, now: dt.datetime) -> str:
    """The cookie value by which a device skips the second factor for 30 days.

    Bound to the password and the second factor of today: a change of either ends the trust.
    """
    staff = session.get_one(Staff, staff_id)
    values = {"staff": staff.id, "bound": _device_binding(staff)}
    audit.record(session, now, staff.id, "trust_device")
    return tokens.sign(instance_secret, DEVICE, values, now + DEVICE_LIFETIME)


def staff_by_id(session: Session, staff_id: str) -> Staff | None:
    """A member of staff, or None."""
    return session.get(Staff, staff_id)


def change_password(
    session: Session,
    staff: Staff,
    *,
    old_password: str,
    new_password: str,
    pepper: bytes,
    now: dt.datetime,
) -> None:
    """Put everything that the old password opens under the new one; all desks of the person close.

    Trusted devices end with it. Nobody can do this without the old password: there is no reset
    into somebody's keys. Raises Invalid (fields `old_password`, `password`).
    """
    old = crypto.stretch_password(old_password, pepper, staff.password_salt)
    if not crypto.equal(staff.password_verifier, keepers.verifier(old)):
        raise Invalid(N_("现在的密码不对，没有改动。"), field="old_password")
    keepers.require_strong(new_password)
    salt = nacl.utils.random(keepers.SALT_BYTES)
    new = crypto.stretch_password(new_password, pepper, salt)
    totp_secret = keepers.open_totp_secret(old, staff.sealed_totp_secret)
    for key in session.scalars(sa.select(PersonalKey).where(PersonalKey.staff_id == staff.id)):
        try:
            private_key = keepers.open_private_key(old, key.sealed_private_key)
        except crypto.SealError:
            continue  # a pair from before a forgotten password: lost with that password
        key.sealed_private_key = keepers.seal_private_key(new, private_key)
    staff.password_salt, staff.password_verifier = salt, keepers.verifier(new)
    staff.sealed_totp_secret = keepers.seal_totp_secret(new, totp_secret)
    end_all(session, staff.id)
    audit.record(session, now, staff.id, "change_password", subject=staff.id)
    session.flush()


def _locked(session: Session, condition: sa.ColumnElement[bool]) -> Staff | None:
    # The row lock makes counting failures and spending a code atomic on PostgreSQL; SQLite's
    # transaction() holds the only write lock anyway.
    query = sa.select(Staff).where(condition).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def _must_wait(staff: Staff, now: dt.datetime) -> bool:
    return staff.next_sign_in_at is not None and now < staff.next_sign_in_at


def _wait_refusal(staff: Staff, now: dt.datetime) -> Invalid:
    left = (staff.next_sign_in_at or now) - now
    return Invalid(
        N_("刚才试错了几次，请等 %(seconds)d 秒再输入。账号没有被锁，内容都在。"),
        field="totp",
        seconds=math.ceil(left.total_seconds()),
    )


def _count_failure(staff: Staff, now: dt.datetime) -> None:
    staff.failed_sign_ins += 1
    over = staff.failed_sign_ins - FREE_TRIES
    if over >= 0:
        wait = dt.timedelta(seconds=2 ** min(over + 1, 10))
        staff.next_sign_in_at = now + min(wait, LONGEST_WAIT)


def _count_success(session: Session, staff: Staff, now: dt.datetime, by: str) -> None:
    # Only a complete sign-in clears the count: a known password must not buy endless codes.
    staff.failed_sign_ins = 0
    staff.next_sign_in_at = None
    audit.record(session, now, staff.id, "sign_in", detail=by)


def _matching_step(totp_secret: str, code: str, now: dt.datetime) -> int | None:
    typed = "".join(unicodedata.normalize("NFKC", code).split()).encode(errors="replace")
    totp = pyotp.TOTP(totp_secret)
    present = int(now.timestamp()) // TOTP_SECONDS
    # The newest first: a code that recurs in the window is spent at its latest step.
    for step in range(present + TOTP_DRIFT, present - TOTP_DRIFT - 1, -1):
        if crypto.equal(totp.generate_otp(step).encode(), typed):
            return step
    return None


def _device_binding(staff: Staff) -> str:
    return hashlib.sha256(staff.password_verifier + staff.sealed_totp_secret).hexdigest()


def _is_trusted(staff: Staff, device: str, instance_secret: bytes, now: dt.datetime) -> bool:
    values = tokens.read(instance_secret, DEVICE, device, now)
    return values is not None and values == {
        "staff": staff.id,
        "bound": _device_binding(staff),
        "until": values["until"],
    }
