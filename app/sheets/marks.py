"""What printed sheets share: rice paper, a seal of cinnabar, a code to be scanned, a cut line."""

from __future__ import annotations

from app import qr
from app.sheets.paper import Paper

RICE, SHEET, INK, SOFT, LINE, SEAL = (
    (247, 242, 230),
    (255, 252, 244),
    (38, 34, 28),
    (95, 87, 75),
    (190, 178, 154),
    (168, 50, 31),
)
_MM = 0.3528  # a point
_LEAN = 3  # degrees: no hand sets a seal quite straight


def rice_paper(paper: Paper) -> None:
    """A new page of the paper's colour."""
    paper.add_page()
    paper.set_fill_color(RICE)
    paper.rect(0, 0, paper.w, paper.h, style="F")


def code(paper: Paper, x: float, y: float, size: float, content: str) -> None:
    """A QR code with its quiet zone, black on white, `size` millimetres with it."""
    dots = qr.modules(content, "M")
    step = size / (len(dots) + 8)
    paper.set_fill_color(255, 255, 255)
    paper.rect(x, y, size, size, style="F")
    paper.dots(x + 4 * step, y + 4 * step, size - 8 * step, dots)


def seal(paper: Paper, x: float, y: float, size: float, words: str = "言者无罪") -> None:
    """A square seal of four characters, read as a seal is: from the right, downwards."""
    with paper.rotation(_LEAN, x + size / 2, y + size / 2):
        paper.set_fill_color(SEAL)
        paper.rect(x, y, size, size, style="F", round_corners=True, corner_radius=size * 0.06)
        paper.set_draw_color(SHEET)
        paper.set_line_width(size * 0.018)
        inset = size * 0.06
        paper.rect(x + inset, y + inset, size - 2 * inset, size - 2 * inset, style="D")
        paper.set_text_color(SHEET)
        half = size * 0.4
        for place, character in enumerate(words[:4]):
            column, row = (1 - place // 2), place % 2
            paper.text_at(
                x + size * 0.1 + column * half,
                y + size * 0.1 + row * half + half * 0.84,
                half * 0.92 / _MM,
                character,
                width=half,
                centred=True,
            )


def cut_line(paper: Paper, x: float, y: float, wide: float) -> None:
    """A dashed line across, to be cut or folded along."""
    paper.set_draw_color(SOFT)
    paper.set_line_width(0.2)
    paper.set_dash_pattern(dash=1.6, gap=1.2)
    paper.line(x, y, x + wide, y)
    paper.set_dash_pattern()


def centred(paper: Paper, y: float, size: float, text: str, *, inset: float = 24) -> None:
    """A line in the middle of the page, `size` points at most."""
    paper.text_at(inset, y, size, text, width=paper.w - 2 * inset, centred=True)
