"""The second factor: one-time codes, recovery codes, and the devices that needn't bring one."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import unicodedata

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.errors import N_, NotFound
from app.staff import tokens
from app.staff.models import RecoveryCode, Staff, TrustedDevice

TOTP_SECONDS = 30
TOTP_DRIFT = 1
DEVICE = "trusted device"
DEVICE_LIFETIME = dt.timedelta(days=30)
CODES, CODE_DIGITS = 10, 12


# --- one-time codes -----------------------------------------------------------------------------


def new_secret() -> str:
    """A fresh TOTP secret (base32)."""
    return pyotp.random_base32()


def address(totp_secret: str, username: str, issuer: str) -> str:
    """What the QR code says to an authenticator."""
    return pyotp.TOTP(totp_secret).provisioning_uri(name=username, issuer_name=issuer)


def matching_step(totp_secret: str, code: str, now: dt.datetime) -> int | None:
    """The 30-second step that a typed code belongs to, one early or late at most; else None."""
    typed = _typed(code)
    totp = pyotp.TOTP(totp_secret)
    present = int(now.timestamp()) // TOTP_SECONDS
    # The newest first: a code that recurs in the window is spent at its latest step.
    for step in range(present + TOTP_DRIFT, present - TOTP_DRIFT - 1, -1):
        if crypto.equal(totp.generate_otp(step).encode(), typed):
            return step
    return None


def _typed(code: str) -> bytes:
    return "".join(unicodedata.normalize("NFKC", code).split()).encode(errors="replace")


# --- recovery codes -----------------------------------------------------------------------------


def new_recovery_codes(session: Session, staff_id: str, instance_secret: bytes) -> list[str]:
    """Ten fresh codes in place of any older ones; they are shown once and stored as hashes."""
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    codes = [f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}" for _ in range(CODES)]
    rows = sorted(_hash(staff_id, code.encode(), instance_secret) for code in codes)
    session.add_all(RecoveryCode(code_hash=row, staff_id=staff_id) for row in rows)
    session.flush()
    return ["-".join(code[i : i + 4] for i in range(0, CODE_DIGITS, 4)) for code in codes]


def spend_recovery_code(
    session: Session, staff_id: str, typed: str, instance_secret: bytes
) -> bool:
    """Whether this is an unspent code of the person; it is spent then."""
    code = _typed(typed).replace(b"-", b"")
    spent = session.execute(
        sa.delete(RecoveryCode)
        .where(
            RecoveryCode.code_hash == _hash(staff_id, code, instance_secret),
            RecoveryCode.staff_id == staff_id,
        )
        .returning(RecoveryCode.staff_id)
    ).all()
    return bool(spent)


def recovery_codes_left(session: Session, staff_id: str) -> int:
    """How many codes the person has not spent."""
    left = sa.select(sa.func.count()).where(RecoveryCode.staff_id == staff_id)
    return session.scalar(left) or 0


def _hash(staff_id: str, code: bytes, instance_secret: bytes) -> bytes:
    key = crypto.hkdf(instance_secret, "recovery code")
    return hmac.digest(key, staff_id.encode() + b" " + code, "sha256")


# --- trusted devices ----------------------------------------------------------------------------


def trust(session: Session, staff: Staff, instance_secret: bytes, now: dt.datetime) -> str:
    """A row for a device, and the value of its cookie: it skips the second factor for 30 days.

    Bound to the password and the second factor of today: a change of either ends the trust.
    """
    purge_devices(session, now)
    until = now + DEVICE_LIFETIME
    device = TrustedDevice(staff_id=staff.id, created_at=now, expires_at=until)
    session.add(device)
    session.flush()
    values = {"staff": staff.id, "bound": _binding(staff), "device": device.id}
    return tokens.sign(instance_secret, DEVICE, values, until)


def is_trusted(
    session: Session, staff: Staff, cookie: str, instance_secret: bytes, now: dt.datetime
) -> bool:
    """Whether the person trusts this device today."""
    values = tokens.read(instance_secret, DEVICE, cookie, now)
    if values is None or values.get("staff") != staff.id or values.get("bound") != _binding(staff):
        return False
    row = session.get(TrustedDevice, values.get("device", ""))
    return row is not None and row.staff_id == staff.id and now < row.expires_at


def purge_devices(session: Session, now: dt.datetime) -> None:
    """Forget the devices whose thirty days are over."""
    session.execute(sa.delete(TrustedDevice).where(TrustedDevice.expires_at <= now))


def devices(session: Session, staff_id: str, now: dt.datetime) -> list[TrustedDevice]:
    """The devices that a person trusts, the newest first."""
    return list(
        session.scalars(
            sa.select(TrustedDevice)
            .where(TrustedDevice.staff_id == staff_id, TrustedDevice.expires_at > now)
            .order_by(TrustedDevice.created_at.desc(), TrustedDevice.id)
        )
    )


def end_device(session: Session, staff_id: str, device_id: str) -> None:
    """End the trust in one device of this person. Raises NotFound for anybody else's."""
    found = session.get(TrustedDevice, device_id)
    if found is None or found.staff_id != staff_id:
        raise NotFound(N_("没有这台设备，可能已经不再信任了。"))
    session.delete(found)
    session.flush()


def _binding(staff: Staff) -> str:
    return hashlib.sha256(staff.password_verifier + staff.sealed_totp_secret).hexdigest()
