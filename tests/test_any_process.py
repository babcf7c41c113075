"""Any number of processes behind any balancer: each request of a person may reach another one."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
import pytest
from flask import Flask

from app import create_app, db, worker
from app.clock import Clock
from app.demo.county import make_county
from config import Config
from tests.conftest import Hand, served
from tests.inspecting_client import find
from tests.road.conftest import ROOT, Instance, free_port, start, stop, wait_for
from tests.visitor import Page, Visitor

BOX = "/box/demo"


class Scattered(Visitor):
    """A visitor whose every request reaches the next process."""

    def __init__(self, bases: list[str]) -> None:
        super().__init__(bases[0])
        self._next = itertools.cycle(bases)

    def _ask(self, method: str, url: str, body: bytes | None = None, kind: str = "") -> Page:
        path = urlsplit(url)._replace(scheme="", netloc="").geturl()
        return super()._ask(method, next(self._next) + path, body, kind)


@dataclass
class Farm:
    """Some processes on one database, with the same secrets."""

    bases: list[str]
    instance: Instance
    open_boxes: Callable[[], object]
    now: Callable[[], float]

    def visitor(self) -> Scattered:
        """Somebody who is sent from one to the other."""
        return Scattered(self.bases)

    def slip(self, number: int) -> str:
        """One of the demo round's slips."""
        text = (self.instance.data_dir / "demo-slips.txt").read_text("utf-8")
        return text.splitlines()[number].split()[0]


@pytest.fixture
def farm(app: Flask, config: Config, hand: Hand) -> Iterator[Farm]:
    """Two applications that share nothing but database and secrets."""
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        assert make_county(config, clock, small=True)
    other = create_app(dataclasses.replace(config, demo=True), clock)

    def open_boxes() -> None:
        with app.app_context():
            worker.run_opening(config, clock, now=True)

    with served(app) as one, served(other) as two:
        instance = Instance(one, config.data_dir, {}, [])
        yield Farm([one, two], instance, open_boxes, hand.now.timestamp)
    db.close(other)


@pytest.fixture(params=["sqlite", "postgresql"])
def real_farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Farm]:
    """Two application servers of two processes each, as they run on two machines."""
    more = {}
    if request.param == "postgresql":
        more["DATABASE_URL"] = request.getfixturevalue("database_of_its_own")
    process, instance = start(tmp_path, **more)
    port = str(free_port())
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()"],
        cwd=ROOT, env={**instance.environ, "PORT": port},
    )  # fmt: skip
    second = f"http://127.0.0.1:{port}"
    wait_for(second)
    yield Farm(
        [instance.base, second],
        instance,
        lambda: instance.command("open-boxes", "--now"),
        time.time,
    )
    server.terminate()
    server.wait(30)
    stop(process)


def test_a_road_is_walked_over_two_applications(farm: Farm) -> None:
    walk(farm)
    waits_after_failures(farm)  # while the clock stands still


@pytest.mark.long
def test_a_road_is_walked_over_two_servers_of_two_processes(real_farm: Farm) -> None:
    walk(real_farm)


def walk(farm: Farm) -> None:
    """Everything that takes more than one request."""
    speaks(farm)
    votes(farm)
    works(farm)


def speaks(farm: Farm) -> None:
    """The form from one, the drop at the other; a double click at both is one drop."""
    speaker = farm.visitor()
    form = speaker.get(BOX).form(BOX)
    codes = {
        speaker.send(form, opinion="路灯坏了。", decision="as-is").marked("data-receipt-code")[0]
        for _ in range(3)
    }
    (code,) = codes
    farm.open_boxes()
    for _ in range(2):
        page = speaker.send(speaker.get("/receipt").form("/receipt"), code=code)
        assert page.value_of("data-state") == "waiting"
    reply = page.form("/receipt/reply")
    for _ in range(3):
        page = speaker.send(reply, message="再补一句。")
        assert page.marked("data-message", "speaker").count("再补一句。") == 1
    assert speaker.set_cookies == []


def votes(farm: Farm) -> None:
    """The slip at one, the ballot at the other, and never twice."""
    voter = farm.visitor()
    slip = farm.slip(0)
    page = voter.send(voter.get("/slip").form("/slip"), slip=slip)
    ballot = page.form("/slip")
    assert voter.send(ballot).marked("data-counted")
    assert voter.send(ballot).status == 409
    for _ in range(2):
        page = voter.send(voter.get("/slip").form("/slip"), slip=slip)
        assert page.value_of("data-error") == "unknown"


def works(farm: Farm) -> None:
    """Name and password at one, the code at the other, the desk and its keys at both."""
    account = farm.instance.account("keeper", "demo")
    code = pyotp.TOTP(account["totp_secret"]).at(int(farm.now()))
    keeper, page = enters(farm, account, code, trust="yes")
    assert page.url.endswith("/desk/queue")
    (case, *_), moves = opens_a_case(keeper), {"accept": {}, "draft": DRAFT}
    for move, fields in moves.items():
        page = keeper.send(keeper.get(f"/desk/cases/{case}").form(f"/{move}"), **fields)
        assert page.status == 200
    for _ in range(2):
        page = keeper.get(f"/desk/cases/{case}")
        assert page.value_of("data-state") == "answering"
        assert page.marked("data-opinion")
    # The code was good once, wherever it is tried again; the trusted device is asked for none.
    _, page = enters(farm, account, code)
    assert page.url.endswith("/desk/second-factor")
    assert page.alert()
    again = farm.visitor()
    again.cookies = {k: v for k, v in keeper.cookies.items() if k != "desk"}
    form = again.get("/desk/sign-in").form("/desk/sign-in")
    page = again.send(form, username=account["username"], password=account["password"])
    assert page.url.endswith("/desk/queue")
    # Signed out at one, signed out at both.
    planted = dict(keeper.cookies)
    keeper.send(page_of(keeper).form("/desk/sign-out"))
    for _ in range(2):
        keeper.cookies = dict(planted)
        assert page_of(keeper).url.endswith("/desk/sign-in")


DRAFT = {"answer": "已经修好。", "summary": "有人反映路灯坏了。"}


def page_of(visitor: Visitor) -> Page:
    """The queue, or where one is sent instead."""
    return visitor.get("/desk/queue")


def enters(farm: Farm, account: dict[str, str], code: str, **more: str) -> tuple[Scattered, Page]:
    """Somebody of the staff, through both steps of the door."""
    visitor = farm.visitor()
    form = visitor.get("/desk/sign-in").form("/desk/sign-in")
    page = visitor.send(form, username=account["username"], password=account["password"])
    return visitor, visitor.send(page.form("/desk/second-factor"), totp=code, **more)


def opens_a_case(keeper: Visitor) -> list[str]:
    """The ids of waiting cases."""
    found = [e.get("data-case") or "" for e in find(page_of(keeper).tree, "data-case")]
    return [
        case for case in found
        if keeper.get(f"/desk/cases/{case}").value_of("data-state") == "waiting"
    ][:1]  # fmt: skip


def waits_after_failures(farm: Farm) -> None:
    """Wrong passwords count wherever they were tried."""
    account = farm.instance.account("keeper", "demo", 1)
    guesser = farm.visitor()
    for _ in range(3):
        form = guesser.get("/desk/sign-in").form("/desk/sign-in")
        guesser.send(form, username=account["username"], password="falsch")
    for _ in range(2):
        form = guesser.get("/desk/sign-in").form("/desk/sign-in")
        page = guesser.send(form, username=account["username"], password=account["password"])
        assert page.url.endswith("/desk/sign-in")
        assert page.alert()
