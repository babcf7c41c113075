"""What a ballot's page carries in place of the slip: its hash, under authenticated encryption."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from app import crypto


class ForgedTicketError(Exception):
    """Not a ballot's ticket of this instance, or altered."""


@dataclass(frozen=True)
class BallotTicket:
    """The round and the slip's hash. It has no time limit: the slip stays good until it is sent."""

    round_id: str
    slip_hash: bytes = field(repr=False)


def _key(instance_secret: bytes) -> bytes:
    return crypto.hkdf(instance_secret, "ballot ticket")


def write_ticket(ticket: BallotTicket, instance_secret: bytes) -> str:
    """The ticket as it stands in the hidden field."""
    content = bytes.fromhex(ticket.round_id) + ticket.slip_hash
    sealed = crypto.encrypt(_key(instance_secret), content)
    return base64.urlsafe_b64encode(sealed).decode()


def read_ticket(text: str, instance_secret: bytes) -> BallotTicket:
    """The ticket of a posted ballot. Raises ForgedTicketError."""
    try:
        sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        content = crypto.decrypt(_key(instance_secret), sealed)
    except (crypto.SealError, ValueError, binascii.Error):
        raise ForgedTicketError from None
    return BallotTicket(content[:16].hex(), content[16:])
