"""The database: declarative base, column types, sessions, transactions, schema."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, cast

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, current_app, g
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from app.engines import make_engine, sqlstate

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Speakers' tables have no row number: SQLite's rowid is the order of arrival and survives VACUUM.
UNORDERED = {"sqlite_with_rowid": False}

# What PostgreSQL must be set to (deploy/postgresql.conf): its defaults log rows that were refused.
QUIET_POSTGRESQL = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_parameter_max_length_on_error": "0",
    "log_lock_waits": "off",
    "track_commit_timestamp": "off",
    "archive_mode": "off",
}
_TALKING_LIBRARIES = ("auto_explain", "pg_stat_statements", "pgaudit")

# A migration waits this long for a table, then lets those through who queue behind it.
MIGRATION_LOCK, MIGRATION_TRIES = "5s", 12
_MIGRATING = 7250117
# PostgreSQL's words for: undone whole, to be tried again (serialization failure, deadlock); a lock
# wasn't to be had.
_UNDONE, _LOCKED = ("40001", "40P01"), "55P03"

# With less room than this a drop with its photographs may not fit any more.
ROOM = 64 * 1024 * 1024

_in_transaction: ContextVar[bool] = ContextVar("yanlu_in_transaction", default=False)


class UTCDateTime(TypeDecorator[dt.datetime]):
    """An aware UTC instant; for staff tables only (a speaker's table keeps dates)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: dt.datetime | None, dialect: sa.Dialect
    ) -> dt.datetime | None:
        """Refuse a naive instant: it would be read as some local time."""
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime")
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(
        self, value: dt.datetime | None, dialect: sa.Dialect
    ) -> dt.datetime | None:
        """SQLite forgets the zone; it was UTC."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or dt.UTC)


class Base(DeclarativeBase):
    """The base of every model."""

    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[type, object]] = {
        dt.datetime: UTCDateTime,
        bytes: sa.LargeBinary,
    }


def enum_type(enum: type[StrEnum], name: str) -> sa.Enum:
    """A string column that holds one of the enum's values, kept true by a named check."""
    return sa.Enum(
        enum,
        name=name,
        native_enum=False,
        length=32,
        create_constraint=True,
        values_callable=lambda members: [member.value for member in members],
    )


def is_passing(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether the database is away, full or busy: not our fault, nothing stored, later is fine."""
    lost = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError)


def may_repeat(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether this request may run once more from its start: undone whole, nothing committed.

    Not where a connection was lost: with no server to be had, a second try keeps people waiting
    for longer than the page that says so.
    """
    return sqlstate(error) in _UNDONE and not g.get("committed", False)


def init_app(app: Flask, url: str, pool: int) -> None:
    """Give the application its engine, and the one that writes.

    PostgreSQL's connections are shared between the two. SQLite's are not: one that turns from
    reading to writing forgets every statement that it has compiled.
    """
    reads = make_engine(url, pool)
    writes = reads if reads.dialect.name == "postgresql" else make_engine(url, pool)
    app.extensions["engine"] = reads
    app.extensions["writing_engine"] = writes.execution_options(writes=True)


def close(app: Flask) -> None:
    """Close all connections that nobody uses; the next one is opened when it is needed."""
    for name in ("engine", "writing_engine"):
        app.extensions[name].dispose()


def engine() -> Engine:
    """The application's engine."""
    return cast(Engine, current_app.extensions["engine"])


def _writing_engine() -> Engine:
    """The same, its transactions for writing."""
    return cast(Engine, current_app.extensions["writing_engine"])


@contextmanager
def transaction() -> Iterator[Session]:
    """The one place that commits: a POST view, a command or a worker's job opens it.

    It refuses nesting, so that no service can commit a part, and ends before the response is
    built. On SQLite it takes the write lock at once (BEGIN IMMEDIATE).
    """
    if _in_transaction.get():
        raise RuntimeError("transaction() inside transaction()")
    token = _in_transaction.set(True)
    try:
        with Session(_writing_engine()) as session, session.begin():
            yield session
        g.committed = True
    finally:
        _in_transaction.reset(token)


INSERTS: dict[str, Callable[[sa.Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


def insert(session: Session, model: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what is done where the row is there already (ON CONFLICT)."""
    return INSERTS[session.get_bind().dialect.name](cast(sa.Table, model.__table__))


@contextmanager
def reading(*, snapshot: bool = False) -> Iterator[Session]:
    """A session that the database itself holds to reading: GET never writes.

    `snapshot`: all of it shows one instant, however long it takes. What is read in parts
    (`yield_per`) needs it.
    """
    chosen = engine().execution_options(snapshot=True) if snapshot else engine()
    with Session(chosen, autoflush=False) as session:
        yield session


@contextmanager
def reading_past_the_orm() -> Iterator[Connection]:
    """The same for a single query that every visitor asks: a session would double what it costs."""
    with engine().connect() as connection:
        yield connection


def leaking_settings() -> list[str]:
    """What in the database's settings would keep more of a speaker than this software does."""
    if engine().dialect.name == "sqlite":
        path = Path(engine().url.database or "")
        loose = path.stat().st_mode & 0o077
        return [f"{path.name} can be read by other users: chmod 600"] if loose else []
    with reading() as session:
        rows = session.execute(sa.text("SELECT name, setting FROM pg_settings"))
        found = {row.name: row.setting for row in rows}
    told = [
        f"PostgreSQL: {name} is {found[name]}, should be {wanted}"
        for name, wanted in QUIET_POSTGRESQL.items()
        if found.get(name, wanted) != wanted
    ]
    loaded = found.get("shared_preload_libraries", "")
    return told + [
        f"PostgreSQL: {name} is loaded and keeps statements" for name in _TALKING_LIBRARIES
        if name in loaded
    ]  # fmt: skip


def newest_revision() -> str | None:
    """The revision that this version brings a schema to."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def revision_of(connection: Connection) -> str | None:
    """The revision of a database's schema; None without one."""
    return MigrationContext.configure(connection).get_current_revision()


@lru_cache(maxsize=1)
def _revisions() -> tuple[str, frozenset[str]]:
    """The newest revision of the schema that this version knows, and all earlier ones."""
    scripts = ScriptDirectory.from_config(alembic_config())
    known = frozenset(script.revision for script in scripts.walk_revisions())
    newest = newest_revision() or ""
    return newest, known - {newest}


def what_is_missing(session: Session) -> str:
    """What keeps a drop from being stored, in words for the operator; empty when nothing does.

    A schema that is newer than this version knows is no fault: the others are being upgraded.
    """
    found = session.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if found is None or found in _revisions()[1]:
        return "schema not up to date"
    if engine().dialect.name == "sqlite":
        folder = Path(engine().url.database or "").absolute().parent
        if not os.access(folder, os.W_OK | os.X_OK):
            return "data folder can't be written to"
        if shutil.disk_usage(folder).free < ROOM:
            return "disk full"
    return ""


def truncate_journal() -> None:
    """Empty SQLite's write-ahead file; secure_delete alone leaves deleted text there."""
    if engine().dialect.name == "sqlite":
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def alembic_config(connection: Connection | None = None) -> AlembicConfig:
    """Alembic's settings for this application; migrations run on `connection`."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(revision: str = "head") -> None:
    """Bring the schema to a revision; one process at a time, all or nothing."""
    if revision != "head" or not _is_newest():
        _migrate(command.upgrade, revision)


def _is_newest() -> bool:
    """As at nearly every start; seen without a lock."""
    with engine().connect() as connection:
        return revision_of(connection) == _revisions()[0]


def downgrade(revision: str) -> None:
    """Take the schema back to a revision."""
    _migrate(command.downgrade, revision)


def _migrate(step: Callable[[AlembicConfig, str], None], revision: str) -> None:
    for tries_left in reversed(range(MIGRATION_TRIES)):
        try:
            with engine().execution_options(writes=True, migrates=True).begin() as connection:
                hold_schema(connection)
                step(alembic_config(connection), revision)
                require_whole(connection)
        except sa.exc.OperationalError as error:
            if sqlstate(error) != _LOCKED or not tries_left:
                raise
            time.sleep(1)
        else:
            return


def hold_schema(connection: Connection) -> None:
    """Let one process at a time set up or migrate; the others wait, however long it takes.

    SQLite's transaction holds the only write lock already. PostgreSQL's holds an advisory lock, and
    waits for no table so long that everybody's requests pile up behind it.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_LOCK}'")


def require_whole(connection: Connection) -> None:
    """SQLite checks no foreign key while a table is made anew: it is asked at the end."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise RuntimeError(f"the migration would leave {broken[0]} pointing nowhere")
