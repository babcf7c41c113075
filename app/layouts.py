"""Pages that are the same for everybody but for a few words: laid out once, then filled in.

Threat: a page that is quicker because somebody was here before, or that shows one reader what was
another's. What is kept is never of one branch and never of one speaker: a layout is made with marks
in the place of all their own words, at an address of its own, so that nothing of a request gets in.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Hashable, Mapping

from flask import current_app, request
from markupsafe import escape

from app.i18n import kept_in_links

_MOST = 500


def filled(
    at: str,
    alike: Hashable,
    own: Mapping[str, str],
    lay_out: Callable[[dict[str, str]], str],
) -> str:
    """A page with its own words in it, escaped unless they are markup.

    `at` is its address with its own words as fields (`/box/{slug}`), `alike` what else it depends
    on besides language, view and host; `lay_out` renders it with marks for its own words.
    """
    values = [str(escape(value)) for value in own.values()]
    pieces, places = _pieces(at, alike, own, lay_out)
    page = pieces.copy()
    page[1::2] = [values[place] for place in places]
    return "".join(page)


def _pieces(
    at: str,
    alike: Hashable,
    own: Mapping[str, str],
    lay_out: Callable[[dict[str, str]], str],
) -> tuple[list[str], list[int]]:
    """The page in pieces, every second one the place of an own word; and which words these are."""
    kept = kept_in_links()
    where = (request.scheme, request.environ.get("HTTP_HOST"), request.script_root)
    key = (lay_out.__qualname__, alike, *kept.items(), where)
    layouts: dict[Hashable, tuple[list[str], list[int]]] = current_app.extensions.setdefault(
        "layouts", {}
    )
    laid_out = layouts.get(key)  # another thread may clear them meanwhile
    if laid_out is None:
        if len(layouts) >= _MOST:
            layouts.clear()
        mark = secrets.token_hex(16)
        marks = {name: f"{mark}-{place}-" for place, name in enumerate(own)}
        with current_app.test_request_context(
            at.format(**marks), base_url=request.root_url, query_string=kept
        ):
            page = lay_out(marks)
        pieces = re.split(f"{mark}-([0-9])-", page)
        laid_out = layouts[key] = pieces, [int(place) for place in pieces[1::2]]
    return laid_out
