"""`make pictures`: a screenshot and a contact sheet of every page in every look.

Taken from a running demo county, so that no picture shows what the product isn't.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from app import create_app
from config import Config
from tests.road import tour
from tests.road.conftest import CHROMIUM_FLAGS, Instance, start, stop

LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "360": ("", {"viewport": {"width": 360, "height": 740}}),
    "768": ("", {"viewport": {"width": 768, "height": 1024}}),
    "1280": ("", {"viewport": {"width": 1280, "height": 800}}),
    "dark": ("", {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}),
    "large": ("?view=large", {"viewport": {"width": 360, "height": 740}}),
    "print": ("", {"viewport": {"width": 794, "height": 1123}}),
}
THUMB = 240


def _shoot(instance: Instance, browser: Browser, folder: Path) -> None:
    site = create_app(Config.from_environ({"DATA_DIR": tempfile.mkdtemp()}))
    for look, (query, context) in LOOKS.items():
        place = folder / look
        place.mkdir()
        for number, found in enumerate(tour.stops(site, instance, browser, query, **context)):
            found.page.emulate_media(media="print" if look == "print" else "screen")
            name = found.name.replace("/", "_").replace("<", "").replace(">", "")
            found.page.screenshot(path=place / f"{number:02d} {name}.png", full_page=True)
            found.page.emulate_media(media="screen")


def contact_sheet(folder: Path, columns: int = 8) -> Image.Image:
    """Every picture of a folder, small, in the order in which the pages were reached."""
    thumbs = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as picture:
            top = picture.convert("RGB").crop((0, 0, picture.width, int(picture.width * 1.8)))
            thumbs.append(top.resize((THUMB, THUMB * 9 // 5)))
    rows = -(-len(thumbs) // columns)
    sheet = Image.new("RGB", (columns * (THUMB + 8), rows * (THUMB * 9 // 5 + 8)), "#888")
    for number, thumb in enumerate(thumbs):
        row, column = divmod(number, columns)
        sheet.paste(thumb, (column * (THUMB + 8), row * (THUMB * 9 // 5 + 8)))
    return sheet


def main() -> int:
    """Into a folder of its own; the contact sheets are named at the end."""
    path = shutil.which("chromium")
    if path is None:
        print("chromium is missing: run `make test` once, or install it")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="yanlu-pictures-"))
    process, instance = start(folder / "instance")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            _shoot(instance, browser, folder)
            browser.close()
    finally:
        stop(process)
    for look in LOOKS:
        contact_sheet(folder / look).save(folder / f"{look}.png")
        print(folder / f"{look}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
