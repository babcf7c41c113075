"""People of the assembly at their desks, over HTTP, and voters with the plainest browser."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import pyotp
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.evaluations.conftest import PASSWORD, Assembly
from tests.inspecting_client import elements, find, parse, text_of


def fields_of(form: Element) -> dict[str, str]:
    """The hidden inputs of a form, and what it is filled with."""
    values = {
        e.get("name") or "": e.get("value") or ""
        for e in elements(form, "input")
        if e.get("type") not in ("checkbox", "radio", "file") or e.get("checked") is not None
    }
    for area in elements(form, "textarea"):
        values[area.get("name") or ""] = text_of(area)
    for select in elements(form, "select"):
        values[select.get("name") or ""] = elements(select, "option")[0].get("value") or ""
    return values


def form_to(html: str, ending: str) -> tuple[str, dict[str, str]]:
    """The form whose action ends so: where it goes, what it would send."""
    for form in elements(parse(html), "form"):
        if urlsplit(form.get("action") or "").path.endswith(ending):
            return form.get("action") or "", fields_of(form)
    raise AssertionError(f"no form {ending!r}: {alert(html)}")


def alert(html: str) -> str:
    """The sentence of a refusal."""
    return " ".join(text_of(e).strip() for e in find(parse(html), "role", "alert"))


@dataclass
class Desk:
    """One person's desk."""

    client: FlaskClient

    def get(self, address: str) -> str:
        """A page."""
        answer = self.client.get(address)
        assert answer.status_code == 200, (address, answer.status_code, answer.text[:500])
        return answer.text

    def send(self, page: str, ending: str, **fields: object) -> TestResponse:
        """Fill in a form of a page and send it."""
        action, hidden = form_to(self.get(page), ending)
        return self.client.post(action, data={**hidden, **fields})

    def step(self, page: str, ending: str, **fields: object) -> str:
        """The same where it must succeed; the page that follows."""
        answer = self.send(page, ending, **fields)
        assert answer.status_code == 303, (answer.status_code, alert(answer.text))
        return self.get(answer.location)


def sit_down(made: Assembly, name: str) -> Desk:
    """Somebody signs in."""
    client = made.app.test_client()
    token = re.compile(r'name="csrf_token" value="([^"]*)"')
    page = client.get("/desk/sign-in").text
    data = {"csrf_token": token.findall(page)[0], "username": name, "password": PASSWORD}
    assert client.post("/desk/sign-in", data=data).status_code == 303
    page = client.get("/desk/second-factor").text
    code = pyotp.TOTP(made.secrets[name]).at(made.clock.now())
    data = {"csrf_token": token.findall(page)[0], "totp": code}
    assert client.post("/desk/second-factor", data=data).status_code == 303
    return Desk(client)


def upload(text: str) -> tuple[io.BytesIO, str]:
    """A file as a form sends it."""
    return io.BytesIO(text.encode()), "slips.txt"
