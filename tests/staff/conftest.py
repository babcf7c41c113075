"""What the staff room's tests share: a clock that stands still, a cheap Argon2id, one keeper."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import crypto
from app.clock import Clock
from app.db import transaction
from app.staff import keepers
from app.staff.models import Staff
from config import Config
from tests.staff.people import County

START = dt.datetime(2026, 11, 24, 2, 0, 10, tzinfo=dt.UTC)
PASSWORD = "四个不相干的词 correct horse"
PEPPER = bytes(32)


@dataclass
class Hand:
    """The hand of the clock: a test moves it."""

    now: dt.datetime = START

    def forward(self, **by: float) -> dt.datetime:
        """Move on, by timedelta's arguments; returns the new instant."""
        self.now += dt.timedelta(**by)
        return self.now


@dataclass
class Person:
    """A member of staff as a test knows them."""

    id: str
    username: str
    totp_secret: str
    hand: Hand = field(repr=False)
    password: str = PASSWORD

    def code(self, steps: int = 0) -> str:
        """The one-time code shown now, or `steps` later."""
        at = self.hand.now + dt.timedelta(seconds=30 * steps)
        return pyotp.TOTP(self.totp_secret).at(at)


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "PASSWORD_OPSLIMIT", 1)
    monkeypatch.setattr(crypto, "PASSWORD_MEMLIMIT", 64 * 1024)


@pytest.fixture
def hand() -> Hand:
    """The present instant, to be moved."""
    return Hand()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A writing session whose work is thrown away."""
    with app.app_context(), transaction() as opened:
        yield opened
        opened.rollback()


def new_person(session: Session, hand: Hand, pepper: bytes) -> Person:
    """An account under a name of its own."""
    secret = pyotp.random_base32()
    name = f"k{crypto.random_id()[:8]}"
    staff: Staff = keepers.create_staff(
        session,
        username=name,
        password=PASSWORD,
        totp_secret=secret,
        pepper=pepper,
        now=hand.now,
    )
    return Person(staff.id, name, secret, hand)


@pytest.fixture
def desk_app(app: Flask, hand: Hand) -> Flask:
    """The application, its clock in the test's hand."""
    app.extensions["clock"] = Clock(ZoneInfo("Asia/Shanghai"), lambda: hand.now)
    return app


@pytest.fixture
def person(desk_app: Flask, hand: Hand) -> Person:
    """Somebody with an account and no role, committed."""
    config: Config = desk_app.config["YANLU"]
    with desk_app.app_context(), transaction() as opened:
        return new_person(opened, hand, config.secrets.pepper)


@pytest.fixture
def browser(desk_app: Flask) -> FlaskClient:
    """A browser without cookies."""
    return desk_app.test_client()


@pytest.fixture
def county(desk_app: Flask, hand: Hand) -> County:
    """A county with two branches' boxes that nobody keeps yet."""
    return County(desk_app, hand)
