"""Posters for the wall and labels for the box: a branch, and the code that leads to its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.sheets import marks
from app.sheets.paper import Paper

_STEPS_AT = 233.0
_ACROSS, _DOWN = 2, 4
_LABEL_WIDE, _LABEL_HIGH = 95.0, 66.0


@dataclass(frozen=True)
class BoxSign:
    """A branch as its poster names it; `address` is what the code leads to."""

    name: str
    path: str
    address: str
    phone: str


@dataclass(frozen=True)
class PosterWords:
    """The sentences of a poster: a call, what to do, three steps (a word and a line), a promise."""

    county: str
    call: str
    box: str
    scan: str
    steps: Sequence[tuple[str, str]]
    promise: str
    by_phone: str


def posters(signs: Sequence[BoxSign], words: PosterWords) -> bytes:
    """One A4 sheet for each branch."""
    paper = Paper()
    for sign in signs:
        marks.rice_paper(paper)
        _frame(paper)
        _head(paper, sign, words)
        marks.code(paper, 66, 126, 78, sign.address)
        paper.set_text_color(marks.INK)
        marks.centred(paper, 216, 17, words.scan)
        _steps(paper, words.steps)
        _foot(paper, sign, words)
    return paper.bytes()


def _frame(paper: Paper) -> None:
    paper.set_draw_color(marks.INK)
    paper.set_line_width(0.5)
    paper.rect(11, 11, 188, 275)
    paper.set_line_width(0.15)
    paper.rect(12.6, 12.6, 184.8, 271.8)


def _head(paper: Paper, sign: BoxSign, words: PosterWords) -> None:
    paper.set_text_color(marks.SOFT)
    marks.centred(paper, 30, 13, words.county)
    paper.set_text_color(marks.INK)
    marks.centred(paper, 62, 62, words.call, inset=26)
    paper.set_draw_color(marks.INK)
    paper.set_line_width(0.3)
    paper.line(85, 74, 125, 74)
    paper.set_text_color(marks.SOFT)
    marks.centred(paper, 87, 15, sign.path)
    paper.set_text_color(marks.INK)
    marks.centred(paper, 101, 31, sign.name)
    marks.centred(paper, 115, 17, words.box)


def _steps(paper: Paper, steps: Sequence[tuple[str, str]]) -> None:
    wide = 168 / len(steps)
    for number, (word, line) in enumerate(steps):
        x = 21 + number * wide
        paper.set_text_color(marks.INK)
        paper.text_at(x + 2, _STEPS_AT, 15, word, width=wide - 4, centred=True)
        paper.set_text_color(marks.SOFT)
        paper.text_at(x + 2, _STEPS_AT + 7.5, 10.5, line, width=wide - 4, centred=True)
        if number:
            paper.set_draw_color(marks.LINE)
            paper.set_line_width(0.2)
            paper.line(x, _STEPS_AT - 6, x, _STEPS_AT + 9)


def _foot(paper: Paper, sign: BoxSign, words: PosterWords) -> None:
    marks.seal(paper, 163, 251, 25)
    paper.set_text_color(marks.INK)
    paper.text_at(22, 258, 12.5, words.promise, width=132)
    paper.set_text_color(marks.SOFT)
    paper.text_at(22, 267, 11, sign.address, width=132)
    if sign.phone:
        paper.text_at(22, 275, 11, f"{words.by_phone}{sign.phone}", width=132)


def labels(signs: Sequence[BoxSign], words: PosterWords) -> bytes:
    """Labels for the boxes themselves, eight to an A4 sheet, with lines to cut along."""
    paper = Paper()
    for place, sign in enumerate(signs):
        on_page = place % (_ACROSS * _DOWN)
        if on_page == 0:
            paper.add_page()
        row, column = divmod(on_page, _ACROSS)
        _label(paper, sign, words, 10 + column * _LABEL_WIDE, 16.5 + row * _LABEL_HIGH)
    return paper.bytes()


def _label(paper: Paper, sign: BoxSign, words: PosterWords, x: float, y: float) -> None:
    paper.set_fill_color(marks.RICE)
    paper.rect(x, y, _LABEL_WIDE, _LABEL_HIGH, style="F")
    paper.set_draw_color(marks.LINE)
    paper.set_line_width(0.2)
    paper.set_dash_pattern(dash=1.2, gap=1.2)
    paper.rect(x, y, _LABEL_WIDE, _LABEL_HIGH)
    paper.set_dash_pattern()
    marks.code(paper, x + 5, y + 13, 42, sign.address)
    right, room = x + 51, _LABEL_WIDE - 56
    paper.set_text_color(marks.INK)
    paper.text_at(x + 5, y + 9.5, 12.5, words.call, width=_LABEL_WIDE - 10)
    paper.set_text_color(marks.SOFT)
    paper.text_at(right, y + 19, 9, sign.path, width=room)
    paper.set_text_color(marks.INK)
    paper.text_at(right, y + 27, 15, sign.name, width=room)
    paper.text_at(right, y + 35, 13, words.box, width=room)
    marks.seal(paper, right + room - 14, y + 40, 14)
    paper.set_text_color(marks.SOFT)
    paper.text_at(x + 5, y + 61.5, 8, sign.address, width=_LABEL_WIDE - 10)
