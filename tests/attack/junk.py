"""Pitfall 25: junk from a shared address, then a flood from another one, through the real proxy."""

from __future__ import annotations

import time

from tests.attack.stack import BOX, Client, Stack
from tests.attack.verdicts import Verdict, zero

VILLAGE, NEIGHBOUR, FLOOD = "127.0.0.21", "127.0.0.22", "127.0.0.23"
JUNK, MOST = 10, 3000


def junk(stack: Stack) -> list[Verdict]:
    """With the limits on, as they are for the public; the last thing done with a deployment."""
    stack.limit()
    village, neighbour = stack.client(VILLAGE), stack.client(NEIGHBOUR)
    forms = [village.get(BOX).ticket for _ in range(JUNK + 1)]
    late = neighbour.get(BOX).ticket
    time.sleep(3.2)  # nobody drops sooner than three seconds after the form was loaded
    *_, honest = [_drop(village, ticket, f"灌水{n}") for n, ticket in enumerate(forms)]
    sent, refused = _flood(stack.client(FLOOD))
    other = _drop(neighbour, late, "邻村的一件")
    claiming = stack.client(FLOOD, X_Forwarded_For=NEIGHBOUR)
    passed = sum(claiming.post(BOX).status != 429 for _ in range(20))
    return [
        zero(f"25 the honest drop after {JUNK} of junk, same address", _not_ok(honest)),
        Verdict("25 a flood is slowed", f"after {sent}", f"below {MOST}", refused),
        zero("25 the honest drop during a flood, another address", _not_ok(other)),
        Verdict("25 a flood that claims another address", f"{passed} of 20", "10", passed <= 10),
    ]


def _drop(client: Client, ticket: str, opinion: str) -> int:
    return client.post(BOX, ticket=ticket, opinion=opinion).status


def _not_ok(status: int) -> list[int]:
    return [] if status == 200 else [status]


def _flood(client: Client) -> tuple[int, bool]:
    """Drops without a ticket until they are refused, by each of the processes in turn."""
    refused = 0
    for sent in range(1, MOST):
        refused = refused + 1 if client.post(BOX).status == 429 else 0
        if refused == 20:
            return sent, True
    return MOST, False
