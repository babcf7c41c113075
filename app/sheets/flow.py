"""Text that flows over as many pages as it needs, broken as Chinese is broken."""

from __future__ import annotations

from app.sheets import marks
from app.sheets.paper import Paper

_LEFT, _TOP, _WIDE, _BOTTOM = 22.0, 22.0, 166.0, 275.0
_MM = 0.3528  # a point
# Never first on a line; never last on one.
_NOT_FIRST = "，。、；：！？）》”’」』】〉…—%,.;:!?)]}"
_NOT_LAST = "（《“‘「『【〈([{"
_INK, _GREY = 20, 95


class Flow:
    """A sheet that is written from the top down; `sealed`: it is published, and bears the seal."""

    def __init__(self, *, sealed: bool = False) -> None:
        self._paper = Paper()
        self._pages = 0
        self._y = _BOTTOM
        self._turn()
        if sealed:
            marks.seal(self._paper, _LEFT, 12, 15)

    def _turn(self) -> None:
        self._paper.add_page()
        self._pages += 1
        self._y = _TOP
        if self._pages > 1:
            self._paper.set_text_color(_GREY)
            self._paper.text_at(_LEFT, 288, 9, f"— {self._pages} —", width=_WIDE, centred=True)

    def _room(self, high: float) -> None:
        if self._y + high > _BOTTOM:
            self._turn()

    def heading(self, text: str) -> None:
        """A heading, never left alone at the foot of a page."""
        self._y += 3
        self._room(22)
        self.line(text, 14)

    def line(self, text: str, size: float, *, centred: bool = False, grey: bool = False) -> None:
        """A paragraph in as many lines as it takes; an empty one is half a line of nothing."""
        high = size * _MM * 1.7
        if not text.strip():
            self._y += high / 2
            return
        for part in self._broken(text, size):
            self._room(high)
            self._y += high
            self._paper.set_text_color(_GREY if grey else _INK)
            self._paper.text_at(
                _LEFT, self._y - high * 0.28, size, part, width=_WIDE + 2, centred=centred
            )

    def rule(self) -> None:
        """A thin line across."""
        self._room(6)
        self._y += 3
        self._paper.set_draw_color(_GREY)
        self._paper.set_line_width(0.2)
        self._paper.line(_LEFT, self._y, _LEFT + _WIDE, self._y)
        self._y += 3

    def to_write_on(self, count: int) -> None:
        """Empty lines for a pen, 9 mm apart."""
        for _ in range(count):
            self._room(9)
            self._y += 9
            self._paper.set_draw_color(_GREY)
            self._paper.set_line_width(0.1)
            self._paper.line(_LEFT, self._y, _LEFT + _WIDE, self._y)

    def _broken(self, text: str, size: float) -> list[str]:
        self._paper.set_font_size(size)
        lines, start = [], 0
        while start < len(text):
            end = self._end(text, start)
            lines.append(text[start:end].strip(" "))
            start = end
        return lines

    def _end(self, text: str, start: int) -> int:
        """Where a line that begins at `start` ends: words of Latin letters stay whole."""
        wide, end = 0.0, start
        while end < len(text) and wide <= _WIDE:
            wide += self._paper.wide(text[end])
            end += 1
        if wide <= _WIDE:
            return len(text)
        end -= 1
        for back in range(min(40, end - start - 1)):
            if _may_break(text, end - back):
                return end - back
        return max(end, start + 1)

    def bytes(self) -> bytes:
        """The finished document."""
        return self._paper.bytes()


def _may_break(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if after in _NOT_FIRST or before in _NOT_LAST:
        return False
    return not (before.isascii() and after.isascii() and before != " " and after != " ")
