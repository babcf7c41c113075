"""Staff, their personal keys, roles, the box keys they hold, and their sessions at the desk."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.crypto import random_id
from app.db import Base, enum_type


class Role(StrEnum):
    """What a member of staff may do; always for one unit, or for the county when it names none."""

    KEEPER = "keeper"
    SUPERVISOR = "supervisor"
    OFFICE = "office"
    OPERATOR = "operator"


# Whoever has one of these for a box's own unit may hold that box's key: keepers of a branch,
# supervisors of a supervision group. One rule for both, wherever keys are given or taken.
HOLDING_ROLES = (Role.KEEPER, Role.SUPERVISOR)


class Staff(Base):
    """A person with a desk.

    Everything secret hangs on the password's master key (Argon2id), which is never stored:
    `password_verifier` is SHA-256 of a key derived from it, `sealed_totp_secret` is encrypted
    under another. Threat: an administrator or a dump can neither read nor replace somebody's
    second factor.

    `failed_sign_ins` counts since the last complete sign-in, `next_sign_in_at` ends the wait that
    they cost, `last_totp_step` is the newest 30-second step whose one-time code was spent.
    `queue_filter` names the part of the queue that they want to see first.
    """

    __tablename__ = "staff"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)
    password_salt: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    password_verifier: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    sealed_totp_secret: Mapped[bytes]
    last_totp_step: Mapped[int | None] = mapped_column(sa.BigInteger)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    next_sign_in_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]
    queue_filter: Mapped[str | None] = mapped_column(sa.String(16))

    __table_args__ = (
        sa.CheckConstraint("failed_sign_ins >= 0", name="failed_sign_ins_not_negative"),
    )


class PersonalKey(Base):
    """A person's key pair; the private half lies under their password.

    A forgotten password makes a new pair and retires this one: what was granted to it is lost
    with it, and a colleague grants anew.
    """

    __tablename__ = "personal_key"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    staff_id: Mapped[str] = mapped_column(sa.ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    public_key: Mapped[bytes]
    sealed_private_key: Mapped[bytes]
    created_on: Mapped[dt.date]
    retired_on: Mapped[dt.date | None]

    __table_args__ = (
        sa.Index(
            "uq_personal_key_current",
            "staff_id",
            unique=True,
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        ),
    )


class RoleAssignment(Base):
    """A role that a person holds for a unit; without one, for the county."""

    __tablename__ = "role_assignment"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    staff_id: Mapped[str] = mapped_column(sa.ForeignKey("staff.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(enum_type(Role, "role"))
    unit_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )

    __table_args__ = (
        sa.UniqueConstraint("staff_id", "role", "unit_id"),
        # SQL holds two nulls to be different: the county's roles need an index of their own.
        sa.Index(
            "uq_role_assignment_county",
            "staff_id",
            "role",
            unique=True,
            sqlite_where=sa.text("unit_id IS NULL"),
            postgresql_where=sa.text("unit_id IS NULL"),
        ),
    )


class KeyGrant(Base):
    """A box's private key, sealed to one keeper's personal key."""

    __tablename__ = "key_grant"

    box_key_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box_key.id", ondelete="RESTRICT"), primary_key=True
    )
    personal_key_id: Mapped[str] = mapped_column(
        sa.ForeignKey("personal_key.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    sealed_private_key: Mapped[bytes]


class StaffSession(Base):
    """A desk that is open in somebody's browser.

    `id_hash` is SHA-256 of the id in the cookie; `sealed_keys` opens with the half key, which is
    in the cookie alone. Threat: whoever reads this table can neither take over a session nor
    open a key.
    """

    __tablename__ = "staff_session"

    id_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    staff_id: Mapped[str] = mapped_column(sa.ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    sealed_keys: Mapped[bytes]
    passed_second_factor: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


class TrustedDevice(Base):
    """A device that skips the second factor, as a row that its owner can end.

    The cookie on the device names this row and is bound to password and second factor besides.
    What kind of device it is isn't kept.
    """

    __tablename__ = "trusted_device"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    staff_id: Mapped[str] = mapped_column(sa.ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]


class RecoveryCode(Base):
    """A code that stands in once for the second factor; a spent one has no row.

    `code_hash` is keyed with the instance secret and bound to the person. Threat: a dump alone
    tells no code.
    """

    __tablename__ = "recovery_code"

    code_hash: Mapped[bytes] = mapped_column(sa.LargeBinary(32), primary_key=True)
    staff_id: Mapped[str] = mapped_column(sa.ForeignKey("staff.id", ondelete="CASCADE"), index=True)


class Invitation(Base):
    """A link that waits for its person: to a first account, or to a renewal of one.

    A renewal names the account (`staff_id`) and gives no role; an invitation gives a role for a
    unit (None: the county). The row is deleted when it is used or withdrawn: a link works once.
    `invited_by` is a plain value, null on the command line.
    """

    __tablename__ = "invitation"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)
    role: Mapped[Role | None] = mapped_column(enum_type(Role, "role"))
    unit_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )
    staff_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("staff.id", ondelete="CASCADE"), index=True
    )
    invited_by: Mapped[str | None] = mapped_column(sa.String(32))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]

    __table_args__ = (
        sa.CheckConstraint("(staff_id IS NULL) = (role IS NOT NULL)", name="role_or_renewal"),
    )


class RecoveryKey(Base):
    """The public half of an offline recovery key, of a unit or (None) of the county.

    The private half exists on two sheets of paper at two bodies, and nowhere else. `retired_on`:
    a newer one took over; what was sealed to this one can still be recovered with its sheets.
    """

    __tablename__ = "recovery_key"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    unit_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("unit.id", ondelete="RESTRICT"), index=True
    )
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary(32), unique=True)
    created_on: Mapped[dt.date]
    retired_on: Mapped[dt.date | None]

    __table_args__ = (
        sa.Index(
            "uq_recovery_key_current",
            "unit_id",
            unique=True,
            sqlite_where=sa.text("retired_on IS NULL"),
            postgresql_where=sa.text("retired_on IS NULL"),
        ),
    )


class RecoveryGrant(Base):
    """A box's private key, sealed to a recovery key."""

    __tablename__ = "recovery_grant"

    box_key_id: Mapped[str] = mapped_column(
        sa.ForeignKey("box_key.id", ondelete="RESTRICT"), primary_key=True
    )
    recovery_key_id: Mapped[str] = mapped_column(
        sa.ForeignKey("recovery_key.id", ondelete="RESTRICT"), primary_key=True, index=True
    )
    sealed_private_key: Mapped[bytes]
