"""Real receivers: an SMTP server, and an HTTP server that answers as it is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller


@dataclass
class PostOffice:
    """Takes mail, or refuses it with the answers given; keeps what it took."""

    mails: list[EmailMessage] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusals:
            return self.refusals.pop(0)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 fine"


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    """A mail server on loopback."""
    office = PostOffice()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        office.port = free.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=office.port)
    controller.start()
    yield office
    controller.stop()


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
