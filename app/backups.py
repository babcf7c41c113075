"""Backups: made after an opening, sealed, read back at once; and an instance made anew from one."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from app import archive, crypto, db, engines
from app.archive import ArchiveError, Content, Frame, Progress, Writer
from app.sealing import service as sealing
from app.transparency import note, replay, tree
from app.transparency.replay import PaperHead, Replayed
from config import Config, Secrets

KEPT_DAYS = 30
_NAME, _ENDING, _SCRATCH = "yanlu-", ".backup", "read-back-"
# Where any of these has a row, somebody's instance is there already.
_LIVED_IN = ("unit", "staff", "case")


@dataclass(frozen=True)
class Point:
    """What a backup brings back: the state of a day, after its opening; the log up to there."""

    made_on: dt.date
    size: int
    root: bytes
    rows: int


# --- making ---------------------------------------------------------------------------------------


def make(
    engine: Engine, config: Config, public_key: bytes, folder: Path, today: dt.date, show: Progress
) -> tuple[Path, Point]:
    """Write today's backup into a folder, having read it back into a scratch database.

    Only after the day's opening, and once for each: two files with no opening between them would
    tell which drops came in the meantime. Raises ArchiveError.
    """
    target = folder / f"{_NAME}{today.isoformat()}{_ENDING}"
    aside = target.with_suffix(".unfinished")
    if target.exists():
        raise ArchiveError(f"{target.name} is there: one backup follows each opening, no more")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
            writer = Writer(out, public_key)
            with _snapshot(engine) as connection:
                header = _header(connection, config, today)
                writer.put(header)
                content = archive.summed(_kept(archive.rows(connection, show), writer))
            writer.end()
            out.flush()
            os.fsync(out.fileno())
        found = _read_back(aside, writer.key, config, content)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return target, Point(today, found.size, found.root, content.told)


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """One instant of the database, however long the reading takes."""
    with engine.execution_options(snapshot=True).connect() as connection:
        yield connection


def _header(connection: Connection, config: Config, today: dt.date) -> Frame:
    with Session(connection) as session:
        opened_on = sealing.opening_key(session).made_on
    if opened_on < today:
        raise ArchiveError(
            f"no box was opened today; the last opening was on {opened_on.isoformat()}. A backup"
            " follows an opening: run it again once today's is over"
        )
    revision = db.revision_of(connection)
    if revision != db.newest_revision():
        raise ArchiveError("the database is of an older version: run `flask init` first")
    return {
        "made_on": today.isoformat(),
        "revision": revision,
        "origin": config.origin,
        "secrets": fingerprint(config.secrets),
    }


def fingerprint(secrets: Secrets) -> str:
    """What tells one instance's secrets from another's, and nothing else of them."""
    all_of_them = (secrets.instance_secret, secrets.pepper, secrets.site_salt, secrets.log_seed)
    return crypto.hkdf(b"".join(all_of_them), "backup fingerprint").hex()[:16]


def _kept(frames: Iterator[Frame], writer: Writer) -> Iterator[Frame]:
    for frame in frames:
        writer.put(frame)
        yield frame


def _read_back(path: Path, key: bytes, config: Config, content: Content) -> Replayed:
    """Restore what was written and hold it against what was read: a backup that was never restored
    is none."""
    for stale in config.data_dir.glob(f"{_SCRATCH}*"):  # of a run that was killed
        shutil.rmtree(stale)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=config.data_dir) as folder:
        engine = engines.make_engine(f"sqlite:///{folder}/restored.sqlite3")
        try:
            _, found = _restored(engine, path, lambda _: key, config, (), _quiet)
            with engine.connect() as connection:
                again = archive.summed(archive.rows(connection, _quiet))
        finally:
            engine.dispose()
    if again != content:
        raise ArchiveError("what was written doesn't read back as it was: try another disk")
    return found


def _quiet(_table: str, _done: int, _whole: int) -> None:
    pass


def expire(folder: Path, today: dt.date, days: int) -> list[str]:
    """Delete a folder's backups that are older than so many days; their names."""
    gone = []
    for path in sorted(folder.glob(f"{_NAME}*{_ENDING}")):
        made_on = dt.date.fromisoformat(path.name[len(_NAME) : -len(_ENDING)])
        if (today - made_on).days > days:
            path.unlink()
            gone.append(path.name)
    return gone


# --- restoring ------------------------------------------------------------------------------------


def restore(
    engine: Engine,
    path: Path,
    private_key: bytes,
    config: Config,
    heads: Sequence[PaperHead],
    show: Progress,
) -> Point:
    """An instance made anew from a file, in an empty database, in one transaction.

    `heads` are what others hold of the log: where it went on after the backup, it isn't signed a
    second time under the same name. Raises ArchiveError; nothing has changed then.
    """

    def key_of(sealed: bytes) -> bytes:
        return crypto.unseal(private_key, sealed)

    made_on, found = _restored(engine, path, key_of, config, heads, show)
    with engine.connect() as connection:
        rows = Content(archive.counted(connection), {}).told
    return Point(made_on, found.size, found.root, rows)


def _restored(
    engine: Engine,
    path: Path,
    key_of: Callable[[bytes], bytes],
    config: Config,
    heads: Sequence[PaperHead],
    show: Progress,
) -> tuple[dt.date, Replayed]:
    with path.open("rb") as file:
        frames = archive.read(file, key_of)
        header = next(frames, {})
        if header.get("secrets") != fingerprint(config.secrets):
            raise ArchiveError(
                "secrets.json in DATA_DIR isn't the one of this backup: without it nothing that"
                " was sealed opens again. Put that file back first"
            )
        with engine.execution_options(writes=True, migrates=True).begin() as connection:
            require_empty(connection)
            _schema(connection, header["revision"])
            archive.fill(connection, frames, show)
            _migrate(connection, command.upgrade, "head")
            db.require_whole(connection)
            found = _take_up_log(connection, header["origin"], config, heads)
    return dt.date.fromisoformat(header["made_on"]), found


def require_empty(connection: Connection) -> None:
    """Refuse a database that somebody's instance is in. Raises ArchiveError."""
    there = sa.inspect(connection).get_table_names()
    for name in _LIVED_IN:
        some = sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)
        if name in there and connection.scalar(some):
            raise ArchiveError(
                "there is an instance in this database already, and it stays as it is: name an"
                " empty one in DATABASE_URL"
            )


def _schema(connection: Connection, revision: str) -> None:
    """Tables as they were when the backup was made."""
    _migrate(connection, command.downgrade, "base")
    try:
        _migrate(connection, command.upgrade, revision)
    except CommandError as error:
        raise ArchiveError(
            f"the backup is of a newer version (schema {revision}): install that one first"
        ) from error


def _migrate(connection: Connection, step: Callable[[Any, str], None], revision: str) -> None:
    step(db.alembic_config(connection), revision)


def _take_up_log(
    connection: Connection, origin: str, config: Config, heads: Sequence[PaperHead]
) -> Replayed:
    seed = config.secrets.log_seed
    with Session(connection) as session:
        last = tree.newest_head(session)
        size = last.size if last else 0
        longest = max((head.size for head in heads), default=0)
        if origin != config.origin:
            tree.rename(session, seed, config.origin)
        elif longest > size:
            raise ArchiveError(
                f"the public log went on after this backup: it had {longest} leaves, the backup has"
                f" {size}. To go on under the name {origin} would be to sign a second history, a"
                " fork. Restore under a new name (LOG_ORIGIN) and tell the public why"
            )
        known = [head for head in heads if head.size <= size]
        try:
            found = replay.replay(session, note.county_key(seed, config.origin), known)
        except replay.Fault as fault:
            raise ArchiveError(f"the log in this backup doesn't hold: {fault}") from fault
        session.flush()
    return found
