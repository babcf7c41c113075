"""What each page weighs on the wire, cold, in a real browser: bodies as sent, headers excluded.

python -m bench.bytes [--small] — every page that the tour reaches in a demo county as large as a
county (`--small`: a handful of units). The application itself compresses public pages and static
files; receipts, threads and the desk hold secrets and go as they are. nginx adds nothing to that:
deploy/nginx.conf says `gzip off`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from itertools import chain
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from app import create_app
from config import Config
from tests.road import tour
from tests.road.conftest import CHROMIUM_FLAGS, Instance, start, stop

FORM, FORM_BOUND = "/box/<slug>", 14_336
PAGE_BOUND = 60_000
WATCHERS = ("supervisor", "office")
# What a browser calls an icon is "other".
HEADINGS = {"document": "HTML", "stylesheet": "CSS", "other": "icon", "script": "script",
            "image": "images"}  # fmt: skip


def measure(instance: Instance, browser: Browser) -> int:
    """Print the table; how many pages pass their bound."""
    site = create_app(Config.from_environ({"DATA_DIR": tempfile.mkdtemp()}))
    print(f"{'page':58}", *(f"{word:>7}" for word in HEADINGS.values()), f"{'total':>7}  bound")
    over = pages = 0
    # The tour meets the board as a keeper of few branches does; the office sees the whole county.
    whole = (tour.stop_at(instance, browser, role, "/desk/board") for role in WATCHERS)
    for stop_ in chain(tour.stops(site, instance, browser), whole):
        found = stop_.weights()
        bound = FORM_BOUND if stop_.name == FORM else PAGE_BOUND
        parts = (f"{found[kind]:7}" for kind in HEADINGS)
        heavy = found.total() > bound
        print(
            f"{stop_.name:58}", *parts, f"{found.total():7} {bound:6}", "OVER" * heavy, flush=True
        )
        pages, over = pages + 1, over + heavy
    print(f"{pages} pages, {over} over their bound")
    return over


def main(small: bool) -> int:
    """1 where a bound is passed."""
    path = shutil.which("chromium")
    if path is None:
        print("chromium is missing: run `make test` once, or install it")
        return 2
    process, instance = start(Path(tempfile.mkdtemp(prefix="yanlu-bytes-")), small=small)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            over = measure(instance, browser)
            browser.close()
    finally:
        stop(process)
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main("--small" in sys.argv))
