"""A database as a sealed stream of rows and back: what a backup file holds, whatever the database.

Rows and not pages: what was deleted is nowhere in it, rows stand in the order of their random keys,
and what SQLite wrote PostgreSQL reads. The stream is libsodium's secretstream under a key of its
own, sealed to the operator's public key: the machine that writes backups can't read older ones.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import sqlalchemy as sa
from nacl import bindings, utils
from nacl.exceptions import CryptoError
from sqlalchemy.engine import Connection

from app import crypto

MAGIC = b"yanlu-backup/1\n"
# A session's half of a key must not outlive its signing out in some older file.
LEFT_OUT = ("alembic_version", "staff_session")
# How much lies in a shut box is told by no number anywhere, an operator's journal included.
UNTOLD = ("lying_item", "lying_piece")
ROWS, PIECES = 500, 20
MOST_FRAME = 256 * 1024 * 1024
# The size of a file would tell how many drops lie unopened: 24 KiB each.
STEP = 4 * 1024 * 1024
_SEALED_KEY = crypto.KEY_BYTES + bindings.crypto_box_SEALBYTES
_HEADER = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_LAST = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
_MORE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE

Frame = dict[str, Any]
Progress = Callable[[str, int, int], None]


class ArchiveError(Exception):
    """A file that can't be used; the message is one sentence for the operator."""


@dataclass(frozen=True)
class Content:
    """What tables hold: rows counted, and a sum of their hashes that no order changes."""

    rows: dict[str, int]
    sums: dict[str, str]

    @property
    def told(self) -> int:
        """How many rows may be told of."""
        return sum(count for name, count in self.rows.items() if name not in UNTOLD)


# --- the sealed stream ----------------------------------------------------------------------------


class Writer:
    """Frames into a file under a fresh key, which is sealed to `public_key`."""

    def __init__(self, out: BinaryIO, public_key: bytes) -> None:
        self.key = utils.random(bindings.crypto_secretstream_xchacha20poly1305_KEYBYTES)
        self._out = out
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        header = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, self.key)
        self._out.write(MAGIC + crypto.seal_to(public_key, self.key) + header)

    def put(self, frame: Frame) -> None:
        """One more frame."""
        self._push(zlib.compress(json.dumps(frame, ensure_ascii=False).encode(), 1), _MORE)

    def end(self) -> None:
        """The last frame: nothing but what fills the file up to a whole step."""
        overhead = 4 + bindings.crypto_secretstream_xchacha20poly1305_ABYTES
        self._push(bytes(-(self._out.tell() + overhead) % STEP), _LAST)

    def _push(self, data: bytes, tag: int) -> None:
        sealed = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, data, None, tag)
        self._out.write(len(sealed).to_bytes(4, "big") + sealed)


def read(file: BinaryIO, key_of: Callable[[bytes], bytes]) -> Iterator[Frame]:
    """The frames of a file; `key_of` opens its sealed key. Raises ArchiveError.

    Cut short, altered, put in another order or under another key: the stream says so.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise ArchiveError("this is no backup file, or one of a newer version")
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    try:
        key = key_of(file.read(_SEALED_KEY))
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, file.read(_HEADER), key)
        while True:
            data, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, _frame(file))
            if tag == _LAST:
                return
            yield json.loads(zlib.decompress(data))
    except (CryptoError, crypto.SealError, ValueError, zlib.error) as error:
        raise ArchiveError("the backup is damaged, cut short, or not for this key") from error


def _frame(file: BinaryIO) -> bytes:
    size = int.from_bytes(file.read(4), "big")
    if not 0 < size <= MOST_FRAME:
        raise ArchiveError("the backup is damaged, cut short, or not for this key")
    return file.read(size)


# --- rows -----------------------------------------------------------------------------------------


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
        return {"t": utc.isoformat()}
    if isinstance(value, dt.date):
        return {"d": value.isoformat()}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(type(value).__name__)


def _value(plain: object) -> object:
    if not isinstance(plain, dict):
        return plain
    ((kind, text),) = plain.items()
    if kind == "b":
        return base64.b64decode(text)
    return dt.datetime.fromisoformat(text) if kind == "t" else dt.date.fromisoformat(text)


def tables(connection: Connection, without: Collection[str] = LEFT_OUT) -> list[sa.Table]:
    """The tables as the database itself describes them, those referred to first."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in without]


def counted(connection: Connection, without: Collection[str] = LEFT_OUT) -> dict[str, int]:
    """How many rows each table has."""
    return {table.name: _number(connection, table) for table in tables(connection, without)}


def _number(connection: Connection, table: sa.Table) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def rows(
    connection: Connection, progress: Progress, without: Collection[str] = LEFT_OUT
) -> Iterator[Frame]:
    """Every row of every table, in the order of the keys; `progress` hears table, done, whole."""
    for table in tables(connection, without):
        whole = _number(connection, table)
        query = sa.select(table).order_by(*table.primary_key.columns)
        at_once = PIECES if table.name.endswith("_piece") else ROWS  # of 256 KiB each
        found = connection.execute(query.execution_options(yield_per=at_once))
        done = 0
        for part in found.partitions():
            plain = [[_plain(value) for value in row] for row in part]
            done += len(plain)
            yield {"table": table.name, "columns": list(table.columns.keys()), "rows": plain}
            progress(table.name, done, whole)


@dataclass
class Sum:
    """What frames of rows amount to, whatever their order."""

    _rows: dict[str, int] = field(default_factory=dict)
    _sums: dict[str, int] = field(default_factory=dict)

    def over(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames as they pass by, added up."""
        for frame in frames:
            name = frame["table"]
            for row in frame["rows"]:
                cells = dict(zip(frame["columns"], row, strict=True))
                told = json.dumps(cells, sort_keys=True, ensure_ascii=False).encode()
                digest = int.from_bytes(hashlib.sha256(told).digest(), "big")
                self._sums[name] = (self._sums.get(name, 0) + digest) % 2**256
            self._rows[name] = self._rows.get(name, 0) + len(frame["rows"])
            yield frame

    @property
    def content(self) -> Content:
        """What it came to."""
        return Content(
            dict(self._rows), {name: f"{number:064x}" for name, number in self._sums.items()}
        )


def summed(frames: Iterator[Frame]) -> Content:
    """What the frames of rows amount to."""
    total = Sum()
    for _ in total.over(frames):
        pass
    return total.content


def fill(
    connection: Connection,
    frames: Iterator[Frame],
    progress: Progress,
    without: Collection[str] = LEFT_OUT,
) -> None:
    """Put rows into tables that are there, in place of whatever a migration put there.

    Foreign keys are taken off and put on again: that checks them all, whatever the order of rows.
    SQLite's are off in a transaction that migrates, and checked at its end.
    """
    there = {table.name: table for table in tables(connection, without)}
    keys = [
        constraint
        for table in there.values()
        for constraint in table.foreign_key_constraints
        if connection.dialect.name == "postgresql"
    ]
    for constraint in keys:
        connection.execute(sa.schema.DropConstraint(constraint))
    for table in reversed(list(there.values())):
        connection.execute(sa.delete(table))
    done: dict[str, int] = {}
    for frame in frames:
        name, columns = frame["table"], frame["columns"]
        made = [dict(zip(columns, map(_value, row), strict=True)) for row in frame["rows"]]
        connection.execute(sa.insert(there[name]), made)
        done[name] = done.get(name, 0) + len(made)
        progress(name, done[name], done[name])
    for constraint in keys:
        connection.execute(sa.schema.AddConstraint(constraint))
