"""A PDF with an embedded Chinese font and nothing in it that tells when or where it was made."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from fpdf import FPDF
from fpdf.fonts import TTFFont
from fpdf.output import OutputProducer
from fpdf.syntax import PDFObject

# Subsets of Noto Sans CJK SC (YanluHei-OFL.txt): what GB 2312 and everyday traditional writing
# have; and what is left of GBK and of the national table of 8,105, which names are full of. The
# second is read only where a text asks for it.
FONT = Path(__file__).parent / "YanluHei.otf"
NAMES_FONT = Path(__file__).parent / "YanluHeiNames.otf"
FAMILY, NAMES_FAMILY = "hei", "names"
UNKNOWN = "〓"  # as printers mark a character that they don't have


class _Undated(OutputProducer):
    """A document without an information dictionary: no date, no producer, no title."""

    def _add_info(self) -> PDFObject | None:  # type: ignore[override]
        return None


class Paper(FPDF):
    """A4 in millimetres, in Chinese; two of the same contents are the same to the byte."""

    def __init__(self) -> None:
        super().__init__(unit="mm", format="A4")
        self.add_font(FAMILY, "", FONT)
        self.set_font(FAMILY, size=10)
        self.set_auto_page_break(False)
        self.set_margins(0, 0)

    def text_at(
        self, x: float, y: float, size: float, text: str, *, width: float, centred: bool = False
    ) -> None:
        """One line of text, made small enough to fit into `width`."""
        self.set_font_size(size)
        wide = self.wide(text)
        if wide > width:
            self.set_font_size(size * width / wide)
            wide = width
        x += (width - wide) / 2 if centred else 0
        for family, run in self._runs(text):
            self.set_font(family)
            self.text(x, y, run)
            x += self.get_string_width(run)
        self.set_font(FAMILY)

    def wide(self, text: str) -> float:
        """How wide a text is in the present size, in millimetres."""
        wide = 0.0
        for family, run in self._runs(text):
            self.set_font(family)
            wide += self.get_string_width(run)
        self.set_font(FAMILY)
        return wide

    def _runs(self, text: str) -> Iterator[tuple[str, str]]:
        """A text by the font that has its characters."""
        common = self._characters(FAMILY)
        if any(ord(character) not in common for character in text):
            if NAMES_FAMILY not in self.fonts:
                self.add_font(NAMES_FAMILY, "", NAMES_FONT)
            names = self._characters(NAMES_FAMILY)
            text = "".join(c if ord(c) in common or ord(c) in names else UNKNOWN for c in text)
        for is_common, run in groupby(text, lambda character: ord(character) in common):
            yield FAMILY if is_common else NAMES_FAMILY, "".join(run)

    def _characters(self, family: str) -> Container[int]:
        font = self.fonts[family]
        if not isinstance(font, TTFFont):
            raise TypeError(family)
        return font.cmap

    def dots(self, x: float, y: float, side: float, rows: Sequence[Sequence[int]]) -> None:
        """A QR code of these rows, `side` millimetres wide; its quiet zone is the caller's."""
        size = side / len(rows)
        self.set_fill_color(0)
        for row, line in enumerate(rows):
            start = None
            for column, dark in enumerate([*line, 0]):
                if dark and start is None:
                    start = column
                elif not dark and start is not None:
                    wide = (column - start) * size
                    self.rect(x + start * size, y + row * size, wide, size, style="F")
                    start = None

    def file_id(self) -> None:
        """No identifier: the usual one is a hash of the time."""

    def bytes(self) -> bytes:
        """The finished document."""
        return bytes(self.output(output_producer_class=_Undated))
