"""A PDF with an embedded Chinese font and nothing in it that tells when or where it was made."""

from __future__ import annotations

from pathlib import Path

from fpdf import FPDF
from fpdf.output import OutputProducer
from fpdf.syntax import PDFObject

# A subset of Noto Sans CJK SC: the characters of GB 2312 and some of names (YanluHei-OFL.txt).
FONT = Path(__file__).parent / "YanluHei.otf"
FAMILY = "hei"


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
        wide = self.get_string_width(text)
        if wide > width:
            self.set_font_size(size * width / wide)
            wide = width
        self.text(x + (width - wide) / 2 if centred else x, y, text)

    def file_id(self) -> None:
        """No identifier: the usual one is a hash of the time."""

    def bytes(self) -> bytes:
        """The finished document."""
        return bytes(self.output(output_producer_class=_Undated))
