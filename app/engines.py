"""Connections to each database: what privacy and durability ask of them, how transactions begin."""

from __future__ import annotations

import select
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import has_request_context
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

# How many connections one process keeps (as many as it has threads), how many more it opens in a
# rush, for how many seconds a request waits for one, how old one gets.
POOL, OVERFLOW, POOL_WAIT, RECYCLE = 16, 4, 10, 1800
# Of PostgreSQL's connections, where the URL doesn't say otherwise. The keepalives find a server
# that was cut off (its packets just vanish) within half a minute.
POSTGRESQL = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # As long as SQLite's writers wait. Nobody leaves a transaction open for minutes.
    "options": "-c lock_timeout=60s -c idle_in_transaction_session_timeout=300s",
}
# For what a page reads, and never for what is written: a COMMIT that waits for its standby would be
# cut short by it, and then counts as done without the standby. Not in a command either: a backup
# reads as long as it takes.
READING_TIMEOUT = "60s"
# PostgreSQL's words for: a standby was written to, or asked to be.
_STANDBY = ("25006", "0A000")


def make_engine(url: str, pool: int = POOL) -> Engine:
    """An engine for the URL, with the settings that privacy and durability ask of each database."""
    parsed = sa.make_url(url)
    on_postgresql = parsed.get_backend_name() == "postgresql"
    said = (
        {} if not on_postgresql else {k: v for k, v in POSTGRESQL.items() if k not in parsed.query}
    )
    engine = sa.create_engine(
        parsed,
        # An exception's message would otherwise carry what a speaker typed.
        hide_parameters=True,
        isolation_level="AUTOCOMMIT" if on_postgresql else None,  # see `_begin_postgresql`
        poolclass=sa.QueuePool,
        pool_size=pool,
        max_overflow=OVERFLOW,
        pool_timeout=POOL_WAIT,
        pool_recycle=RECYCLE,
        connect_args=said,
    )
    if on_postgresql:
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "checkout", _notice_lost)
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "handle_error", _leave_standby)
    else:
        file = Path(parsed.database or "")
        if parsed.database and not file.exists():  # its journals take over the mode
            file.touch(mode=0o600)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is emitted by `_begin_sqlite`, not by the driver
    cursor = connection.cursor()
    # An opening that brings hundreds of photographs through holds the lock for a while: drops wait.
    cursor.execute("PRAGMA busy_timeout = 60000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged drop survives a power cut
    cursor.execute("PRAGMA secure_delete = ON")  # deleted text is overwritten, not just unlinked
    cursor.execute("PRAGMA temp_store = MEMORY")  # no sort spills sealed rows to a temporary file
    cursor.close()


def _writes(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("writes", False))


def _begin_sqlite(connection: Connection) -> None:
    writes = _writes(connection)
    # SQLite changes a table by making it anew: dropping the old one would delete its children.
    migrates = connection.get_execution_options().get("migrates", False)
    held_to = (
        f"PRAGMA query_only = {'OFF' if writes else 'ON'}",
        f"PRAGMA foreign_keys = {'OFF' if migrates else 'ON'}",
    )
    # Said only where it changes: each makes SQLite compile all statements of a connection anew.
    if connection.info.get("held_to") != held_to:
        for setting in held_to:
            connection.exec_driver_sql(setting)
        connection.info["held_to"] = held_to
    if writes:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # past what translates errors: it asks the file nothing, so it meets none
        connection.connection.cursor().execute("BEGIN")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.execute(
        f"SET default_transaction_read_only = on; SET statement_timeout = '{READING_TIMEOUT}'"
    )


def _notice_lost(connection: Any, _record: object, _fairy: object) -> None:
    """What an idle connection has to say is that its server is going: found without asking it."""
    if not connection.closed:
        line = select.poll()
        line.register(connection.fileno(), select.POLLIN)
        if not line.poll(0):
            return
    raise sa.exc.InvalidatePoolError


def _begin_postgresql(connection: Connection) -> None:
    """A page's statements need no transaction round them: at READ COMMITTED it would join nothing.

    So each costs one exchange with the server instead of three, and the connection's own settings
    hold it to reading.
    """
    if _writes(connection):
        kind = "READ WRITE"
    elif connection.get_execution_options().get("snapshot", False):
        kind = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
    elif has_request_context():
        return
    else:
        kind = "READ ONLY"
    connection.exec_driver_sql(f"BEGIN {kind}; SET LOCAL statement_timeout = 0")


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's word for what went wrong."""
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None)


def _leave_standby(context: ExceptionContext) -> None:
    """A leader that became a standby under our hands: its connections lead nowhere, all of them."""
    if sqlstate(context.original_exception) in _STANDBY and context.connection is not None:
        context.is_disconnect = context.is_disconnect or _writes(context.connection)
