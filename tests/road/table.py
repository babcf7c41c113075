"""Every page in every look, held to checkers, as a table: what is wrong, counted; zeros are sought.

python -m tests.road.table [standard|large] — in a demo county of its own; some twenty minutes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, sync_playwright

from app import create_app
from config import Config
from tests import provision
from tests.road import sight, tour
from tests.road.conftest import CHROMIUM_FLAGS, Instance, start, stop

THEMES, WIDTHS = ("light", "dark"), (360, 768, 1280)
VIEWS = {"standard": "", "large": "?view=large"}
LOOKS = tuple(f"{theme} {width}" for theme in THEMES for width in WIDTHS)
COLUMNS = (*LOOKS, *sight.CIRCUMSTANCES)
VALID = "HTML"

Faults = dict[str, list[str]]


def looked_at(stop_: tour.Stop) -> Faults:
    """What is held against a page, by look and by circumstance."""
    page, found = stop_.page, Faults()
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            found[f"{theme} {width}"] = sight.axe(page) + sight.faults(page, *sight.ANYWHERE)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 360, "height": 740})
    return found | {name: look(page) for name, look in sight.CIRCUMSTANCES.items()}


def invalid(folder: Path) -> dict[str, list[str]]:
    """What the Nu HTML checker calls an error, by the name of the file."""
    java = shutil.which("java")
    assert java, "no java: tests/provision.py --long should have installed it"
    done = subprocess.run(
        [java, "-jar", provision.VALIDATOR, "--format", "json", "--stdout", "--exit-zero-always",
         *sorted(folder.glob("*.html"))],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    found: dict[str, list[str]] = {}
    for message in json.loads(done.stdout)["messages"]:
        if message["type"] == "error":
            words = f"{message['message']} {message.get('extract', '')}"
            found.setdefault(Path(message["url"]).name, []).append(words)
    return found


def every_page(
    site: Flask, instance: Instance, browser: Browser, view: str
) -> Iterator[tuple[str, Faults]]:
    """Every page of a view by name, with what is held against it; their HTML at the end."""
    folder, names = Path(tempfile.mkdtemp(prefix="yanlu-html-")), []
    for stop_ in tour.stops(site, instance, browser, VIEWS[view]):
        names.append(stop_.name)
        (folder / f"{len(names):03d}.html").write_text(stop_.source(), "utf-8")
        yield stop_.name, looked_at(stop_)
    errors = invalid(folder)
    for number, name in enumerate(names, 1):
        yield name, {VALID: errors.get(f"{number:03d}.html", [])}


def _print(table: dict[str, Faults], view: str) -> int:
    columns = (*COLUMNS, VALID)
    print(
        f"\n{view:58}",
        *(f"{word.replace('light', '☼').replace('dark', '☾'):>7}" for word in columns),
    )
    for name, found in table.items():
        print(f"{name:58}", *(f"{len(found[column]):7}" for column in columns))
    sums = [sum(len(found[column]) for found in table.values()) for column in columns]
    print(f"{f'{len(table)} pages':58}", *(f"{number:7}" for number in sums), flush=True)
    return sum(sums)


def main(*views: str) -> int:
    """Print a table for each view; the faults themselves on stderr."""
    site = create_app(Config.from_environ({"DATA_DIR": tempfile.mkdtemp()}))
    process, instance = start(Path(tempfile.mkdtemp(prefix="yanlu-table-")))
    wrong = 0
    try:
        with sync_playwright() as playwright:
            path = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            for view in views:
                table: dict[str, Faults] = {}
                for name, found in every_page(site, instance, browser, view):
                    table.setdefault(name, {}).update(found)
                    for column, faults in found.items():
                        for fault in faults:
                            print(f"{view}, {name}, {column}: {fault}", file=sys.stderr, flush=True)
                wrong += _print(table, view)
            browser.close()
    finally:
        stop(process)
    print(f"faults in all: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or VIEWS)))
