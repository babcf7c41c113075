"""Slips on A4, all alike but for their number: cut apart, folded, shuffled, drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from app import qr
from app.sheets.paper import Paper

ACROSS, DOWN = 2, 6
A_PAGE = ACROSS * DOWN
_WIDE, _HIGH = 210 / ACROSS, 297 / DOWN
_MARK, _PAD, _QR = 4.0, 7.0, 24.0
_CODE_SIZE = 15
_GREY, _INK = 120, 20


@dataclass(frozen=True)
class Words:
    """What stands on every slip of a batch; `address` is that of the page, and no code."""

    title: str
    group: str
    how: str
    once: str
    address: str


def slip_sheets(codes: Sequence[str], words: Words) -> bytes:
    """A PDF of slips, twelve to a page; `codes` as they are to be read, in groups of four.

    The page without its numbers is drawn once and repeated: a slip tells nothing of its place.
    """
    paper = Paper()
    blank = b""
    for start in range(0, len(codes), A_PAGE):
        paper.add_page()
        if not blank:
            _blank_page(paper, words)
            blank = bytes(cast(bytearray, paper.pages[paper.page].contents))
        else:
            paper.pages[paper.page].contents = bytearray(blank)
        for (x, y), code in zip(_corners(), codes[start : start + A_PAGE], strict=False):
            paper.text_at(x + _PAD, y + 38, _CODE_SIZE, code, width=_WIDE - 2 * _PAD)
    return paper.bytes()


def _corners() -> Iterator[tuple[float, float]]:
    for row in range(DOWN):
        for column in range(ACROSS):
            yield column * _WIDE, row * _HIGH


def _blank_page(paper: Paper, words: Words) -> None:
    _cutting_marks(paper)
    paper.set_text_color(_INK)
    dots = qr.modules(words.address, "M")
    for x, y in _corners():
        paper.dots(x + _WIDE - _PAD - _QR, y + 5, _QR, dots)
        room = _WIDE - 2 * _PAD - _QR - 3
        for line, size, text in (
            (10.0, 12, words.title),
            (16.0, 9, words.group),
            (22.0, 8, words.how),
            (27.0, 8, words.address),
            (44.5, 8, words.once),
        ):
            wide = room if line < 30 else _WIDE - 2 * _PAD
            paper.text_at(x + _PAD, y + line, size, text, width=wide)


def _cutting_marks(paper: Paper) -> None:
    paper.set_draw_color(_GREY)
    paper.set_line_width(0.15)
    for column in range(ACROSS + 1):
        for row in range(DOWN + 1):
            x, y = column * _WIDE, row * _HIGH
            paper.line(x - _MARK, y, x + _MARK, y)
            paper.line(x, y - _MARK, x, y + _MARK)
