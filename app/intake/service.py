"""Keying in for others: a batch of entries, stored in an order that nobody typed.

It gets a box, words and codes, and never learns who sits at the desk.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from app import crypto
from app.cases import thread
from app.cases.models import Channel
from app.errors import N_, Invalid
from app.submissions import service as submissions
from app.submissions.models import SpeakerGroup
from app.submissions.service import About, Aspect, Opinion, Pen, Publish, Receipt
from app.submissions.ticket import Ticket

MOST_ENTRIES = 20
MOST_FORMS = 50
_ANY_ORDER = secrets.SystemRandom()


@dataclass(frozen=True)
class Destination:
    """The branch that it is about, and the box that it goes into.

    `place` names the branch where another box than its own gets it.
    """

    unit_id: str
    box_id: str
    place: str = ""


@dataclass(frozen=True)
class Entry:
    """One person's words as staff typed them; `code` is the receipt code of a printed form."""

    to: Destination
    text: str
    speaker: SpeakerGroup
    about: About
    publish: Publish
    code: str = field(default="", repr=False)


@dataclass(frozen=True)
class Keyed:
    """An entry with the ticket and the receipt that are its own."""

    ticket: Ticket
    opinion: Opinion
    receipt: Receipt = field(repr=False)


def prepare(
    pen: Pen, ticket: Ticket, channel: Channel, entries: Sequence[Entry | None]
) -> list[Keyed]:
    """The receipts of a batch, in the order of its rows; empty rows (None) keep their place.

    The same page sent twice gives the same receipts. About 10 ms an entry, so do it before the
    transaction begins.
    """
    return [
        _keyed(pen, replace(ticket, id=crypto.hkdf(ticket.id, f"row {row}", 16)), channel, entry)
        for row, entry in enumerate(entries)
        if entry is not None
    ]


def _keyed(pen: Pen, ticket: Ticket, channel: Channel, entry: Entry) -> Keyed:
    opinion = Opinion(
        box_id=entry.to.box_id,
        unit_id=entry.to.unit_id,
        text=entry.text,
        speaker=entry.speaker,
        aspect=Aspect.OTHER,
        about=entry.about,
        publish=entry.publish,
        channel=channel,
        place=entry.to.place,
        code=entry.code,
    )
    return Keyed(ticket, opinion, submissions.receipt_of(pen, ticket, opinion))


def key_in(session: Session, pen: Pen, batch: Sequence[Keyed]) -> list[Receipt]:
    """Put a batch into the boxes, all or nothing, in an order drawn by lot.

    Returns the receipts in the order of the rows. Raises Conflict where nobody keeps a box or a
    printed code was used before, StaleTicketError after an opening that came in between.
    """
    given: dict[int, Receipt] = {}
    for row in _ANY_ORDER.sample(range(len(batch)), len(batch)):
        keyed = batch[row]
        given[row] = submissions.drop(
            session, pen, keyed.ticket, keyed.opinion, first=keyed.receipt
        )
        # A second case under one lookup id would stop the next opening of every box.
        if keyed.opinion.code and thread.known(session, keyed.receipt.keys):
            raise Invalid(submissions.TAKEN, field="code")
    return [given[row] for row in range(len(batch))]


def opened_before(session: Session, batch: Sequence[Keyed]) -> bool:
    """Whether this very page was sent before, and its boxes were opened since."""
    return bool(batch) and all(thread.known(session, keyed.receipt.keys) for keyed in batch)


def new_codes(number: int) -> list[str]:
    """Random receipt codes for printed forms; kept nowhere."""
    if not 1 <= number <= MOST_FORMS:
        raise Invalid(
            N_("一次最多印 %(most)d 张，至少一张。没有印。"), field="number", most=MOST_FORMS
        )
    return [crypto.format_code(secrets.randbelow(10**20)) for _ in range(number)]


def differing_group(code: str, read_back: str) -> int | None:
    """Which group of four a caller read back differently, from 1; None when all of it is right."""
    typed = crypto.digits_of(read_back)
    for group in range(6):
        if code[4 * group : 4 * group + 4] != typed[4 * group : 4 * group + 4]:
            return group + 1
    return None if len(typed) == len(code) else 6
