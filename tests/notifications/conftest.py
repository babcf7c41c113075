"""Real receivers: SMTP servers, with TLS too, and an HTTP server that answers as it is told."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from flask import Flask

from app import db, worker
from app.clock import Clock
from app.notifications import service
from app.notifications.models import ChannelKind, Delivery, OutboxRow
from app.organisation import service as organisation
from app.organisation.models import UnitKind
from config import Config, Mail


@dataclass
class PostOffice:
    """Takes mail, or refuses it with the answers given; keeps what it took."""

    mails: list[EmailMessage] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    senders_refused: bool = False
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusals:
            return self.refusals.pop(0)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.raws.append(envelope.content)
        self.mails.append(mail)
        return "250 taken"

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.senders_refused:
            return "550 not your address"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 fine"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 fine"


@contextmanager
def receiving(**settings: Any) -> Iterator[PostOffice]:
    """A mail server on loopback, as aiosmtpd's settings say."""
    office = PostOffice()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        office.port = free.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=office.port, **settings)
    controller.start()
    yield office
    controller.stop()


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    """A mail server without TLS."""
    with receiving() as office:
        yield office


@dataclass
class Robot:
    """Takes posts and answers (status, body); `drip` sends its answer a byte at a time."""

    port: int = 0
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    drip: float = 0
    location: str = ""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/robot?key=secret"


def _handler(robot: Robot) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            robot.posts.append((self.path, dict(self.headers), body))
            status, said = robot.answers.pop(0) if robot.answers else (200, b'{"errcode":0}')
            self.send_response(status)
            if robot.location:
                self.send_header("Location", robot.location)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            for byte in said if robot.drip else b"":
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(robot.drip)
            if not robot.drip:
                self.wfile.write(said)

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@pytest.fixture
def robot() -> Iterator[Robot]:
    """An HTTP receiver on loopback."""
    made = Robot()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@dataclass
class House:
    """The application with a mail server, its worker, and one unit."""

    app: Flask
    config: Config
    clock: Clock
    unit_id: str

    def channel(self, kind: ChannelKind, target: str, secret: str = "") -> str:
        with self.app.app_context(), db.transaction() as session:
            return service.add_channel(
                session, self.config.secrets.instance_secret, unit_id=self.unit_id, kind=kind,
                name="值班", target=target, secret=secret, allow_plain=True,
            ).id  # fmt: skip

    def test_message(self, channel_id: str) -> None:
        with self.app.app_context(), db.transaction() as session:
            channel = service.channel_of(session, [self.unit_id], channel_id)
            service.put_test(session, channel, self.clock.now())

    def deliver(self) -> int:
        with self.app.app_context():
            return worker.deliver(self.config, self.clock)

    def rows(self) -> list[tuple[Delivery, int, str]]:
        with self.app.app_context(), db.reading() as session:
            return [(r.delivery, r.tries, r.failure) for r in session.scalars(sa.select(OutboxRow))]


@pytest.fixture
def house(app: Flask, config: Config, post_office: PostOffice) -> House:
    mail = Mail("127.0.0.1", post_office.port, "言路 <yanlu@county.example>", starttls=False)
    config = dataclasses.replace(
        config, mail=mail, allow_private_targets=True, public_url="https://yanlu.example"
    )
    with app.app_context(), db.transaction() as session:
        unit = organisation.add_unit(session, slug="zhen", name="何家坪镇", kind=UnitKind.UNIT)
        return House(app, config, app.extensions["clock"], unit.id)
