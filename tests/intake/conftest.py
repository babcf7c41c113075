"""A keeper at the desks of the other channels, and a person who got a receipt there."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from app import cli, db
from app.cases.models import Case
from app.organisation.models import Unit
from config import Config
from tests.cases.test_desk import Keeper, make_keeper
from tests.factories import make_group
from tests.inspecting_client import elements, parse, text_of
from tests.submissions.conftest import Speaker
from tests.visitor import Form, Page

Fields = list[tuple[str, str]]


@dataclass
class Typist:
    """A member of staff who keys in what others said."""

    keeper: Keeper
    slug: str = "longtan"

    def page(self, answer: TestResponse) -> Page:
        """An answer as a page."""
        html = answer.get_data(as_text=True)
        url = "http://localhost" + answer.request.path
        return Page(url, answer.status_code, dict(answer.headers), html, parse(html))

    def open(self, channel: str) -> Page:
        """The desk of one channel."""
        return self.page(self.keeper.client.get(f"/desk/intake/{self.slug}/{channel}"))

    def rows(self, form: Form, *rows: dict[str, str]) -> Fields:
        """The fields of a batch, each row with everything that a browser sends."""
        usual = {"opinion": "", "speaker": "unsaid", "about": "unsaid", "publish": "summary"}
        sent = [(name, form.fields[name]) for name in ("csrf_token", "ticket")]
        for row in rows:
            sent += {**usual, "code": "", "recipient": "branch", **row}.items()
        return sent

    def send(self, address: str, fields: Fields) -> TestResponse:
        """Send fields, in their order."""
        return self.keeper.client.post(
            address,
            data=urlencode(fields).encode(),
            content_type="application/x-www-form-urlencoded",
        )

    def key_in(self, channel: str, *rows: dict[str, str], **more: str) -> Page:
        """Open a desk and send rows."""
        form = self.open(channel).form(f"/{channel}")
        address = f"/desk/intake/{self.slug}/{channel}"
        return self.page(self.send(address, [*self.rows(form, *rows), *more.items()]))

    def again(self, page: Page, ending: str, **more: str) -> TestResponse:
        """The form of a page, sent with every hidden field that it carries."""
        form = next(
            e for e in elements(page.tree, "form") if (e.get("action") or "").endswith(ending)
        )
        fields: Fields = []
        for e in elements(form, "input", "textarea"):
            if (name := e.get("name")) and name not in more:
                area = e.tag.endswith("textarea")
                fields.append((name, text_of(e) if area else e.get("value") or ""))
        return self.send(form.get("action") or "", [*fields, *more.items()])


@pytest.fixture
def typist(app: Flask, config: Config) -> Typist:
    """The keeper of a branch that a supervision group watches."""
    keeper = make_keeper(app, config, "longtan")
    with app.app_context(), db.transaction() as session:
        make_group(session, "diyi", app.extensions["clock"], watches="longtan")
    return Typist(keeper)


@pytest.fixture
def speaker(app: Flask) -> Speaker:
    """Whoever comes back with a receipt."""
    return Speaker(app)


def open_boxes(app: Flask) -> None:
    """Whatever lies in the boxes comes out."""
    with app.app_context():
        cli.run_opening(now=True)


def cases(app: Flask) -> list[tuple[str, str]]:
    """The channel of each case and the unit whose box has it."""
    with app.app_context(), db.reading() as session:
        query = sa.select(Case.channel, Unit.slug).select_from(Case)
        query = query.join(Unit.box).where(Unit.box.property.mapper.class_.id == Case.box_id)
        return [(str(channel), slug) for channel, slug in session.execute(query)]
