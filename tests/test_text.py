"""Text at the edge: forms decoded byte by byte, and what counts as no text."""

from __future__ import annotations

import sys
import unicodedata
from io import BytesIO
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.text import StrictFormParser, clean, printable

# Bodies as browsers send them, and as nobody should: escapes that are none, halves, capitals.
BODIES = st.lists(
    st.sampled_from([b"%", b"%E4%BA%BA", b"%e4", b"%zz", b"%4", b"+", b"a", b"=", b"%%41", b"\xff"])
).map(b"".join)


@given(BODIES | st.binary().filter(lambda raw: b"&" not in raw))
def test_a_form_is_decoded_as_the_standard_library_would(raw: bytes) -> None:
    value = raw.replace(b"=", b"")
    parsed = StrictFormParser().parse(
        BytesIO(b"x=" + value), "application/x-www-form-urlencoded", len(value) + 2
    )
    expected = unquote_to_bytes(value.replace(b"+", b" "))
    assert parsed[1]["x"].encode("utf-8", "surrogateescape") == expected


def test_what_is_no_text_is_refused_and_shown_as_a_mark_and_nothing_else_is() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        bad = unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r"
        assert (printable(character) == "\ufffd") == (bad or character == "\ufffd")
        if bad:
            with pytest.raises(Invalid):
                clean(character, field="opinion", at_most=9)
        elif character not in "\r":
            assert clean(character, field="opinion", at_most=9) == character
