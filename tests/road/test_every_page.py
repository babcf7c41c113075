"""Every page, held to the rules that a checker knows: none may be forgotten."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from flask import Flask
from playwright.sync_api import Browser

from app import create_app
from config import Config
from tests.road import sight, table, tour
from tests.road.conftest import Instance

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PHONE = {"width": 360, "height": 740}

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


def faults_of(stops: Iterable[tour.Stop], *looks: sight.Look) -> tuple[set[str], list[str]]:
    """The names of the pages that were reached, and what is wrong with them."""
    seen, faults = set(), []
    for stop in stops:
        seen.add(stop.name)
        faults += [f"{stop.name}: {fault}" for look in looks for fault in look(stop.page)]
    return seen, faults


def test_no_page_of_the_public_has_a_fault_on_a_phone(
    site: Flask, instance: Instance, browser: Browser
) -> None:
    stops = tour.public_stops(site, instance, browser, viewport=PHONE)
    seen, faults = faults_of(stops, sight.axe, sight.as_it_is, sight.enlarged)
    assert {"/", "/box/<slug>", "/receipt", *tour.WAYS} <= seen
    assert not faults, "\n".join(faults)


@pytest.mark.long
def test_every_page_is_reached_and_has_no_fault_on_a_phone(
    site: Flask, instance: Instance, browser: Browser
) -> None:
    stops = tour.stops(site, instance, browser, viewport=PHONE)
    seen, faults = faults_of(stops, sight.axe, sight.as_it_is)
    assert not faults, "\n".join(faults)
    rules = {r.rule for r in site.url_map.iter_rules() if "GET" in (r.methods or ())}
    assert rules - seen == set(NO_PAGE)


@pytest.mark.long
@pytest.mark.parametrize("view", table.VIEWS)
def test_no_page_has_a_fault_in_any_look(
    site: Flask, instance: Instance, browser: Browser, view: str
) -> None:
    faults = [
        f"{name}, {column}: {fault}"
        for name, found in table.every_page(site, instance, browser, view)
        for column, those in found.items()
        for fault in those
    ]
    assert not faults, "\n".join(faults)
