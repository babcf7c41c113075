"""Cards to be cut apart and handed out: a name, a few words, a QR code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app import qr
from app.sheets.paper import Paper

_ACROSS, _DOWN = 2, 4
_WIDE, _HIGH = 95.0, 66.0
_LEFT, _TOP = 10.0, 16.0
_QR = 38.0
_INK, _GREY = 20, 120


@dataclass(frozen=True)
class Card:
    """One card: whose it is, what the code is for; the address is printed as the code alone."""

    name: str
    lines: tuple[str, ...]
    address: str = field(repr=False)


def cards(heading: str, listed: Sequence[Card]) -> bytes:
    """A4 sheets of eight cards with lines to cut along; every page bears the heading."""
    paper = Paper()
    for place, card in enumerate(listed):
        on_page = place % (_ACROSS * _DOWN)
        if on_page == 0:
            paper.add_page()
            paper.set_text_color(_GREY)
            paper.text_at(_LEFT, 11, 9, heading, width=190)
        row, column = divmod(on_page, _ACROSS)
        _card(paper, card, _LEFT + column * _WIDE, _TOP + row * _HIGH)
    if not listed:
        paper.add_page()
        paper.text_at(_LEFT, 11, 9, heading, width=190)
    return paper.bytes()


def _card(paper: Paper, card: Card, x: float, y: float) -> None:
    paper.set_draw_color(_GREY)
    paper.set_line_width(0.1)
    paper.set_dash_pattern(dash=1.5, gap=1.5)
    paper.rect(x, y, _WIDE, _HIGH)
    paper.set_dash_pattern()
    paper.set_text_color(_INK)
    paper.text_at(x + 5, y + 11, 15, card.name, width=_WIDE - 10)
    for number, line in enumerate(card.lines):
        paper.text_at(x + 5, y + 22 + number * 6, 9, line, width=_WIDE - _QR - 14)
    paper.dots(x + _WIDE - _QR - 5, y + _HIGH - _QR - 8, _QR, qr.modules(card.address))
