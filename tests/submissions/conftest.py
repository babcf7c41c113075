"""A box that is kept, one that is closed, and a speaker without cookies before them."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from app import cli, db
from app.clock import Clock
from app.submissions.models import LyingItem
from tests.factories import BoxInHand, make_box
from tests.inspecting_client import find, parse
from tests.visitor import Form, Page, multipart


@dataclass
class Speaker:
    """Somebody who speaks: every page is inspected, every form sent with its hidden inputs."""

    app: Flask
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, address: str) -> Page:
        """Open an address."""
        return self._page(self.app.test_client().get(address, headers=self.headers))

    def send(self, form: Form, **fields: str | bytes) -> Page:
        """Send a form as a browser does."""
        body = urlencode({**form.fields, **fields}, errors="surrogatepass")
        return self.post(form.action.removeprefix("http://localhost"), body.encode())

    def send_with(self, form: Form, *files: tuple[str, bytes], **fields: str) -> Page:
        """Send a form with files chosen."""
        body, kind = multipart({**form.fields, **fields}, files)
        return self.post(form.action.removeprefix("http://localhost"), body, kind)

    def picture(self, page: Page, number: int = 0) -> TestResponse:
        """Open one of the pictures that a thread page offers."""
        form = page.form("/receipt/picture")
        chosen = [e.get("value") or "" for e in find(page.tree, "name", "picture")]
        fields = {**form.fields, "picture": chosen[number]}
        return self.app.test_client().post("/receipt/picture", data=fields)

    def post(
        self, address: str, body: bytes, kind: str = "application/x-www-form-urlencoded"
    ) -> Page:
        """Send bytes."""
        client = self.app.test_client()
        answer = client.post(address, data=body, content_type=kind, headers=self.headers)
        return self._page(answer)

    def _page(self, answer: TestResponse) -> Page:
        html = answer.get_data(as_text=True)
        url = "http://localhost" + answer.request.path
        return Page(url, answer.status_code, dict(answer.headers), html, parse(html))

    def drop(self, text: str = "路灯坏了。", **fields: str) -> Page:
        """Load the form and send it."""
        return self.send(self.get("/box/longtan").form("/box/longtan"), opinion=text, **fields)

    def code(self, text: str = "路灯坏了。") -> str:
        """Drop an opinion; its receipt code."""
        (code,) = self.drop(text).marked("data-receipt-code")
        return code

    def thread(self, code: str) -> Page:
        """Come back with a receipt."""
        return self.send(self.get("/receipt").form("/receipt"), code=code)


@pytest.fixture
def box(app: Flask) -> BoxInHand:
    """A branch's box that somebody keeps."""
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        make_box(session, "closed", clock, kept=False)
        return make_box(session, "longtan", clock)


@pytest.fixture
def speaker(app: Flask, box: BoxInHand) -> Speaker:
    """A speaker before an instance with one open and one closed box."""
    assert box.keys
    return Speaker(app)


def lying(app: Flask) -> int:
    """How many rows lie in the boxes."""
    with app.app_context(), db.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(LyingItem)) or 0


def open_now(app: Flask) -> None:
    """Open every box."""
    with app.app_context():
        cli.run_opening(now=True)
