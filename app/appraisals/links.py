"""Private links: issued once, good for one purpose, lapsing, revocable, opening one member's page.

A link carries 16 random bytes that are stored nowhere. From them come the row's id and, with the
instance's pepper, an X25519 pair; what the member is to read is sealed to it. So a dump opens
nothing without the link, a link nothing without the instance; a revoked link nothing at all.
"""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass, field

import nacl.utils
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import crypto
from app.appraisals import record
from app.appraisals.models import Appraisal, AppraisalText, MemberLink, Purpose, TextKind
from app.appraisals.workflow import Move, State, legal
from app.errors import N_, Conflict, NotFound
from app.organisation.models import Box, Member
from app.sealing import service as sealing
from app.staff import tokens
from config import Secrets

LIFETIME = dt.timedelta(days=30)
SECRET_BYTES = 16
_PURPOSES = {Purpose.SELF: "self-appraisal link", Purpose.FEEDBACK: "feedback link"}
_EVER = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True)
class Issued:
    """A link that was just made; its token is shown or printed now or never."""

    token: str = field(repr=False)
    link: MemberLink
    link_id: str
    purpose: Purpose
    expires_at: dt.datetime
    member_name: str


@dataclass(frozen=True)
class OpenLink:
    """A link in its member's hand, for the length of one request."""

    link: MemberLink
    appraisal: Appraisal
    member: Member
    private_key: bytes = field(repr=False)


def _link_id(secret: bytes) -> str:
    return crypto.hkdf(secret, "member link id", 16).hex()


def _private_key(secret: bytes, secrets: Secrets) -> bytes:
    return crypto.hkdf(secret, "member link key", salt=secrets.pepper)


def issue(
    session: Session,
    appraisal: Appraisal,
    purpose: Purpose,
    issued_by: str,
    now: dt.datetime,
    secrets: Secrets,
) -> Issued:
    """A fresh link, good for 30 days; a former one for the same purpose dies in the same act.

    Raises Conflict for a member who has left.
    """
    if appraisal.gone_on or has_left(session, appraisal, record.member_of(session, appraisal)):
        raise Conflict(N_("他已经不在这个支部了，不能再发链接。什么都没有改变。"))
    revoke(session, appraisal, purpose)
    secret = nacl.utils.random(SECRET_BYTES)
    link = MemberLink(
        id=_link_id(secret),
        appraisal_id=appraisal.id,
        purpose=purpose,
        public_key=crypto.public_key_of(_private_key(secret, secrets)),
        issued_by=issued_by,
        expires_at=now + LIFETIME,
    )
    session.add(link)
    session.flush()
    values = {"key": base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    token = tokens.sign(secrets.instance_secret, _PURPOSES[purpose], values, link.expires_at)
    name = record.member_of(session, appraisal).name
    return Issued(token, link, link.id, purpose, link.expires_at, name)


def revoke(session: Session, appraisal: Appraisal, purpose: Purpose) -> bool:
    """Make a link useless, whatever was copied of it: its wraps go, and a draft that only it opens.

    Whether there was one.
    """
    link = of(session, appraisal.id, purpose)
    if link is None:
        return False
    mine = sa.select(AppraisalText).where(AppraisalText.link_id == link.id)
    found = list(session.scalars(mine))
    record.destroy(session, [text for text in found if text.kind is TextKind.SELF_DRAFT])
    kept = [text.item_id for text in found if text.kind is not TextKind.SELF_DRAFT]
    sealing.burn_receipt_wraps(session, kept)
    session.execute(sa.delete(MemberLink).where(MemberLink.id == link.id))
    return True


def revoke_all(session: Session, appraisal: Appraisal) -> None:
    """Make every link of an appraisal useless."""
    for purpose in Purpose:
        revoke(session, appraisal, purpose)


def of(session: Session, appraisal_id: str, purpose: Purpose) -> MemberLink | None:
    """The link that is out for this purpose, lapsed or not."""
    return session.scalar(
        sa.select(MemberLink).where(
            MemberLink.appraisal_id == appraisal_id, MemberLink.purpose == purpose
        )
    )


def may_issue_to_many(
    session: Session, appraisal: Appraisal, purpose: Purpose, now: dt.datetime
) -> bool:
    """Whether a sheet for many takes this one in: something to do, and no good link is out yet.

    Threat: a sheet printed twice by mistake would make the links of the first useless.
    """
    if appraisal.gone_on is not None:
        return False
    there = of(session, appraisal.id, purpose)
    if there is not None and there.expires_at > now:
        return False
    if purpose is Purpose.SELF:
        return appraisal.handed_on is None and legal(appraisal.state, Move.HAND_IN)
    return appraisal.state is State.FINISHED


def look(
    session: Session, token: str, secrets: Secrets, now: dt.datetime, *, to_act: bool = False
) -> OpenLink:
    """What a link opens. Raises NotFound for an altered one, Conflict for one that is over.

    `to_act` holds the link until commit: of two acts at once (a double click) one sees the other.
    """
    purpose, secret = _read(token, secrets)
    link = session.get(MemberLink, _link_id(secret), with_for_update=to_act)
    # The row's purpose is asked as well as the signature's: one mistake must not open two doors.
    if link is None or link.purpose is not purpose or link.expires_at <= now:
        raise _over()
    appraisal = session.get_one(Appraisal, link.appraisal_id)
    member = record.member_of(session, appraisal)
    if appraisal.state is State.REMOVED or has_left(session, appraisal, member):
        raise _over()
    return OpenLink(link, appraisal, member, _private_key(secret, secrets))


def has_left(session: Session, appraisal: Appraisal, member: Member) -> bool:
    """Whether the member is no longer of the branch that appraises them: gone, or moved."""
    box = session.get_one(Box, record.occasion_of(session, appraisal).box_id)
    return member.left_on is not None or member.unit_id != box.unit_id


def _read(token: str, secrets: Secrets) -> tuple[Purpose, bytes]:
    for purpose, name in _PURPOSES.items():
        # Whether it has lapsed is the row's to say: an old link is told apart from an altered one.
        values = tokens.read(secrets.instance_secret, name, token, _EVER)
        if values is not None:
            return purpose, base64.urlsafe_b64decode(values["key"] + "==")
    raise NotFound(
        N_("这个链接不完整，多半是抄的时候少了几个字。请对照原来的链接，或请支部再给您一次。")
    )


def _over() -> Conflict:
    return Conflict(
        N_("这个链接已经过期、收回了，或者换了新的。什么都没有改变，请支部再给您一次。")
    )
