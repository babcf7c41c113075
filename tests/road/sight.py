"""What every page must bear, whoever looks at it and however: asked of the page as it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = Path(__file__).with_suffix(".js").read_text("utf-8")

# WCAG 1.4.12, word for word.
SPACING = """
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important;
    word-spacing: .16em !important } p { margin-bottom: 2em !important }`);
  document.adoptedStyleSheets = [sheet];
"""
CHECKED = """
  async (options) => (await axe.run(options)).violations.flatMap((fault) =>
    fault.nodes.map((node) => `${fault.id}: ${node.target} ${node.failureSummary}`))
"""
STYLES_OFF = "for (const sheet of document.styleSheets) sheet.disabled = %s"
# What a checker can say of a page without its looks.
UNSTYLED = {"rules": {"color-contrast": {"enabled": False}, "target-size": {"enabled": False}}}
# Four times as large in a window of 1280 by 1024 pixels (WCAG 1.4.10).
ENLARGED = {"width": 320, "height": 256}

# These hold in every theme and at every width.
ANYWHERE = ("tooWide", "outOfOrder", "smallTargets", "clipped", "overlapping")

Look = Callable[[Page], Any]


def faults(page: Page, *rules: str) -> list[str]:
    """What these rules of sight.js hold against the page as it stands."""
    found: list[str] = []
    for rule in rules:
        found += page.evaluate(f"{RULES}.{rule}()")
    return found


def axe(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """What axe-core holds against the page as it stands, best practices included."""
    if not page.evaluate("'axe' in window"):  # half a megabyte: once a page is enough
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(CHECKED, {"resultTypes": ["violations"], **(options or {})})
    return found


def as_it_is(page: Page) -> list[str]:
    """Room, order, size of what is pressed and read, and whether the focus is seen."""
    found = faults(page, *ANYWHERE, "smallText")
    page.keyboard.press("Tab")  # from here on the browser shows where the focus is
    return found + faults(page, "focusLost")


def enlarged(page: Page) -> list[str]:
    """Nothing to be moved sideways to, nothing cut off, at 400 %."""
    before = page.viewport_size
    page.set_viewport_size(ENLARGED)  # type: ignore[arg-type]
    found = faults(page, "tooWide", "clipped", "overlapping", "focusLost")
    page.set_viewport_size(before)  # type: ignore[arg-type]
    return found


def spaced(page: Page) -> list[str]:
    """With the reader's own line height and spacing of letters and words."""
    page.evaluate(f"() => {{{SPACING}}}")
    found = faults(page, "tooWide", "clipped", "overlapping")
    page.evaluate("() => { document.adoptedStyleSheets = [] }")
    return found


def in_own_colours(page: Page) -> list[str]:
    """In the few colours that a reader chose, dark and light."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(forced_colors="active", color_scheme=scheme)
        found += faults(page, "lostInForcedColours", "focusLost")
    page.emulate_media(forced_colors="none", color_scheme="light")
    return found


def at_rest(page: Page) -> list[str]:
    """Nothing moves for whoever asked for that."""
    page.emulate_media(reduced_motion="reduce")
    found = faults(page, "moving")
    page.emulate_media(reduced_motion="no-preference")
    return found


def unstyled(page: Page) -> list[str]:
    """Without a stylesheet: names, order and landmarks are still there."""
    page.evaluate(STYLES_OFF % "true")
    found = axe(page, UNSTYLED)
    page.evaluate(STYLES_OFF % "false")
    return found


CIRCUMSTANCES: dict[str, Look] = {
    "as is": as_it_is, "400 %": enlarged, "spaced": spaced, "forced": in_own_colours,
    "at rest": at_rest, "no CSS": unstyled,
}  # fmt: skip
