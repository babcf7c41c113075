"""What a page costs on a slow line: counted as it goes over the wire, its parts included."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.clock import Clock
from app.demo import county
from config import Config
from tests.evaluations.desks import form_to
from tests.road.tour import rule_of

FORM_BOUND, PAGE_BOUND = 14_336, 60_000
ROLES = ("keeper", "supervisor", "office", "operator")

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.long)], ids=["small", "whole"])
def clients(request: pytest.FixtureRequest, app: Flask, config: Config) -> dict[str, FlaskClient]:
    """Somebody of the public and each role's desk, in a demo county; nothing is inspected."""
    app.test_client_class = None
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        county.make_county(config, clock, small=request.param)
    made = {"": app.test_client()}
    accounts = json.loads((config.data_dir / "demo-accounts.json").read_text("utf-8"))
    for role in ROLES:
        account = next(each for each in accounts if each["role"] == role)
        client = made[role] = app.test_client()
        action, fields = form_to(client.get("/desk/sign-in").text, "/desk/sign-in")
        given = {name: account[name] for name in ("username", "password")}
        client.post(action, data={**fields, **given})
        action, fields = form_to(client.get("/desk/second-factor").text, "/desk/second-factor")
        code = pyotp.TOTP(account["totp_secret"]).at(clock.now())
        assert client.post(action, data={**fields, "totp": code}).status_code == 303
    return made


def sent(client: FlaskClient, address: str) -> TestResponse:
    """An answer as it goes to a browser."""
    answer = client.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    answer.get_data()
    answer.close()
    return answer


def body(answer: TestResponse) -> str:
    packed = answer.headers.get("Content-Encoding") == "gzip"
    return (gzip.decompress(answer.data) if packed else answer.data).decode()


def parts(html: str) -> set[str]:
    """The addresses of all that a browser loads by itself."""
    sheets = re.findall(r'<link rel="(?:stylesheet|icon)"[^>]* href="([^"]+)"', html)
    return {*sheets, *re.findall(r'<(?:script|img) src="([^"]+)"', html)}


def weights(app: Flask, client: FlaskClient, start: str) -> Iterator[tuple[str, int]]:
    """A page of every rule that links lead to from `start`, and its bytes, cold."""
    waiting, seen, known = [start], set[str](), dict[str, int]()
    while waiting:
        address = waiting.pop(0)
        rule = rule_of(app, address)
        if rule is None or rule in seen:
            continue
        seen.add(rule)
        answer = sent(client, address)
        if answer.mimetype != "text/html" or answer.status_code != 200:
            continue
        html = body(answer)
        for part in parts(html) - known.keys():
            known[part] = len(sent(client, part).data)
        yield rule, len(answer.data) + sum(known[part] for part in parts(html))
        links = [unescape(link) for link in re.findall(r'<a [^>]*href="([^"#]+)', html)]
        waiting += [urljoin(address, link) for link in links if not urlsplit(link).netloc]


def test_no_page_is_heavier_than_a_slow_line_bears(
    app: Flask, clients: dict[str, FlaskClient]
) -> None:
    found = dict(weights(app, clients[""], "/"))
    assert {"/", "/units", "/receipt", "/figures", "/protection"} <= found.keys()
    found |= dict(weights(app, clients[""], "/box/demo"))
    assert found["/box/<slug>"] <= FORM_BOUND
    for role in ROLES:  # the same page is another for each of them
        for rule, weight in weights(app, clients[role], "/desk/queue"):
            found[rule] = max(weight, found.get(rule, 0))
    assert {"/desk/board", "/desk/units", "/desk/appraisals"} <= found.keys()
    print(f"\n{len(found)} pages, the heaviest: {max(found.values())} bytes")
    assert {rule: weight for rule, weight in found.items() if weight > PAGE_BOUND} == {}
