"""The opinion form on paper: lines to write on, and a receipt that was printed beforehand.

The same code stands twice: under a fold of the form, for whoever keys it in, and under a fold of
the slip that is cut off and taken home. Nothing else tells one form from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.sheets import marks
from app.sheets.paper import Paper

_LEFT, _WIDE = 20.0, 170.0
_LINES_FROM, _LINE_STEP, _LINES = 64.0, 9.6, 11
_CHOICES_FROM, _CHOICE_STEP = 172.0, 8.0
_OFFICE_FOLD, _CUT, _HOME_FOLD = 204.0, 224.0, 268.0
_SQUARE = 3.4


@dataclass(frozen=True)
class FormWords:
    """The sentences of a form; `choices` are rows of a question and its answers."""

    county: str
    title: str
    branch: str
    how: str
    choices: Sequence[tuple[str, Sequence[str]]]
    office_fold: str
    cut: str
    receipt: str
    receipt_lines: Sequence[str]
    home_fold: str
    address: str


def opinion_forms(codes: Sequence[str], words: FormWords) -> bytes:
    """One A4 form for each code, as it is to be read: in groups of four."""
    paper = Paper()
    for code in codes:
        paper.add_page()
        _head(paper, words)
        _lines(paper)
        _choices(paper, words)
        _for_the_desk(paper, words, code)
        _to_take_home(paper, words, code)
    return paper.bytes()


def _head(paper: Paper, words: FormWords) -> None:
    paper.set_text_color(marks.SOFT)
    paper.text_at(_LEFT, 20, 10.5, words.county, width=120)
    paper.set_text_color(marks.INK)
    paper.text_at(_LEFT, 33, 24, words.title, width=130)
    paper.text_at(_LEFT, 43, 14, words.branch, width=140)
    paper.set_text_color(marks.SOFT)
    paper.text_at(_LEFT, 51, 10, words.how, width=_WIDE)
    marks.seal(paper, _LEFT + _WIDE - 22, 16, 21)


def _lines(paper: Paper) -> None:
    paper.set_draw_color(marks.LINE)
    paper.set_line_width(0.2)
    for line in range(_LINES):
        y = _LINES_FROM + line * _LINE_STEP
        paper.line(_LEFT, y, _LEFT + _WIDE, y)


def _choices(paper: Paper, words: FormWords) -> None:
    for row, (question, answers) in enumerate(words.choices):
        y = _CHOICES_FROM + row * _CHOICE_STEP
        paper.set_text_color(marks.INK)
        paper.text_at(_LEFT, y, 10.5, question, width=36)
        room = (_WIDE - 38) / max(len(answers), 1)
        paper.set_draw_color(marks.INK)
        paper.set_line_width(0.25)
        for place, answer in enumerate(answers):
            x = _LEFT + 38 + place * room
            paper.rect(x, y - _SQUARE + 0.4, _SQUARE, _SQUARE)
            paper.text_at(x + _SQUARE + 1.6, y, 10.5, answer, width=room - _SQUARE - 3)


def _for_the_desk(paper: Paper, words: FormWords, code: str) -> None:
    marks.cut_line(paper, 0, _OFFICE_FOLD, 210)
    paper.set_text_color(marks.SOFT)
    paper.text_at(_LEFT, _OFFICE_FOLD + 5.2, 8.5, words.office_fold, width=_WIDE)
    paper.set_text_color(marks.INK)
    paper.text_at(_LEFT, _OFFICE_FOLD + 14.5, 15, code, width=_WIDE, centred=True)


def _to_take_home(paper: Paper, words: FormWords, code: str) -> None:
    marks.cut_line(paper, 0, _CUT, 210)
    paper.set_text_color(marks.SOFT)
    paper.text_at(_LEFT, _CUT + 4.6, 8.5, words.cut, width=_WIDE)
    marks.code(paper, _LEFT + _WIDE - 34, _CUT + 6, 34, words.address)
    paper.set_text_color(marks.INK)
    paper.text_at(_LEFT, _CUT + 13, 15, words.receipt, width=110)
    for row, line in enumerate(words.receipt_lines):
        paper.text_at(_LEFT, _CUT + 19.5 + row * 5.4, 9.5, line, width=130)
    marks.cut_line(paper, 0, _HOME_FOLD, 210)
    paper.set_text_color(marks.SOFT)
    paper.text_at(_LEFT, _HOME_FOLD + 5.2, 8.5, words.home_fold, width=_WIDE)
    paper.set_text_color(marks.INK)
    paper.text_at(_LEFT, _HOME_FOLD + 15, 17, code, width=_WIDE, centred=True)
