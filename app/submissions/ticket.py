"""The hidden ticket of a public form: authenticated encryption in place of a session; pure."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from dataclasses import dataclass

from app import crypto
from app.crypto import ReceiptKeys


class ForgedTicketError(Exception):
    """Not a ticket of this instance, or altered."""


@dataclass(frozen=True)
class Ticket:
    """One rendering of one public form.

    `place` is the box's slug or "thread"; a ticket names the opening key that it was made under
    and is stale after that opening. A thread's ticket carries the receipt's keys, so that the code
    needn't be typed again and never stands in a page.
    """

    id: bytes
    place: str
    opening_key_id: str
    made_at: dt.datetime
    keys: ReceiptKeys | None = None

    def age(self, now: dt.datetime) -> float:
        """Seconds since it was made."""
        return (now - self.made_at).total_seconds()


def _key(instance_secret: bytes) -> bytes:
    return crypto.hkdf(instance_secret, "ticket")


def new_ticket(
    place: str, opening_key_id: str, now: dt.datetime, keys: ReceiptKeys | None = None
) -> Ticket:
    """A ticket for a page that is being rendered."""
    return Ticket(bytes.fromhex(crypto.random_id()), place, opening_key_id, now, keys)


def write_ticket(ticket: Ticket, instance_secret: bytes) -> str:
    """The ticket as it stands in the hidden field; every ticket has the same length."""
    content = {
        "id": ticket.id.hex(),
        "place": ticket.place,
        "key": ticket.opening_key_id,
        "at": int(ticket.made_at.timestamp()),
        "ikm": ticket.keys.ikm.hex() if ticket.keys else "",
    }
    padded = crypto.pad(json.dumps(content).encode(), 320)
    return base64.urlsafe_b64encode(crypto.encrypt(_key(instance_secret), padded)).decode()


def read_ticket(text: str, instance_secret: bytes) -> Ticket:
    """The ticket of a posted form; raises ForgedTicketError."""
    try:
        sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        content = json.loads(crypto.unpad(crypto.decrypt(_key(instance_secret), sealed)))
    except (crypto.SealError, ValueError, binascii.Error):
        raise ForgedTicketError from None
    ikm = bytes.fromhex(content["ikm"])
    return Ticket(
        id=bytes.fromhex(content["id"]),
        place=content["place"],
        opening_key_id=content["key"],
        made_at=dt.datetime.fromtimestamp(content["at"], dt.UTC),
        keys=ReceiptKeys(ikm) if ikm else None,
    )
