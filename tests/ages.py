"""A populated database as each earlier version left it: filled today, taken back by steps."""

from __future__ import annotations

import datetime as dt
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection

from app import archive, db

# Of two columns that exclude one another, the one that is left empty.
_LEFT_EMPTY = {("invitation", "role"), ("outbox_row", "subscription_id"), ("removal", "removed_by")}
Rows = dict[str, dict[tuple[str, ...], list[tuple[object, ...]]]]


def fill_what_is_empty(connection: Connection, today: dt.date) -> list[str]:
    """A row that honours every constraint for each table that has none; the tables' names."""
    filled = []
    for table in db.Base.metadata.sorted_tables:
        if connection.scalar(sa.select(sa.literal(1)).select_from(table).limit(1)) is None:
            row = {column.name: _value(connection, column, today) for column in table.columns}
            connection.execute(sa.insert(table).values(**row))
            filled.append(table.name)
    return filled


def _value(connection: Connection, column: sa.Column[Any], today: dt.date) -> object:
    if (column.table.name, column.name) in _LEFT_EMPTY:
        return None
    for key in column.foreign_keys:
        return connection.scalar(sa.select(key.column).limit(1))
    return next(make(column, today) for kind, make in _MAKERS if isinstance(column.type, kind))


_MAKERS: list[tuple[type, Callable[[sa.Column[Any], dt.date], object]]] = [
    (sa.Enum, lambda column, _: column.type.enums[0]),  # type: ignore[attr-defined]
    (sa.String, lambda column, _: secrets.token_hex(16)[: getattr(column.type, "length", 0) or 32]),
    (sa.LargeBinary, lambda column, _: secrets.token_bytes(32)),
    (sa.Date, lambda column, today: today),
    (db.UTCDateTime, lambda column, today: dt.datetime.combine(today, dt.time(), dt.UTC)),
    (sa.Boolean, lambda column, _: False),
    (sa.Integer, lambda column, _: 1),
]


def rows_of(connection: Connection, columns: dict[str, list[str]] | None = None) -> Rows:
    """Every row of these columns (by default of all), sorted, by table."""
    found: Rows = {}
    for table in archive.tables(connection, ("alembic_version",)):
        wanted = columns.get(table.name, []) if columns is not None else list(table.columns.keys())
        names = [name for name in sorted(table.columns.keys()) if name in wanted]
        if names:
            rows = connection.execute(sa.select(*(table.c[name] for name in names)))
            told = [tuple(map(archive._plain, row)) for row in rows]
            found[table.name] = {tuple(names): sorted(told, key=repr)}
    return found


@dataclass
class Ages:
    """The snapshots of one database, by revision; what a person may still come back with."""

    folder: Path
    kind: str
    server: str
    execute: Callable[..., None]
    codes: dict[str, str] = field(default_factory=dict)
    accounts: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the database is that goes back."""
        return self._url("ages")

    def _url(self, name: str) -> str:
        if self.kind == "sqlite":
            return f"sqlite:///{self.folder / name}.sqlite3"
        return self.server.replace("/postgres?", f"/{name}?")

    def keep(self, app: Flask, revision: str) -> None:
        """A snapshot of the present state."""
        with app.app_context():
            db.truncate_journal()
            db.close(app)
        self._copy("ages", f"age_{revision}")

    def taken(self, revision: str) -> str:
        """A copy of a snapshot, to be worked on; its URL."""
        name = f"work_{revision}_{secrets.token_hex(4)}"
        self._copy(f"age_{revision}", name)
        return self._url(name)

    def _copy(self, source: str, target: str) -> None:
        if self.kind == "sqlite":
            shutil.copy(self.folder / f"{source}.sqlite3", self.folder / f"{target}.sqlite3")
        else:
            self.execute(self.server, f"CREATE DATABASE {target} TEMPLATE {source}")
