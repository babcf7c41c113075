"""Signing in: password, waits after failures, second factor; changing either of the two.

What a failure changes must be committed, so refusals of a sign-in are returned, not raised.
"""

from __future__ import annotations

import datetime as dt
import hmac
import math
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, Invalid
from app.staff import audit, keepers, second_factor
from app.staff.models import PersonalKey, Staff, TrustedDevice
from app.staff.sessions import SessionKeys, end_all

FREE_TRIES = 3
LONGEST_WAIT = dt.timedelta(minutes=15)
FORM_LIFETIME = dt.timedelta(days=1)


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
    trusted = second_factor.is_trusted(session, staff, device, instance_secret, now)
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
    step = second_factor.matching_step(totp_secret, code, now)
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


def check_recovery_code(
    session: Session, staff_id: str, code: str, instance_secret: bytes, now: dt.datetime
) -> Invalid | None:
    """The second step without the phone: a recovery code, spent by this. None when it is right.

    A wrong one counts like a wrong one-time code.
    """
    staff = _locked(session, Staff.id == staff_id)
    if staff is None:
        return _refusal()
    if _must_wait(staff, now):
        return _wait_refusal(staff, now)
    if not second_factor.spend_recovery_code(session, staff_id, code, instance_secret):
        _count_failure(staff, now)
        audit.record(session, now, staff.id, "sign_in_refused", detail="recovery")
        return Invalid(
            N_("这个恢复码不对，或者已经用过了。每个只能用一次，请换下一个。"), field="recovery"
        )
    _count_success(session, staff, now, "recovery")
    return None


def trust_device(session: Session, staff_id: str, instance_secret: bytes, now: dt.datetime) -> str:
    """The cookie value by which a device skips the second factor for 30 days."""
    staff = session.get_one(Staff, staff_id)
    audit.record(session, now, staff.id, "trust_device")
    return second_factor.trust(session, staff, instance_secret, now)


def staff_by_id(session: Session, staff_id: str) -> Staff | None:
    """A member of staff, or None."""
    return session.get(Staff, staff_id)


def queue_filter(session: Session, staff_id: str) -> str | None:
    """The part of the queue that somebody wants to see first; None: nothing was said."""
    return session.scalar(sa.select(Staff.queue_filter).where(Staff.id == staff_id))


def keep_queue_filter(session: Session, staff_id: str, name: str) -> None:
    """Show this part of the queue first from now on."""
    session.execute(sa.update(Staff).where(Staff.id == staff_id).values(queue_filter=name))


def check_password(
    session: Session, staff_id: str, master: bytes, now: dt.datetime
) -> Invalid | None:
    """The password asked for again before something weighty; a wrong one counts, like at the door.

    Threat: an unlocked desk in somebody else's hands, guessing on. `master` as for `sign_in`.
    """
    staff = _locked(session, Staff.id == staff_id)
    if staff is None:
        return _refusal()
    if _must_wait(staff, now):
        return _wait_refusal(staff, now)
    if not crypto.equal(staff.password_verifier, keepers.verifier(master)):
        _count_failure(staff, now)
        audit.record(session, now, staff.id, "sign_in_refused", detail="password")
        return Invalid(N_("现在的密码不对，没有改动。"), field="old_password")
    return None


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
    replace_password(session, staff, old, keepers.stretch(new_password, pepper), now)


def replace_password(
    session: Session, staff: Staff, old: bytes, new: keepers.Credentials, now: dt.datetime
) -> None:
    """`change_password` with both stretched already, `old` known to be right."""
    totp_secret = keepers.open_totp_secret(old, staff.sealed_totp_secret)
    for key in session.scalars(sa.select(PersonalKey).where(PersonalKey.staff_id == staff.id)):
        try:
            private_key = keepers.open_private_key(old, key.sealed_private_key)
        except crypto.SealError:
            continue  # a pair from before a forgotten password: lost with that password
        key.sealed_private_key = keepers.seal_private_key(new.master, private_key)
    keepers.set_credentials(staff, new, totp_secret)
    _end_trust(session, staff.id)
    audit.record(session, now, staff.id, "change_password", subject=staff.id)
    session.flush()


def replace_second_factor(
    session: Session, staff: Staff, master: bytes, totp_secret: str, step: int, now: dt.datetime
) -> None:
    """A new second factor under the same password, proved with the code of `step`.

    For a new phone; all desks of the person close and trusted devices end. Nobody else can do
    this: the password's master key is needed.
    """
    staff.sealed_totp_secret = keepers.seal_totp_secret(master, totp_secret)
    staff.last_totp_step = step
    _end_trust(session, staff.id)
    audit.record(session, now, staff.id, "change_second_factor", subject=staff.id)
    session.flush()


def _end_trust(session: Session, staff_id: str) -> None:
    end_all(session, staff_id)
    session.execute(sa.delete(TrustedDevice).where(TrustedDevice.staff_id == staff_id))


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
