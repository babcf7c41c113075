"""The hidden ticket."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crypto import ReceiptKeys, random_id
from app.submissions.ticket import ForgedTicketError, new_ticket, read_ticket, write_ticket

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
SECRET = b"i" * 32


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=64), st.booleans())
def test_a_ticket_comes_back_as_it_was_and_all_have_one_length(slug: str, thread: bool) -> None:
    keys = ReceiptKeys(b"k" * 32) if thread else None
    ticket = new_ticket(slug, random_id(), NOW, keys)
    written = write_ticket(ticket, SECRET)
    assert read_ticket(written, SECRET) == ticket
    assert len(written) == len(write_ticket(new_ticket("demo", random_id(), NOW), SECRET))


@given(st.text(max_size=100))
def test_what_we_did_not_write_is_forged(text: str) -> None:
    with pytest.raises(ForgedTicketError):
        read_ticket(text, SECRET)


def test_a_ticket_of_another_instance_or_altered_is_forged() -> None:
    written = write_ticket(new_ticket("demo", random_id(), NOW), SECRET)
    with pytest.raises(ForgedTicketError):
        read_ticket(written, b"j" * 32)
    altered = ("A" if written[40] != "A" else "B").join([written[:40], written[41:]])
    with pytest.raises(ForgedTicketError):
        read_ticket(altered, SECRET)
