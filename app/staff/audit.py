"""What staff did, for the auditors: ids and reason codes; never a text, never an address."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.crypto import random_id
from app.db import Base

KEPT_REFUSED = dt.timedelta(days=180)
ACTION_LENGTH, SUBJECT_LENGTH, DETAIL_LENGTH = 64, 64, 120


class AuditRow(Base):
    """One act of a member of staff.

    `staff_id` is a plain value, so that the row outlives the account; null when nobody is known
    (a sign-in under a name that doesn't exist). `subject` is the id of a case, box or person,
    `detail` a reason code.
    """

    __tablename__ = "audit_row"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, default=random_id)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    staff_id: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    action: Mapped[str] = mapped_column(sa.String(ACTION_LENGTH))
    subject: Mapped[str] = mapped_column(sa.String(SUBJECT_LENGTH), default="")
    detail: Mapped[str] = mapped_column(sa.String(DETAIL_LENGTH), default="")


def record(
    session: Session,
    now: dt.datetime,
    staff_id: str | None,
    action: str,
    subject: str = "",
    detail: str = "",
) -> None:
    """Keep one act, in the transaction of the act itself: neither stands without the other.

    `now` is a UTC instant, `detail` a reason code of at most 120 characters. Raises ValueError
    when a value is too long for its column: a text has strayed in.
    """
    if len(action) > ACTION_LENGTH or len(subject) > SUBJECT_LENGTH or len(detail) > DETAIL_LENGTH:
        raise ValueError("the audit keeps ids and codes, not texts")
    session.add(AuditRow(at=now, staff_id=staff_id, action=action, subject=subject, detail=detail))


def purge_refused(session: Session, now: dt.datetime) -> None:
    """Forget sign-ins that were refused long ago: the only rows that a stranger can make."""
    old = (AuditRow.action == "sign_in_refused") & (AuditRow.at < now - KEPT_REFUSED)
    session.execute(sa.delete(AuditRow).where(old))


@dataclass(frozen=True)
class Place:
    """Where a page of the record ends, as it stands in an address."""

    at: dt.datetime
    id: str

    def __str__(self) -> str:
        return f"{self.at.astimezone(dt.UTC):%Y%m%dT%H%M%S.%fZ}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """A place from an address; None when it is none."""
        found = re.fullmatch(r"(\d{8}T\d{6}\.\d{6})Z\.([0-9a-f]{32})", text, re.ASCII)
        if found is None:
            return None
        try:
            at = dt.datetime.strptime(found[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=dt.UTC)
        except ValueError:
            return None
        return cls(at, found[2])


def acted(session: Session, staff_id: str, subject: str, actions: Iterable[str]) -> bool:
    """Whether a person ever did one of these acts to a thing."""
    return bool(
        session.scalar(
            sa.select(
                sa.exists().where(
                    AuditRow.staff_id == staff_id,
                    AuditRow.subject == subject,
                    AuditRow.action.in_(list(actions)),
                )
            )
        )
    )


def newest(
    session: Session,
    at_most: int,
    *,
    staff_id: str | None = None,
    action: str = "",
    after: Place | None = None,
) -> list[AuditRow]:
    """Acts, the newest first: of or about one person (`staff_id`), of one kind (`action`)."""
    query = sa.select(AuditRow).order_by(AuditRow.at.desc(), AuditRow.id.desc()).limit(at_most)
    if staff_id is not None:
        query = query.where(sa.or_(AuditRow.staff_id == staff_id, AuditRow.subject == staff_id))
    if action:
        query = query.where(AuditRow.action == action[:ACTION_LENGTH].replace("\0", ""))
    if after is not None:
        query = query.where(
            sa.or_(AuditRow.at < after.at, sa.and_(AuditRow.at == after.at, AuditRow.id < after.id))
        )
    return list(session.scalars(query))
