"""The receipts of a meeting on one printed sheet, to be cut apart and handed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.sheets import marks
from app.sheets.paper import Paper

_A_PAGE, _HIGH, _TOP = 4, 66.0, 16.5
_TAB, _LEFT, _RIGHT = 30.0, 36.0, 196.0
_QR = 40.0


@dataclass(frozen=True)
class Slip:
    """One receipt; `tab` stands beyond the cut, so that it goes to the right person and no further.

    `code` is to be read in groups of four, `promise` is what the QR code carries.
    """

    tab: str
    code: str = field(repr=False)
    promise: str = field(repr=False)


@dataclass(frozen=True)
class SlipWords:
    """What stands on every receipt of the sheet."""

    title: str
    branch: str
    lines: Sequence[str]


def receipt_sheet(slips: Sequence[Slip], words: SlipWords) -> bytes:
    """Four receipts to an A4 page."""
    paper = Paper()
    for place, slip in enumerate(slips):
        if place % _A_PAGE == 0:
            paper.add_page()
            marks.cut_line(paper, 0, _TOP, 210)
        _slip(paper, slip, words, _TOP + place % _A_PAGE * _HIGH)
    return paper.bytes()


def _slip(paper: Paper, slip: Slip, words: SlipWords, y: float) -> None:
    marks.cut_line(paper, 0, y + _HIGH, 210)
    paper.set_draw_color(marks.SOFT)
    paper.set_dash_pattern(dash=1.6, gap=1.2)
    paper.line(_TAB, y, _TAB, y + _HIGH)
    paper.set_dash_pattern()
    paper.set_text_color(marks.SOFT)
    paper.text_at(4, y + _HIGH / 2, 12, slip.tab, width=_TAB - 8, centred=True)
    paper.set_text_color(marks.INK)
    room = _RIGHT - _LEFT - _QR - 4
    paper.text_at(_LEFT, y + 11, 16, words.title, width=room)
    paper.text_at(_LEFT, y + 18.5, 11, words.branch, width=room)
    paper.text_at(_LEFT, y + 31, 17, slip.code, width=room)
    paper.set_text_color(marks.SOFT)
    for row, line in enumerate(words.lines):
        paper.text_at(_LEFT, y + 39 + row * 5.4, 9, line, width=room)
    marks.code(paper, _RIGHT - _QR, y + 5, _QR, slip.promise)
    marks.seal(paper, _RIGHT - 15, y + _HIGH - 18.5, 13)
