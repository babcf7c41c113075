"""What a monitor may know, as Prometheus text: that the day's work is done and messages go out.

Served by the worker on an address of its own, loopback or private, where METRICS_ADDRESS names one.
Threat: a number that moves when somebody speaks. Nothing here knows the web processes or their
requests, the size of a table or file, or what lies in a box; what is counted was told by others
already (the log's size), or is the desk's own (letters), or is days and yes or no.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET, AF_INET6

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.clock import Clock
from app.notifications.models import Delivery, OutboxRow
from app.sealing import service as sealing
from app.supervision import daily
from app.supervision.models import DailyRun
from app.transparency import tree
from config import Config

# A job that hasn't begun so long after its hour is overdue.
GRACE = dt.timedelta(hours=1)
NEVER = -1
BACKUP = "backup"
_SECONDS_TO_ASK = 5


def text(
    session: Session, config: Config, clock: Clock, last_turn: dt.datetime | None, failed: int
) -> str:
    """Every figure; `last_turn` is when the worker last finished all that was due."""
    today = clock.today()
    head = tree.newest_head(session)
    opened = sealing.opening_key(session).made_on
    ran = {row.job: row.ran_on for row in session.scalars(sa.select(DailyRun))}
    counted = sa.select(OutboxRow.delivery, sa.func.count()).group_by(OutboxRow.delivery)
    letters = {row[0]: row[1] for row in session.execute(counted)}
    turn = int(last_turn.timestamp()) if last_turn else 0
    lines = [
        *_figure("worker_last_turn_timestamp_seconds", "gauge", [("", turn)]),
        *_figure("worker_failed_turns_total", "counter", [("", failed)]),
        *_figure("opening_age_days", "gauge", [("", (today - opened).days)]),
        *_figure("log_leaves", "gauge", [("", head.size if head else 0)]),
        *_figure("log_age_days", "gauge", [("", _age(head.made_on if head else None, today))]),
        *_figure("backup_age_days", "gauge", [("", _age(ran.get(BACKUP), today))]),
        *_figure("job_overdue", "gauge", [
            (f'{{job="{job}"}}', int(late))
            for job, late in _overdue(config, clock, opened, head, ran).items()
        ]),
        *_figure("letters", "gauge", [
            (f'{{delivery="{delivery}"}}', letters.get(delivery, 0))
            for delivery in (Delivery.WAITING, Delivery.DEAD)
        ]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _figure(name: str, kind: str, values: list[tuple[str, int]]) -> list[str]:
    lines = [f"yanlu_{name}{labels} {value}" for labels, value in values]
    return [f"# TYPE yanlu_{name} {kind}", *lines]


def _age(day: dt.date | None, today: dt.date) -> int:
    return NEVER if day is None else (today - day).days


def _overdue(
    config: Config,
    clock: Clock,
    opened: dt.date,
    head: tree.Head | None,
    ran: dict[str, dt.date],
) -> dict[str, bool]:
    """The day's jobs that should have been done by now and aren't."""
    local, today = clock.local(), clock.today()

    def past(hour: int) -> bool:
        begins = local.replace(hour=hour, minute=0, second=0, microsecond=0)
        return local >= begins + GRACE

    morning = past(config.opening_hour)
    chased = daily.office_hours(local - GRACE, config.digest_hour)
    return {
        "opening": morning and opened < today,
        "log": morning and (head is None or head.made_on < today),
        "count": past(0) and ran.get("count", dt.date.min) < today,
        "overdue": chased and ran.get("overdue", dt.date.min) < today,
    }


# --- the listener -------------------------------------------------------------------------------


def listen(address: tuple[str, int], make: Callable[[], str]) -> ThreadingHTTPServer:
    """Answer `GET /metrics` at this address with what `make` says, from a thread of its own."""

    class Answer(BaseHTTPRequestHandler):
        timeout = _SECONDS_TO_ASK

        def do_GET(self) -> None:
            if self.path != "/metrics":
                return self.send_error(404)
            try:
                body, status = make().encode(), 200
            except sa.exc.SQLAlchemyError:
                body, status = b"database away\n", 503
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return None

        def log_message(self, *_: object) -> None:
            """Who asked is nobody's business either."""

    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ip_address(address[0]).version == 6 else AF_INET
        daemon_threads = True

    server = Server(address, Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
