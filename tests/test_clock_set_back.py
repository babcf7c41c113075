"""A clock set back a day: nothing opens twice, what was spent stays spent, the log only grows."""

from __future__ import annotations

import re

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app import db, worker
from app.cases.models import Case
from app.clock import Clock
from app.notifications.models import OutboxRow
from app.sealing import service as sealing
from app.staff import sessions
from app.staff.models import PersonalKey, StaffSession
from app.transparency import tree
from config import Config
from tests.cases.conftest import Scene, scene
from tests.cases.test_desk import PASSWORD, make_keeper
from tests.conftest import Hand
from tests.factories import drop
from tests.submissions.conftest import Speaker, box, speaker

__all__ = ["box", "scene", "speaker"]


def turn(app: Flask, config: Config) -> None:
    """One turn of the worker."""
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        worker.run_due(config, clock)


def told(app: Flask) -> tuple[int, int, int, list[tuple[int, str]]]:
    """Cases, messages, openings' day as a number, the heads' sizes and roots in order."""
    with app.app_context(), db.reading() as session:
        cases = session.scalar(sa.select(sa.func.count()).select_from(Case)) or 0
        messages = session.scalar(sa.select(sa.func.count()).select_from(OutboxRow)) or 0
        opened_on = sealing.opening_key(session).made_on.toordinal()
        heads = [(head.size, head.root.hex()) for head in tree.heads(session, 50)]
    return cases, messages, opened_on, heads


def test_the_worker_waits_until_the_day_comes_again(scene: Scene, hand: Hand) -> None:
    app, config, clock = scene.app, scene.config, scene.clock
    hand.forward(days=4)  # a Friday: every box is opened
    with scene.writing() as session:
        drop(session, config, clock, scene.here, "开过的。")
    turn(app, config)
    first = told(app)
    assert first[0] == 1
    hand.forward(days=-1)
    with scene.writing() as session:
        drop(session, config, clock, scene.here, "倒拨以后的。")
    turn(app, config)
    again = told(app)
    assert (again[0], again[1], again[2]) == first[:3]
    assert set(first[3]) <= set(again[3])
    hand.forward(days=1)
    turn(app, config)
    assert told(app)[:3] == first[:3]
    hand.forward(days=7)
    turn(app, config)
    last = told(app)
    assert last[0] == 2
    sizes = [size for size, _ in last[3]]
    assert sizes == sorted(sizes, reverse=True)
    assert last[3][0][0] > first[3][0][0]
    verified = app.test_cli_runner().invoke(args=["verify-log"])
    assert verified.exit_code == 0, verified.output


def test_a_form_from_before_keeps_its_receipt_and_one_from_before_an_opening_stays_stale(
    app: Flask, config: Config, speaker: Speaker, hand: Hand
) -> None:
    clock: Clock = app.extensions["clock"]
    old = speaker.get("/box/longtan").form("/box/longtan")
    with app.app_context():
        worker.run_opening(config, clock, now=True)
    form = speaker.get("/box/longtan").form("/box/longtan")
    code = speaker.send(form, opinion="路灯坏了。").marked("data-receipt-code")
    hand.forward(days=-1)
    assert speaker.send(form, opinion="路灯坏了。").marked("data-receipt-code") == code
    assert speaker.send(old, opinion="别的话。").status == 422


def enter(client: FlaskClient, name: str, code: str) -> str:
    """Name, password, code; where one is sent."""

    def token() -> str:
        page = client.get(address).get_data(as_text=True)
        return str(re.findall(r'name="csrf_token" value="([^"]*)"', page)[0])

    address = "/desk/sign-in"
    data = {"csrf_token": token(), "username": name, "password": PASSWORD}
    assert client.post(address, data=data).status_code == 303
    address = "/desk/second-factor"
    answer = client.post(address, data={"csrf_token": token(), "totp": code})
    return answer.headers.get("Location", "")


def test_a_one_time_code_that_was_spent_is_spent_on_the_day_before_too(
    app: Flask, config: Config, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyotp, "random_base32", lambda: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    make_keeper(app, config, "longtan")
    totp = pyotp.TOTP("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    for minutes in (-24 * 60, -1, -0.5, 0):
        moment = hand.now
        hand.forward(minutes=minutes)
        assert enter(app.test_client(), "longtan", totp.at(hand.now)) == ""
        hand.now = moment
    hand.forward(minutes=1)
    assert enter(app.test_client(), "longtan", totp.at(hand.now)) == "/desk/queue"


def test_a_desk_that_has_lapsed_is_gone_before_the_clock_can_bring_it_back(
    app: Flask, config: Config, hand: Hand
) -> None:
    clock: Clock = app.extensions["clock"]
    make_keeper(app, config, "longtan")
    with app.app_context(), db.transaction() as session:
        key = session.scalars(sa.select(PersonalKey)).one()
        keys = sessions.SessionKeys(key.id, bytes(32))
        cookie = sessions.open_session(session, key.staff_id, keys, clock.now())
    hand.forward(days=1)
    turn(app, config)
    hand.forward(days=-1)
    with app.app_context(), db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(StaffSession)) == 0
        assert sessions.find_session(session, cookie, clock.now()) is None
