"""The signed promise of inclusion."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from app import crypto
from app.transparency import log

SEED = b"s" * 32
KEY = crypto.verify_key(SEED)
BY = dt.date(2026, 11, 27)


def test_a_promise_reads_back_however_its_lines_were_broken() -> None:
    promise = log.promise(SEED, "yanlu.invalid/county", b"c" * 32, BY)
    text = str(promise)
    assert log.read_promise(text, KEY) == promise
    assert log.read_promise("\n ".join(text.split()), KEY) == promise


def test_a_promise_of_somebody_else_or_with_another_date_is_none() -> None:
    text = str(log.promise(SEED, "yanlu.invalid/county", b"c" * 32, BY))
    assert log.read_promise(text, crypto.verify_key(b"t" * 32)) is None
    assert log.read_promise(text.replace("2026-11-27", "2026-12-04"), KEY) is None
    assert log.read_promise(text.replace("2026-11-27", "2026-13-41"), KEY) is None


@given(st.text(max_size=400))
def test_no_other_text_is_a_promise(text: str) -> None:
    assert log.read_promise(text, KEY) is None
