"""The commands that keep an instance: backup-key, backup, restore, carry."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn, TextIO

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from app import archive, backups, carrying, crypto, db, metrics
from app.archive import ArchiveError
from app.carrying import CarryError
from app.supervision import daily
from app.transparency import replay
from app.web import clock, config
from config import ConfigError, read_database_url

KEY_FILE = "backup-key"
_PRIVATE = "yanlu-backup-key-1"
_EVERY = 5000


@click.command("backup-key")
@with_appcontext
def backup_key() -> None:
    """Make the pair that backups are sealed to; prints the half that opens them, once."""
    path = config().data_dir / KEY_FILE
    private_key = crypto.new_private_key()
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        _refuse(f"{path} is there: older backups open with its other half. Move it away to change")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(crypto.public_key_of(private_key).hex() + "\n")
    click.echo("keep the next line apart from this machine and from the backups:", err=True)
    click.echo(f"{_PRIVATE} {private_key.hex()}")


@click.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--keep-days",
    type=click.IntRange(1, 366),
    default=backups.KEPT_DAYS,
    show_default=True,
    help="Older backups of the folder are deleted.",
)
@with_appcontext
def backup(folder: Path, keep_days: int) -> None:
    """Write today's backup, sealed and read back, once the day's opening is over."""
    path = config().data_dir / KEY_FILE
    if not path.exists():
        _refuse("there is no key to seal backups to: run `flask backup-key` first")
    public_key = bytes.fromhex(path.read_text("ascii"))
    today = clock().today()
    try:
        made, point = backups.make(db.engine(), config(), public_key, folder, today, _show)
    except ArchiveError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"{folder} can't be written to ({error.strerror}); there is no backup of today")
    with db.transaction() as session:  # for whoever watches: how old the newest backup is
        daily.claim(session, metrics.BACKUP, today)
    for name in backups.expire(folder, today, keep_days):
        click.echo(f"deleted {name}: older than {keep_days} days", err=True)
    click.echo(f"{made} reads back: {_said(point)}")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "key_file", type=click.File(), required=True, help="The printed line.")
@click.option(
    "--head",
    "paper",
    multiple=True,
    required=True,
    help="The newest head that others hold, from a notice board: 'SIZE ROOT'; none: 'none'.",
)
@with_appcontext
def restore(file: Path, key_file: TextIO, paper: tuple[str, ...]) -> None:
    """Make this instance anew from a backup, in an empty database."""
    try:
        heads = [replay.read_paper(line) for line in paper if line != "none"]
        private_key = _private_key(key_file.read(1000))
        point = backups.restore(db.engine(), file, private_key, config(), heads, _show)
    except (ArchiveError, replay.Fault) as error:
        _refuse(str(error))
    click.echo(f"restored: {_said(point)}")
    click.echo(
        "what happened later is lost; what was withdrawn, burnt or unsubscribed later is back:"
        " docs/operator.md says what to do about it",
        err=True,
    )


@click.command("carry")
@click.option(
    "--to",
    "target",
    envvar="CARRY_TO",
    required=True,
    help="The new, empty database; better in CARRY_TO, where `ps` doesn't show it.",
)
@with_appcontext
def carry(target: str) -> None:
    """Carry this instance into another database, whole and proved, or not at all."""
    db.close(current_app)  # ours would count as somebody who has it open
    try:
        url = read_database_url(target, "--to")
        carried = carrying.carry(config(), url, _show, partial(click.echo, err=True))
    except (CarryError, ConfigError) as error:
        _refuse(str(error))
    click.echo(f"{'table':<24} {'rows':>9}  digest of the rows, the same on both sides")
    told = {n: rows for n, rows in carried.content.rows.items() if n not in archive.UNTOLD}
    for name, rows in sorted(told.items()):
        click.echo(f"{name:<24} {rows:>9}  {carried.content.sums[name][:32]}")
    click.echo(f"{' '.join(archive.UNTOLD):<24}    untold  what lies in the boxes is never counted")
    click.echo(f"log size {carried.log.size} root {carried.log.root.hex()}")
    click.echo(
        f"done: {carried.content.told} rows of {len(told)} tables, and what lies in the boxes. Put"
        " the new address into DATABASE_URL on every machine, then start web and worker"
    )


def _private_key(text: str) -> bytes:
    word, _, digits = text.strip().partition(" ")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if word != _PRIVATE or len(key) != crypto.KEY_BYTES:
        raise ArchiveError(f"the key is one line that begins with {_PRIVATE}")
    return key


def _said(point: backups.Point) -> str:
    return (
        f"the state of {point.made_on.isoformat()} after its opening, {point.rows} rows;"
        f" log size {point.size} root {point.root.hex()}"
    )


def _show(table: str, done: int, whole: int) -> None:
    if table in archive.UNTOLD:
        return
    if done == whole or done % _EVERY == 0:
        click.echo(f"{table} {done}/{whole}", err=True)


def _refuse(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(1)


def init_app(app: Flask) -> None:
    """Add the commands to `flask --app app`."""
    for command in (backup_key, backup, restore, carry):
        app.cli.add_command(command)
