"""QR codes: as rows of modules for paper, as a picture for a page."""

from __future__ import annotations

import math
import re
from itertools import product
from typing import cast

import zxingcpp
from markupsafe import Markup

_QUIET = 4  # modules of white on each side: the standard asks for them
_MASK = 4  # on a page, for one reader: trying all eight would cost more than storing an opinion
_DARK = bytes([1]) + bytes(255)  # of the library's grey, where black is 0
_RUN = re.compile(b"\1+|\0+")
_AT_ONCE = 8


def _drawn(modules: bytes) -> str:
    runs = _RUN.findall(modules)
    return "".join(f"h{len(run)}" if run[0] else f"m{len(run)} 0" for run in runs)


# What up to eight modules in a row are as strokes and gaps of an SVG path: looked up, not drawn.
_DRAWN = {
    bytes(modules): _drawn(bytes(modules))
    for count in range(1, _AT_ONCE + 1)
    for modules in product((0, 1), repeat=count)
}


def modules(text: str, level: str = "L", **options: int) -> list[bytes]:
    """The square of a code without its quiet zone, a row of bytes each; a dark module is 1.

    `level` is how much of it may be lost: L a fourteenth, M a seventh. Of the eight masks the one
    that scanners like best is chosen, unless `data_mask` names it.
    """
    form = zxingcpp.BarcodeFormat.QRCode
    code = zxingcpp.create_barcode(text, form, ec_level=level, **options)
    image = code.to_image(scale=1, add_quiet_zones=False)
    dots = bytes(cast(bytes, image)).translate(_DARK)  # a buffer, which its types leave unsaid
    size = math.isqrt(len(dots))
    return [dots[at : at + size] for at in range(0, len(dots), size)]


def picture(text: str, title: str) -> Markup:
    """The code as an SVG element to stand in a page, which gives it its size and white ground."""
    rows = modules(text, data_mask=_MASK)
    places = range(0, len(rows), _AT_ONCE)
    lines = ["".join([_DRAWN[row[at : at + _AT_ONCE]] for at in places]) for row in rows]
    path = f"m-{len(rows)} 1".join(lines)
    return Markup(
        '<svg viewBox="0 0 {0} {0}" role="img"><title>{1}</title>'
        '<path stroke="#000" d="M{2} {2}.5{3}"/></svg>'
    ).format(len(rows) + 2 * _QUIET, title, _QUIET, path)
