"""What a code says is what was put into it; the drawing on a page and the modules are one."""

from __future__ import annotations

import re

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app import qr

PROMISE = f"yanlu-promise/1 https://yanlu.example 2026-12-04 {'ab' * 32} {'cd' * 64}"


def drawn(svg: str) -> list[bytes]:
    """The modules of a picture, by following its path as a browser does."""
    (side,) = set(re.findall(r"\d+", re.findall(r'viewBox="0 0 (\d+ \d+)"', svg)[0]))
    rows = [bytearray(int(side)) for _ in range(int(side))]
    ((x, y, path),) = re.findall(r' d="M(\d+) (\d+)\.5([^"]+)"', svg)
    x, y = int(x), int(y)
    for gap, down, stroke in re.findall(r"m(-?\d+) ([01])|h(\d+)", path):
        rows[y][x : x + int(stroke or 0)] = b"\1" * int(stroke or 0)
        x, y = x + int(gap or stroke), y + int(down or 0)
    return [bytes(row) for row in rows]


def read(rows: list[bytes]) -> str:
    """What a reader makes of modules with their quiet zone."""
    image = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows))
    image = image.point(lambda dark: 0 if dark else 255).resize([4 * len(rows)] * 2, 0)
    (found,) = zxingcpp.read_barcodes(image)
    return found.text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=400))
def test_whatever_is_put_into_a_code_is_read_out_of_its_picture(text: str) -> None:
    assert read(drawn(qr.picture(text, "码"))) == text


@pytest.mark.parametrize("level", ["L", "M"])
def test_the_modules_are_the_standards_square_and_the_picture_adds_the_quiet_zone(
    level: str,
) -> None:
    rows = qr.modules(PROMISE, level, data_mask=4)
    assert (len(rows) - 17) % 4 == 0
    assert {len(row) for row in rows} == {len(rows)}
    assert set(b"".join(rows)) == {0, 1}
    if level == "L":
        quiet = [row[4:-4] for row in drawn(qr.picture(PROMISE, "承诺"))]
        assert quiet[4:-4] == rows
        assert not any(map(any, quiet[:4] + quiet[-4:]))


def test_a_title_is_text_and_no_markup() -> None:
    assert "<title>&lt;b&gt;</title>" in qr.picture("x", "<b>")
