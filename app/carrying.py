"""An instance carried from one database into another, whole and proved, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic import command
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from app import archive, backups, db, engines
from app.archive import ArchiveError, Content, Progress
from app.transparency import note, replay
from app.transparency.replay import Replayed
from config import Config

# Everything but the mark of the schema's version, which both sides have to have already.
_WITHOUT = ("alembic_version",)
_WAIT_MS = 3000


class CarryError(Exception):
    """Why nothing was carried; the message is one sentence for the operator."""


@dataclass(frozen=True)
class Carried:
    """What both sides hold: rows and their digest by table, the log replayed."""

    content: Content
    log: Replayed


def carry(config: Config, url: str, show: Progress, prove: Callable[[str], None]) -> Carried:
    """Copy every row into an empty migrated database, in one transaction, and read it all back.

    Nobody else may have the source open, from before the first row until all of it is proved.
    `prove` hears what is being checked. Raises CarryError; the target is as it was then.
    """
    if sa.make_url(url) == sa.make_url(config.database_url):
        raise CarryError("that is the database that the instance lives in already")
    target = engines.make_engine(url)
    try:
        with _held(config.database_url) as source, _target(target) as writing:
            _require_alike(source, writing)
            return _copied(source, writing, config, show, prove)
    except ArchiveError as error:
        raise CarryError(str(error)) from error
    finally:
        target.dispose()


def _copied(
    source: Connection,
    writing: Connection,
    config: Config,
    show: Progress,
    prove: Callable[[str], None],
) -> Carried:
    sent = archive.Sum()
    frames = sent.over(archive.rows(source, show, _WITHOUT))
    archive.fill(writing, frames, lambda *_: None, _WITHOUT)
    db.require_whole(writing)
    prove("reading every row back")
    arrived = archive.summed(archive.rows(writing, show, _WITHOUT))
    for name in sent.content.rows | arrived.rows:
        if _of(sent.content, name) != _of(arrived, name):
            raise CarryError(f"{name} didn't arrive as it was: nothing was kept; tell the makers")
    prove("replaying the log on both sides")
    logs = [_replayed(side, config) for side in (source, writing)]
    if logs[0] != logs[1]:
        raise CarryError("the log didn't arrive as it was: nothing was kept; tell the makers")
    return Carried(arrived, logs[1])


def _of(content: Content, table: str) -> tuple[int, str]:
    return content.rows.get(table, 0), content.sums.get(table, "")


def _replayed(connection: Connection, config: Config) -> Replayed:
    try:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            key = note.county_key(config.secrets.log_seed, config.origin)
            return replay.replay(session, key)
    except replay.Fault as fault:
        raise CarryError(f"the log doesn't hold: {fault}. Run `verify-log` first") from fault


# --- the two sides ------------------------------------------------------------------------------


@contextmanager
def _held(url: str) -> Iterator[Connection]:
    """The source, read by us alone: what somebody wrote after its row was copied would be lost."""
    engine = engines.make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _lock_sqlite)
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                _lock_postgresql(connection)
            yield connection
    except sa.exc.OperationalError as error:
        raise CarryError(_open_elsewhere(error)) from error
    finally:
        engine.dispose()


def _open_elsewhere(error: sa.exc.OperationalError) -> str:
    if "locked" in str(error.orig):
        return (
            "the instance's database is open in another process: stop web and worker on every"
            " machine, then run this again"
        )
    return f"the instance's own database can't be read ({told(error)})"


def _lock_sqlite(connection: Any, _record: object) -> None:
    """Taken only where no other process has the file open, idle ones included."""
    connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def _lock_postgresql(connection: Connection) -> None:
    others = connection.scalar(
        sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    )
    if others:
        raise CarryError(
            f"{others} others are connected to the instance's database: stop web and worker on"
            " every machine, then run this again"
        )
    for table in archive.tables(connection, ()):
        connection.exec_driver_sql(f'LOCK TABLE "{table.name}" IN SHARE MODE')


@contextmanager
def _target(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.execution_options(writes=True, migrates=True).begin() as connection:
            db.hold_schema(connection)
            yield connection
    except sa.exc.DBAPIError as error:
        raise CarryError(
            f"the new database can't be reached or filled ({told(error)}); nothing was carried, the"
            " instance is where it was"
        ) from error


def told(error: sa.exc.DBAPIError) -> str:
    """What a database says is wrong, without the rows that it would cite."""
    primary = getattr(getattr(error.orig, "diag", None), "message_primary", None)
    return str(primary or str(error.orig).partition("\n")[0] or type(error.orig).__name__)


def _require_alike(source: Connection, target: Connection) -> None:
    """An instance of this version here, none there; a database without tables gets them."""
    head, here, there = db.newest_revision(), db.revision_of(source), db.revision_of(target)
    if here is None:
        raise CarryError("there is no instance in DATABASE_URL's database: nothing to carry")
    if here != head:
        raise CarryError("the instance is of an older version: run `flask init` first")
    if there is None:
        if sa.inspect(target).get_table_names():
            raise CarryError("the new database holds somebody else's tables: make an empty one")
        command.upgrade(db.alembic_config(target), "head")
    elif there != head:
        raise CarryError(
            f"the new database is of another version (schema {there}, here {head}): run `flask"
            " init` there with this version, or make it anew"
        )
    if target.dialect.name == "postgresql":
        encoding = target.scalar(sa.text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise CarryError(f"the new database keeps text as {encoding}: make it with -E UTF8")
    backups.require_empty(target)
