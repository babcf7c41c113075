"""Many rows at once, past the ORM: a million cases in a minute or two, with progress told."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Engine

from app import db

_BATCH = 20_000


class Tap:
    """One connection that rows run out of: `executemany` on SQLite, COPY on PostgreSQL."""

    def __init__(self, raw: Any, dialect: str) -> None:
        self._raw, self._dialect = raw, dialect

    def pour(self, model: Any, rows: Iterable[Sequence[object]], columns: Sequence[str]) -> int:
        """Rows of one table, their values in the order of the columns; how many they were."""
        table, names, count = model.__table__.name, ", ".join(f'"{c}"' for c in columns), 0
        cursor, stream = self._raw.cursor(), iter(rows)
        if self._dialect == "sqlite":
            marks = ", ".join("?" * len(columns))
            statement = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
            while batch := list(islice(stream, _BATCH)):
                cursor.executemany(statement, batch)
                count += len(batch)
        else:
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for row in stream:
                    copy.write_row(row)
                    count += 1
        return count


@contextmanager
def tap(app: Flask) -> Iterator[Tap]:
    """A tap for the time of one filling: it is all there afterwards, or nothing was measured."""
    db.close(app)  # alone with the file
    engine: Engine = app.extensions["engine"]
    dialect, raw = engine.dialect.name, engine.raw_connection()
    try:
        if dialect == "sqlite":
            # No journal: what was interrupted is thrown away whole.
            for setting in ("query_only = OFF", "synchronous = OFF", "cache_size = -1000000",
                            "journal_mode = OFF"):  # fmt: skip
                raw.cursor().execute(f"PRAGMA {setting}")
            raw.cursor().execute("BEGIN")
        else:
            raw.cursor().execute("BEGIN READ WRITE; SET LOCAL statement_timeout = 0")
        yield Tap(raw, dialect)
        if dialect == "sqlite":
            raw.cursor().execute("COMMIT")
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        else:
            raw.commit()
    finally:
        raw.invalidate()  # its settings are nobody else's
        raw.close()


def settle(engine: Engine) -> None:
    """What PostgreSQL's own housekeeping would have done by the next morning; SQLite has none."""
    if engine.dialect.name == "postgresql":
        raw = engine.raw_connection()
        raw.cursor().execute("SET statement_timeout = 0")
        raw.cursor().execute("VACUUM ANALYZE")
        raw.invalidate()


def size_of(engine: Engine) -> int:
    """Bytes that the database takes."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        return int(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say on stderr what is being done and how long it took."""
    print(f"  {what} …", end="", file=sys.stderr, flush=True)
    begun = time.perf_counter()
    yield
    print(f" {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
