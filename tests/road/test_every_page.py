"""Every page, held to the rules that a checker knows: none may be forgotten."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page

from app import create_app
from config import Config
from tests import provision
from tests.road import tour
from tests.road.conftest import Instance

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PHONE = {"width": 360, "height": 740}
WIDTHS = (360, 768, 1280)
THEMES = ("light", "dark")

# Rules that answer a GET and that no link of the demo county leads a browser to, with the reason.
NO_PAGE = {
    "/static/<path:filename>": "no page",
    "/healthz": "for machines",
    "/readyz": "for machines",
    "/log/checkpoint": "for machines",
    "/log/consistency": "for machines",
    "/log/entries": "for machines",
    "/log/proof": "for machines",
    "/log/verifier.py": "a download",
    "/answers.atom": "a feed",
    "/bulletins.atom": "a feed",
    "/figures.csv": "a download",
    "/figures.xlsx": "a download",
    "/bulletins/<bulletin_id>.pdf": "a download",
    "/desk/bulletins/<bulletin_id>.pdf": "a download",
    "/desk/rounds/<round_id>/ballot.pdf": "a download",
    "/desk/appraisals/<appraisal_id>/<any(form,feedback,talks):name>.pdf": "a download",
    "/desk/intake/posters.pdf": "a download",
    "/desk/look-back/<campaign_id>.pdf": "a download",
    "/desk/cases/<case_id>/pictures/<picture_id>": "a picture; tests/cases/test_attachments.py",
    "/desk/units/export": "a download",
    "/results/<round_id>.pdf": "a download",
    "/results/<round_id>/slips": "a list for machines, and for whoever holds a slip",
    "/desk": "leads on to another page",
    "/desk/second-factor": "between two pages; its form is walked by every sign-in",
    "/appraisal/<token>": "behind a token; tests/road/test_appraisal.py",
    "/desk/invitation/<token>": "behind a token; tests/staff/test_views.py",
    "/desk/staff/invitations/<invitation_id>": "after an invitation; tests/staff/test_views.py",
    "/subscribe/<token>": "behind a token; tests/notifications/test_views.py",
    "/unsubscribe/<token>": "behind a token; tests/notifications/test_views.py",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application, for its URL map alone."""
    folder = str(tmp_path_factory.mktemp("map"))
    return create_app(Config.from_environ({"DATA_DIR": folder}))


def accessibility_faults(page: Page) -> list[str]:
    """What axe-core holds against the page as it stands, best practices included."""
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def too_wide(page: Page) -> list[str]:
    """Whether the page must be moved sideways to be read."""
    width, window = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return [f"{width} px wide in a window of {window} px"] if width > window else []


def faults_of(stops: Iterable[tour.Stop]) -> tuple[set[str], list[str]]:
    """The names of the pages that were reached, and what is wrong with them."""
    seen, faults = set(), []
    for stop in stops:
        seen.add(stop.name)
        found = accessibility_faults(stop.page) + too_wide(stop.page)
        faults += [f"{stop.name}: {fault}" for fault in found]
    return seen, faults


def test_no_page_of_the_public_has_a_fault_on_a_phone(
    site: Flask, instance: Instance, browser: Browser
) -> None:
    seen, faults = faults_of(tour.public_stops(site, instance, browser, viewport=PHONE))
    assert {"/", "/box/<slug>", "/receipt", *tour.WAYS} <= seen
    assert not faults, "\n".join(faults)


@pytest.mark.long
def test_every_page_is_reached_and_has_no_fault_on_a_phone(
    site: Flask, instance: Instance, browser: Browser
) -> None:
    seen, faults = faults_of(tour.stops(site, instance, browser, viewport=PHONE))
    assert not faults, "\n".join(faults)
    rules = {r.rule for r in site.url_map.iter_rules() if "GET" in (r.methods or ())}
    assert rules - seen == set(NO_PAGE)


@pytest.mark.long
@pytest.mark.parametrize("view", ["", "?view=large"], ids=["standard", "large"])
def test_no_page_has_a_fault_in_either_theme_at_any_width(
    site: Flask, instance: Instance, browser: Browser, view: str
) -> None:
    faults = []
    for stop in tour.stops(site, instance, browser, view):
        for theme in THEMES:
            stop.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            for width in WIDTHS:
                stop.page.set_viewport_size({"width": width, "height": 800})
                found = accessibility_faults(stop.page) + too_wide(stop.page)
                faults += [f"{stop.name}, {theme}, {width} px: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


@pytest.mark.long
def test_every_page_is_valid_html(
    site: Flask, instance: Instance, browser: Browser, tmp_path: Path
) -> None:
    for view in ("", "?view=large"):
        for number, stop in enumerate(tour.stops(site, instance, browser, view)):
            name = f"{view[-5:]}{number}.html"
            (tmp_path / name).write_text(stop.source(), "utf-8")
    java = shutil.which("java")
    assert java, "no java: tests/provision.py --long should have installed it"
    done = subprocess.run(
        [java, "-jar", provision.VALIDATOR, "--format", "json", "--stdout", "--exit-zero-always",
         *sorted(tmp_path.glob("*.html"))],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    messages = json.loads(done.stdout)["messages"]
    errors = [m for m in messages if m["type"] == "error"]
    assert not [f"{m['message']} {m.get('extract', '')}" for m in errors]
