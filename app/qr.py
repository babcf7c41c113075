"""QR codes: as rows of modules for paper, as a picture for a page."""

from __future__ import annotations

import math
import re
from typing import cast

import zxingcpp
from markupsafe import Markup

_QUIET = 4  # modules of white on each side: the standard asks for them
_DARK = bytes([1]) + bytes(255)  # of the library's grey, where black is 0
_RUNS = re.compile(b"(\1+)|\0+")


def modules(text: str, level: str = "L") -> list[bytes]:
    """The square of a code without its quiet zone, a row of bytes each; a dark module is 1.

    `level` is how much of it may be lost: L a fourteenth, M a seventh.
    """
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    image = code.to_image(scale=1, add_quiet_zones=False)
    dots = bytes(cast(bytes, image)).translate(_DARK)  # a buffer, which its types leave unsaid
    size = math.isqrt(len(dots))
    return [dots[at : at + size] for at in range(0, len(dots), size)]


def picture(text: str, title: str) -> Markup:
    """The code as an SVG element to stand in a page, which gives it its size and white ground."""
    rows = modules(text)
    path = "".join(f"M{_QUIET} {_QUIET + y}.5{_drawn(row)}" for y, row in enumerate(rows))
    size = len(rows) + 2 * _QUIET
    return Markup(
        '<svg viewBox="0 0 {0} {0}" role="img"><title>{1}</title>'
        '<path stroke="#000" d="{2}"/></svg>'
    ).format(size, title, path)


def _drawn(row: bytes) -> str:
    """A row as strokes and gaps of an SVG path."""
    return "".join(
        f"h{len(run[0])}" if run[1] else f"m{len(run[0])} 0" for run in _RUNS.finditer(row)
    )
