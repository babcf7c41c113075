"""What a request costs, held against the bare floor, with 1,000 cases and with 1,000,000.

python -m bench.requests [CASES …] [sqlite|postgresql] — each database in a folder of its own, which
is filled once and thrown away. First in process: WSGI calls without a network, which count the
application's own work alone, and with PostgreSQL its server's. What is held against one another is
called in turn; what is compared is time of the processor, which other work on the machine doesn't
change. Then over HTTP through gunicorn (bench/served.py). The tenth of a second that hides what a
looked-up receipt found is off in process and on over HTTP.
"""

from __future__ import annotations

import gc
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from app import db, web
from app.cases.cursor import Cursor
from app.cases.models import Case
from app.submissions.ticket import new_ticket, write_ticket
from bench import county, served
from bench.county import BRANCHES, SLUG, WORDS, County
from bench.floor import create_floor
from bench.pouring import size_of
from bench.served import Served

ROUNDS, WARM, SECONDS = 200, 3, 20.0
LEAST = 10
PORT = 8210
SIZES = (1_000, 1_000_000)
Ask = Callable[[], dict[str, Any]]


def environ(path: str, *, body: dict[str, str] | None = None, cookie: str = "") -> dict[str, Any]:
    """A request as a server hands it over; with a body it is a POST."""
    headers = Headers({"Cookie": cookie} if cookie else {})
    if body is None:
        return EnvironBuilder(path, headers=headers).get_environ()
    data = urlencode(body).encode()
    builder = EnvironBuilder(
        path,
        method="POST",
        headers=headers,
        content_type="application/x-www-form-urlencoded",
        input_stream=BytesIO(data),
        content_length=len(data),
    )
    return builder.get_environ()


def call(app: Flask, asked: dict[str, Any]) -> tuple[int, bytes, list[tuple[str, str]]]:
    """One request through the whole application; status, body, headers."""
    said: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], _: object = None, /) -> Any:
        said[:] = [int(status[:3]), headers]

    answer = app.wsgi_app(asked, start)
    try:
        return said[0], b"".join(answer), said[1]
    finally:
        if hasattr(answer, "close"):
            answer.close()


@dataclass
class Lane:
    """One kind of request to one application, and what its calls took."""

    name: str
    app: Flask
    ask: Ask
    took: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    size: int = 0
    queries: int = 0

    def run(self, backends: Sequence[int] = ()) -> None:
        """One call, timed; anything but success is a fault of the measuring."""
        asked = self.ask()
        begun, spent = time.perf_counter(), processor(backends)
        status, body, _ = call(self.app, asked)
        self.cost.append(processor(backends) - spent)
        self.took.append((time.perf_counter() - begun) * 1000)
        if status != 200:
            raise RuntimeError(f"{self.name}: {status} {body[:2000].decode(errors='replace')}")
        self.size = len(body)

    @property
    def middle(self) -> float:
        """The median of what a call cost of the processor, in milliseconds."""
        return statistics.median(self.cost)

    def p(self, hundredth: int) -> float:
        """A percentile of what the clock said, in milliseconds."""
        return sorted(self.took)[min(len(self.took) * hundredth // 100, len(self.took) - 1)]

    def line(self) -> str:
        """As it is printed."""
        return (f"  {self.name:<42} {1000 / self.middle:7.0f} {self.middle:9.2f} {self.p(50):8.2f}"
                f" {self.p(99):8.2f} {self.queries:8} {self.size:8,}")  # fmt: skip


def processor(backends: Sequence[int]) -> float:
    """Milliseconds of a processor so far: this thread's and those of the server's processes."""
    own = time.thread_time_ns()
    theirs = sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in backends)
    return (own + theirs) / 1e6


def backends_of(app: Flask) -> list[int]:
    """The processes of PostgreSQL that serve this application; SQLite has none."""
    engine = app.extensions["engine"]
    if engine.dialect.name == "sqlite":
        return []
    query = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(query).scalars())


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that a database is asked meanwhile, BEGIN and settings left out."""
    asked: list[str] = []

    def hear(*told: Any) -> None:
        if not told[2].startswith(("PRAGMA", "BEGIN", "SET ")):
            asked.append(told[2])

    both = [app.extensions[name] for name in ("writing_engine", "engine")]
    engines = {engine.pool: engine for engine in both}.values()  # the first hears the second's too
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)


def measure(lanes: Sequence[Lane]) -> None:
    """These lanes in turn, round after round: only what is held against one another."""
    gc.collect()
    gc.freeze()  # what the filling left behind is no server's burden
    for lane in lanes:
        for _ in range(WARM):
            lane.run()
        with counted(lane.app) as asked:
            lane.run()
        lane.queries, lane.took, lane.cost = len(asked), [], []
    backends = [backends_of(lane.app) for lane in lanes]
    end = time.monotonic() + SECONDS
    for done in range(ROUNDS):
        for lane, theirs in zip(lanes, backends, strict=True):
            lane.run(theirs)
        if done >= LEAST and time.monotonic() > end:
            break


# --- what is asked --------------------------------------------------------------------------------


def floor_lanes(floor: Flask) -> dict[str, Lane]:
    """The form alone, the form of a box looked up, one insert, one insert with the cryptography."""

    def post(path: str) -> Ask:
        _, page, headers = call(floor, environ(path))
        token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page.decode())[0]
        cookie = dict(headers)["Set-Cookie"].partition(";")[0]
        body = {"csrf_token": token, "opinion": WORDS}
        return lambda: environ(path, body=body, cookie=cookie)

    return {
        "page": Lane("floor: form alone", floor, lambda: environ("/page")),
        "box": Lane("floor: form of a box looked up", floor, lambda: environ("/box/b7")),
        "put": Lane("floor: durable insert", floor, post("/box/b7")),
        "sealed": Lane("floor: insert with the same cryptography", floor, post("/sealed/b7")),
    }


def lanes_of(made: County) -> dict[str, Lane]:
    """The requests of a county."""
    secret = made.config.secrets.instance_secret
    key_id = made.opening_key_id()
    codes, slips = cycle(made.codes), cycle(made.slips)
    positions = iter(range(10**9))
    keeper, office = (f"desk={cookie}" for cookie in (made.keeper, made.office))

    def drop() -> dict[str, Any]:
        ticket = write_ticket(new_ticket(SLUG, key_id, made.clock.now()), secret)
        return environ(f"/box/{SLUG}", body={"ticket": ticket, "opinion": WORDS, "website": ""})

    def vote() -> dict[str, Any]:
        slip = made.slips.pop()
        _, page, _ = call(made.app, environ("/slip", body={"slip": slip}))
        ticket = re.findall(r'name="ticket" value="([^"]+)"', page.decode())[0]
        grade = {f"grade-{made.subject_id}": "satisfied", "ticket": ticket, "website": ""}
        return environ("/slip", body=grade)

    def proof() -> dict[str, Any]:
        leaf = made.leaves[next(positions) % len(made.leaves)]
        return environ(f"/log/proof?leaf={leaf.hex()}")

    asks: dict[str, tuple[str, Ask]] = {
        "form": ("form page", lambda: environ(f"/box/{SLUG}")),
        "drop": ("drop", drop),
        "receipt": ("receipt: thread by code", lambda: environ(
            "/receipt", body={"code": next(codes)})),
        "queue": ("queue, first page", lambda: environ("/desk/queue", cookie=keeper)),
        "deep": ("queue, a page in the middle", lambda: environ(
            f"/desk/queue?after={_middle(made)}", cookie=keeper)),
        "slip": ("ballot: its page by a slip", lambda: environ(
            "/slip", body={"slip": next(slips)})),
        "vote": ("ballot: cast", vote),
        "proof": ("log proof by leaf", proof),
        "board": ("board, first page", lambda: environ("/desk/board", cookie=office)),
    }  # fmt: skip
    slips = cycle(made.slips[: len(made.slips) // 4])  # the rest are voted with
    return {key: Lane(name, made.app, ask) for key, (name, ask) in asks.items()}


_MIDDLES: dict[int, str] = {}


def _middle(made: County) -> str:
    """Where the middle page of the keeper's open cases begins."""
    if made.cases not in _MIDDLES:
        with made.app.app_context(), db.reading() as session:
            query = sa.select(Case.clock_on, Case.id).where(
                Case.box_id == made.box_id, Case.state == "accepted"
            )
            rows = session.execute(query.order_by(Case.clock_on, Case.id)).all()
        at = rows[len(rows) // 2]
        _MIDDLES[made.cases] = str(Cursor(at.clock_on, at.id))
    return _MIDDLES[made.cases]


# --- the tables -----------------------------------------------------------------------------------

HEAD = (f"  {'':<42} {'a core':>7} {'processor':>9} {'p50 ms':>8} {'p99 ms':>8} {'queries':>8}"
        f" {'bytes':>8}")  # fmt: skip
AIMS = (
    ("form page / floor: form alone", "form", "page", 1.0),
    ("form page / floor: form of a box looked up", "form", "box", 1.0),
    ("drop / floor: insert, same cryptography", "drop", "sealed", 0.8),
)
GROUPS = {"form": ("page", "box"), "drop": ("put", "sealed")} | dict.fromkeys(
    ("receipt", "queue", "deep", "slip", "vote", "proof", "board"), ()
)
GROWN = ("receipt", "queue", "deep", "slip", "vote", "proof", "board", "form", "drop")
MUST = frozenset({"receipt", "queue", "deep", "slip", "vote", "proof", "board"})


def report(floor: dict[str, Lane], counties: dict[int, dict[str, Lane]]) -> None:
    """The three tables of one database."""
    print(HEAD)
    for lane in floor.values():
        print(lane.line())
    for cases, lanes in counties.items():
        print(f"  with {cases:,} cases, leaves and slips")
        for lane in lanes.values():
            print(lane.line())
    small, large = counties[min(counties)], counties[max(counties)]
    print("\n  speed against the floor (median processor time of calls in turn; 1.00 is as fast)")
    for name, ours, theirs, least in AIMS:
        ratio = floor[theirs].middle / large[ours].middle
        verdict = "met" if ratio >= least else "MISSED"
        print(f"  {name:<44} {ratio:8.2f}   aim {least:.1f}  {verdict}")
    if small is large:
        return
    sizes = list(counties)
    print(f"\n  growth of the median processor time from {sizes[0]:,} to {sizes[-1]:,}")
    for key in GROWN:
        ratio = large[key].middle / small[key].middle
        verdict = ("met" if ratio <= 1.5 else "MISSED") if key in MUST else ""
        aim = "aim 1.5" if key in MUST else ""
        print(f"  {large[key].name:<44} {ratio:8.2f}   {aim:<7}  {verdict}", flush=True)


def bench(name: str, urls: Callable[[str], str], folder: Path, sizes: Sequence[int]) -> None:
    """One database: filled, measured in process, then served."""
    print(f"\n{name}", flush=True)
    counties = {n: county.make(folder / str(n), urls(f"c{n}"), n) for n in sizes}
    large = counties[sizes[-1]]
    floor = create_floor(large.config.database_url, BRANCHES)
    for cases, made in counties.items():
        size = size_of(made.app.extensions["engine"])
        print(f"  {cases:,} cases, as many leaves and slips: {size / 2**20:,.0f} MiB")
    theirs = floor_lanes(floor)
    ours = {n: lanes_of(made) for n, made in counties.items()}
    step, web.LOOKUP_TIME_STEP = web.LOOKUP_TIME_STEP, 0.0
    for key, group in GROUPS.items():
        measure([*(theirs[name] for name in group), *(lanes[key] for lanes in ours.values())])
    web.LOOKUP_TIME_STEP = step
    report(theirs, ours)
    serve(large, theirs, ours[sizes[-1]])
    floor.extensions["engine"].dispose()
    for made in counties.values():
        db.close(made.app)


def serve(made: County, theirs: dict[str, Lane], ours: dict[str, Lane]) -> None:
    """The same requests over HTTP, and the memory of the worker that answered them."""
    environ = {"DATA_DIR": str(made.config.data_dir), "LIMITS": "off",
               "DATABASE_URL": made.config.database_url}  # fmt: skip
    bare = f"bench.floor:create_floor({made.config.database_url!r}, {BRANCHES})"
    print(
        f"\n  over HTTP, {made.cases:,} cases, {served.WORKERS} workers, {served.VISITORS} visitors"
    )
    with (
        served.gunicorn("app:create_app()", PORT, environ) as pid,
        served.gunicorn(bare, PORT + 1, {}),
    ):
        floor = {key: Served(lane.name, PORT + 1, lane.ask) for key, lane in theirs.items()}
        app = {key: Served(lane.name, PORT, lane.ask) for key, lane in ours.items()}
        groups = [[*(floor[name] for name in group), app[key]] for key, group in GROUPS.items()
                  if key != "vote"]  # fmt: skip
        served.measure(groups, pid)


def main(words: Sequence[str]) -> None:
    """Both databases, or the one that is named."""
    sizes = tuple(int(word) for word in words if word.isdigit()) or SIZES
    chosen = [word for word in words if not word.isdigit()] or ["sqlite", "postgresql"]
    with tempfile.TemporaryDirectory(prefix="yanlu-bench-") as folder:
        if "sqlite" in chosen:
            bench("SQLite", lambda _: "", Path(folder, "sqlite"), sizes)
        if "postgresql" in chosen:
            with served.postgresql(Path(folder, "server")) as urls:
                bench("PostgreSQL", urls, Path(folder, "postgresql"), sizes)


if __name__ == "__main__":
    main(sys.argv[1:])
