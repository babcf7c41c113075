"""A speaker's side of the box: drop, find again what lies in it, act later, withdraw, burn.

Everything here runs inside `transaction()` and holds the opening key's row until commit, so that
what was acknowledged can't miss its opening.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import clock as calendar
from app import crypto
from app.crypto import ReceiptKeys
from app.errors import N_, Conflict, Invalid
from app.pictures.cleaning import Developed
from app.sealing import attachments
from app.sealing import service as sealing
from app.sealing.attachments import Album, Packed
from app.sealing.models import BoxKey, OpeningKey
from app.submissions import pool
from app.submissions.lying import (
    LyingAct,
    LyingDrop,
    LyingDummy,
    LyingLeaf,
    unwrap,
    wrap,
)
from app.submissions.models import LyingItem, SpeakerGroup
from app.submissions.ticket import Ticket
from app.transparency import log
from config import Secrets

MAX_OPINION = 5000
MAX_MESSAGE = 2000
ACTS_A_WEEK = 8
TAKEN = N_("这个回执码已经用过了，什么都没有存下。请对一对纸上的号码，也许这一份录过了。")


class Aspect(StrEnum):
    """What an opinion is about."""

    WORK = "work"
    CONDUCT = "conduct"
    OTHER = "other"


class About(StrEnum):
    """Whom an opinion is about."""

    COLLECTIVE = "collective"
    INDIVIDUAL = "individual"
    UNSAID = "unsaid"


class Recipient(StrEnum):
    """Who opens an opinion: the branch, or the supervision group past the branch."""

    BRANCH = "branch"
    SUPERIOR = "superior"


class Publish(StrEnum):
    """What the speaker allows to be published."""

    WORDS = "words"
    SUMMARY = "summary"
    NO = "no"


class StaleTicketError(Invalid):
    """The boxes were opened since the form was loaded: it is shown again with a fresh ticket."""


@dataclass(frozen=True)
class Opinion:
    """What a speaker puts into a box; `text` is clean (LF, no control characters).

    `uploads` are the hashes of the files as they were sent, `files` what was developed from them.
    `code` is the receipt code where it was printed before anything was written.
    """

    box_id: str
    unit_id: str
    text: str
    speaker: SpeakerGroup
    aspect: Aspect
    about: About
    publish: Publish
    channel: str = "web"
    place: str = ""
    uploads: tuple[str, ...] = ()
    files: tuple[Developed, ...] = field(default=(), repr=False)
    code: str = field(default="", repr=False)

    def fields(self) -> tuple[bytes, ...]:
        """Every field, for the derivation of the receipt code; of the files what was sent."""
        return tuple(str(v).encode() for name, v in vars(self).items() if name != "files")


@dataclass(frozen=True)
class Content:
    """What is sealed of an opinion: the words, the leaf's nonce, the promise, the choices.

    `place` names the branch it is about, where another box than the branch's own got it; `album`
    opens what is enclosed.
    """

    text: str
    nonce: bytes
    promise: str
    aspect: str
    about: str
    publish: str
    place: str = ""
    album: str = ""

    @property
    def enclosed(self) -> Album:
        """What opens the attachments."""
        return Album.read(self.album)

    @property
    def commitment(self) -> bytes:
        """C, computed anew from what was said."""
        return crypto.commitment_over(self.nonce, self.text, self.enclosed.files_hash)

    def encode(self) -> bytes:
        """As bytes to be sealed."""
        return json.dumps(asdict(self) | {"nonce": self.nonce.hex()}, ensure_ascii=False).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Content:
        """From the bytes of `encode`."""
        values = json.loads(raw)
        return cls(**(values | {"nonce": bytes.fromhex(values["nonce"])}))


@dataclass(frozen=True)
class Act:
    """A later act of a speaker: `reply`, `rate`, `publish`, `appeal`, `blamed`.

    `box_id` is the box that it waits in, `readers` the keys that will open its words, `rewraps`
    the content keys of the thread that go with it to the key `rewraps_to`.
    """

    case_id: str
    box_id: str
    kind: str
    readers: tuple[BoxKey, ...]
    value: str = ""
    text: str = ""
    rewraps_to: str = ""
    rewraps: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """What the speaker takes home; the code exists nowhere else."""

    code: str
    keys: ReceiptKeys
    promise: log.Promise


@dataclass(frozen=True)
class Pen:
    """What the edge hands to every act of a speaker: secrets, the log's name, the date."""

    secrets: Secrets
    origin: str
    today: dt.date

    def receipt_keys(self, code: str) -> ReceiptKeys:
        """Stretch a code; about 10 ms, so do it before the transaction begins."""
        return crypto.receipt_keys(code, self.secrets.pepper, self.secrets.site_salt)


def receipt_of(pen: Pen, ticket: Ticket, opinion: Opinion, attempt: int = 0) -> Receipt:
    """The receipt that this form gives: the same form gives the same receipt."""
    secret = pen.secrets.instance_secret
    code = opinion.code or crypto.derive_code(
        secret, ticket.id, attempt, ticket.place.encode(), *opinion.fields()
    )
    keys = pen.receipt_keys(code)
    hashes = map(attachments.hash_of, opinion.files)
    commitment = crypto.commitment(keys.nonce, opinion.text, hashes)
    by = calendar.first_friday_after(pen.today)
    return Receipt(code, keys, log.promise(pen.secrets.log_seed, pen.origin, commitment, by))


def drop(
    session: Session, pen: Pen, ticket: Ticket, opinion: Opinion, first: Receipt | None = None
) -> Receipt:
    """Put an opinion into the box and give its receipt.

    A repeat of the same form finds its own row and gets the same receipt; nothing is stored twice.
    `first` is `receipt_of(...)` made before the transaction. Raises StaleTicketError after an
    opening, Conflict when nobody keeps the box.
    """
    opening_key, box_key = sealing.keys_for_drop(session, opinion.box_id)
    _require_fresh(ticket, opening_key)
    if box_key is None:
        raise Conflict(N_("这个意见箱现在没有人保管，暂时关着，什么都没有收下。请打电话来说。"))
    packed = attachments.pack(opinion.files)
    for attempt in range(1 if opinion.code else 16):
        receipt = (first if attempt == 0 else None) or receipt_of(pen, ticket, opinion, attempt)
        lying = LyingDrop(
            box_id=opinion.box_id,
            unit_id=opinion.unit_id,
            channel=opinion.channel,
            speaker=opinion.speaker,
            commitment=receipt.promise.commitment,
            ticket_id=ticket.id,
            lookup_id=receipt.keys.lookup_id,
            receipt_key=receipt.keys.public_key,
            sealed=sealing.seal(
                _content(opinion, receipt, packed).encode(), [box_key], receipt.keys.public_key
            ),
            attachments=str(packed.album.locator),
        )
        place = receipt.keys.pool_id
        if pool.put(session, pen.secrets.instance_secret, opening_key, place, lying, packed):
            return receipt
    if opinion.code:
        raise Conflict(TAKEN)
    raise RuntimeError("sixteen receipts in a row were taken")


def _content(opinion: Opinion, receipt: Receipt, packed: Packed) -> Content:
    return Content(
        text=opinion.text,
        nonce=receipt.keys.nonce,
        promise=str(receipt.promise),
        aspect=opinion.aspect,
        about=opinion.about,
        publish=opinion.publish,
        place=opinion.place,
        album=str(packed.album),
    )


def _require_fresh(ticket: Ticket, key: OpeningKey) -> None:
    if key.id != ticket.opening_key_id:
        raise StaleTicketError(
            N_("您写的时候，意见箱刚好开过一次，这一页要换新的。您写的都还在，请再点一次按钮就好。")
        )


# --- coming back --------------------------------------------------------------------------------


def lying_drop(session: Session, pen: Pen, keys: ReceiptKeys) -> LyingDrop | LyingLeaf | None:
    """What lies in a box under this receipt: the drop, or the leaf that a withdrawal left."""
    found = pool.read(
        session, pen.secrets.instance_secret, sealing.opening_key(session), keys.pool_id
    )
    return found if isinstance(found, LyingDrop | LyingLeaf) else None


def content_of(drop: LyingDrop, keys: ReceiptKeys) -> Content:
    """The words of a lying drop, opened by its receipt."""
    wrapped = drop.sealed.receipt_wrap or b""
    return Content.decode(sealing.open_sealed(drop.sealed.ciphertext, wrapped, keys.private_key))


def lying_acts(session: Session, pen: Pen, keys: ReceiptKeys) -> dict[bytes, LyingAct]:
    """The acts of this receipt that wait for the next opening, by place, in order; one query."""
    places = [
        keys.act_pool_id(week, index) for week in _weeks(pen.today) for index in range(ACTS_A_WEEK)
    ]
    rows = session.execute(
        sa.select(LyingItem.pool_id, LyingItem.wrapped).where(LyingItem.pool_id.in_(places))
    )
    private_key = sealing.opening_private_key(
        sealing.opening_key(session), pen.secrets.instance_secret
    )
    found = {pool_id: unwrap(wrapped, private_key) for pool_id, wrapped in rows}
    return {place: act for place in places if isinstance(act := found.get(place), LyingAct)}


def _weeks(today: dt.date) -> tuple[str, str]:
    return calendar.iso_week(today - dt.timedelta(days=7)), calendar.iso_week(today)


def act(session: Session, pen: Pen, ticket: Ticket, deed: Act) -> None:
    """Let an act of the speaker wait in the box for the next opening.

    At most eight a week. A repeat of the same form is found and not stored twice. Raises
    StaleTicketError, Conflict.
    """
    keys = _keys(ticket)
    opening_key = sealing.opening_key_shared(session)
    _require_fresh(ticket, opening_key)
    # Sent on Sunday and once more on Monday it would find another week's places free.
    if any(lying.ticket_id == ticket.id for lying in lying_acts(session, pen, keys).values()):
        return
    if not deed.readers:
        raise Conflict(N_("这个意见箱现在没有人保管，暂时收不了新的内容。请打电话来说。"))
    words = json.dumps({"text": deed.text}, ensure_ascii=False).encode()
    sealed = sealing.seal(words, deed.readers, keys.public_key)
    week = calendar.iso_week(pen.today)
    for index in range(ACTS_A_WEEK):
        lying = LyingAct(
            case_id=deed.case_id,
            box_id=deed.box_id,
            act=deed.kind,
            value=deed.value,
            ticket_id=ticket.id,
            order=f"{week} {index}",
            sealed=sealed,
            rewraps_to=deed.rewraps_to,
            rewraps={item_id: wrap.hex() for item_id, wrap in deed.rewraps.items()},
        )
        place = keys.act_pool_id(week, index)
        if pool.put(session, pen.secrets.instance_secret, opening_key, place, lying):
            return
    raise Invalid(
        N_("这一周您已经补充了八次，箱子里放不下了。您写的还在下面，请下周再发，或打电话。")
    )


def _keys(ticket: Ticket) -> ReceiptKeys:
    if ticket.keys is None:
        raise Invalid(N_("这一页里没有回执，什么都没有存下。请重新输入回执码。"))
    return ticket.keys


def withdraw_lying(session: Session, pen: Pen, ticket: Ticket) -> bool:
    """Take a drop back out of the box: its row keeps the leaf alone. False when none lies there."""
    keys = _keys(ticket)
    opening_key = sealing.opening_key_shared(session)
    found = pool.read(session, pen.secrets.instance_secret, opening_key, keys.pool_id)
    if not isinstance(found, LyingDrop):
        return isinstance(found, LyingLeaf)
    pool.rewrite(session, opening_key, keys.pool_id, LyingLeaf(found.commitment))
    attachments.blank(session, opening_key, found.locator)
    return True


def burn_lying(session: Session, pen: Pen, ticket: Ticket) -> None:
    """Part everything that lies in the box from this receipt: moved to places nobody knows.

    The old places keep dummies, so the number and the size of rows tell nothing.
    """
    keys = _keys(ticket)
    opening_key = sealing.opening_key_shared(session)
    _move_burnt(session, pen, opening_key, keys.pool_id)
    for place in lying_acts(session, pen, keys):
        _move_burnt(session, pen, opening_key, place)


def destroy_lying_acts(session: Session, pen: Pen, keys: ReceiptKeys) -> None:
    """Put dummies in the place of what a withdrawn opinion's speaker still had in the box."""
    opening_key = sealing.opening_key_shared(session)
    for place in lying_acts(session, pen, keys):
        pool.rewrite(session, opening_key, place, LyingDummy())


def _move_burnt(session: Session, pen: Pen, key: OpeningKey, place: bytes) -> None:
    found = pool.read(session, pen.secrets.instance_secret, key, place)
    if isinstance(found, LyingDrop | LyingAct):
        found = found.burnt()
    elif not isinstance(found, LyingLeaf):
        return
    pool.rewrite(session, key, place, LyingDummy())
    session.execute(
        sa.insert(LyingItem).values(
            pool_id=crypto.new_private_key(), wrapped=wrap(found, key.public_key)
        )
    )
