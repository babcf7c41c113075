"""The commands: init, demo, invite, start-anew, serve, worker, open-boxes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

import click
import sqlalchemy as sa
from flask import Flask
from flask.cli import with_appcontext

from app import db, demo
from app import worker as jobs
from app.cases import opening
from app.errors import DomainError
from app.i18n import gettext
from app.organisation import exporting, importing, sheets
from app.organisation import service as organisation
from app.sealing import service as sealing
from app.sealing.models import OpeningKey
from app.staff import invitations, keepers, succession
from app.staff.models import Role
from app.web import clock, config
from config import Config

ROOT = Path(__file__).parent.parent
WORKER_PAUSE = 20.0


def prepare() -> None:
    """Bring the schema up to date and hang the first lock; safe to repeat."""
    db.upgrade()
    with db.transaction() as session:
        if session.scalar(sa.select(OpeningKey.id)) is None:
            today = clock().today()
            sealing.make_opening_key(session, config().secrets.instance_secret, today)


@click.command("init")
@with_appcontext
def init() -> None:
    """Make or upgrade the database of this instance."""
    prepare()
    click.echo("the database is ready")


@click.command("demo")
@with_appcontext
def make_demo() -> None:
    """Set up the demo county, unless this instance already has units."""
    prepare()
    made = demo.make_county(config(), clock())
    click.echo("the demo county is ready" if made else "this instance already has a county")


@click.command("open-boxes")
@click.option("--now", is_flag=True, help="Open whatever lies in the boxes, at any hour.")
@with_appcontext
def open_boxes(now: bool) -> None:
    """Open the boxes that are due."""
    opened = run_opening(now=now) or opening.Opened()
    click.echo(f"opened {opened.drops} drops in {opened.boxes} boxes")


def run_opening(*, now: bool = False) -> opening.Opened | None:
    """One opening in one transaction; afterwards no deleted text is left in the journal."""
    return jobs.run_opening(config(), clock(), now=now)


@click.command("invite")
@click.argument("username")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.argument("unit_slug", required=False)
@with_appcontext
def invite(username: str, role: str, unit_slug: str | None) -> None:
    """Print the link by which somebody makes their account; it works once within 7 days."""
    settings = config()
    try:
        with db.transaction() as session:
            unit = organisation.branch(session, unit_slug) if unit_slug else None
            token = invitations.invite(
                session,
                username=username,
                role=Role(role),
                unit_id=unit.id if unit else None,
                now=clock().now(),
                invited_by=None,
                instance_secret=settings.secrets.instance_secret,
            )
    except DomainError as error:
        _refuse(error)
    click.echo(f"{_address(settings)}/desk/invitation/{token}")
    click.echo("in front of it stands this machine's address: put your public one there", err=True)


@click.command("start-anew")
@click.argument("unit_slug")
@with_appcontext
def start_anew(unit_slug: str) -> None:
    """Give a box whose keys nobody holds any more a new pair; its old texts stay shut for good."""
    try:
        with db.transaction() as session:
            box_id = organisation.branch(session, unit_slug).box_id or ""
            succession.start_anew(session, box_id, clock().now(), clock().today())
    except DomainError as error:
        _refuse(error)
    click.echo(f"the box of {unit_slug} has a new key")


def _refuse(error: DomainError) -> NoReturn:
    click.echo(error.message % error.values if error.values else error.message, err=True)
    sys.exit(2)


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due now and end.")
@with_appcontext
def worker(once: bool) -> None:
    """Do what is due at its hour: the opening, the yearly keys, the digests, what is to be sent."""
    stop = threading.Event()
    if not once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            jobs.run_due(config(), clock())
        except sa.exc.OperationalError as error:
            if once:
                raise
            click.echo(f"database away ({type(error).__name__}), trying again", err=True)
        if once:
            return
        stop.wait(WORKER_PAUSE)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def bring_in(file: Path) -> None:
    """Bring units, members and staff in from an XLSX or CSV file; all of it or nothing.

    Faults go to stderr as `sheet:row:column: sentence`, the exit code is 2.
    """
    try:
        book = sheets.read_book(file.name, file.read_bytes())
        with db.transaction() as session:
            done = importing.bring_in(session, book, clock().today(), _show_progress)
            rows = [(row.username, row.role, row.unit) for row in done.staff]
            secret = config().secrets.instance_secret
            invited = invitations.invite_all(session, rows, clock().now(), None, secret)
    except DomainError as error:
        _refuse(error)
    except sheets.SheetError as error:
        for fault in error.faults:
            where = f"{fault.sheet or file.name}:{fault.row or ''}:{fault.column}"
            click.echo(f"{where}: {fault.filled(gettext(fault.message))}", err=True)
        sys.exit(2)
    click.echo(
        f"units: {done.units_added} added, {done.units_changed} changed;"
        f" members: {done.members_added} added, {done.members_changed} changed"
    )
    for username, token in invited.links:
        click.echo(f"invitation for {username}: {_address(config())}/desk/invitation/{token}")
    for username in invited.later:
        click.echo(f"{username}: give the second role once the first is accepted", err=True)


def _show_progress(what: str, count: int, total: int) -> None:
    if count == total or count % 200 == 0:
        end = "\n" if count == total else "\r"
        click.echo(f"{what} {count}/{total}{end}", err=True, nl=False)


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def export(file: Path) -> None:
    """Write the county to an XLSX file, such that importing it again changes nothing."""
    with db.reading() as session:
        raw = exporting.export(session, keepers.assignments(session))
    file.write_bytes(raw)
    click.echo(f"written to {file}")


@click.command("serve")
@click.option("--demo", "with_demo", is_flag=True, help="Set up the demo county if there is none.")
@with_appcontext
def serve(with_demo: bool) -> None:
    """Start the web server and the worker; stops both on SIGTERM or Ctrl-C."""
    settings = config()
    if not _is_free(settings.host, settings.port):
        click.echo(
            f"port {settings.port} is taken: stop what uses it, or choose another, e.g. PORT="
            f"{settings.port + 1}",
            err=True,
        )
        sys.exit(2)
    prepare()
    if with_demo:
        demo.make_county(settings, clock())
    server = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy/gunicorn.conf.py")]
    flask = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    environ = os.environ | {"DATA_DIR": str(settings.data_dir)}
    processes = [
        subprocess.Popen([*server, "app:create_app()"], cwd=ROOT, env=environ),  # noqa: S603
        subprocess.Popen(flask, cwd=ROOT, env=environ),  # noqa: S603
    ]
    sys.exit(_watch(processes, settings))


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _watch(processes: list[subprocess.Popen[bytes]], config: Config) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    address = _address(config)
    announced = False
    while not stop.is_set() and all(process.poll() is None for process in processes):
        if not announced and _answers(address):
            announced = True
            click.echo(demo.introduction(config, address) + f"ready {address}")
            sys.stdout.flush()
        stop.wait(1.0 if announced else 0.1)
    failed = not stop.is_set()
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + 25
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
    if failed:
        click.echo("a process ended by itself; see the lines above", err=True)
    return 1 if failed else 0


def _address(config: Config) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{config.port}"


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def init_app(app: Flask) -> None:
    """Add the commands to `flask --app app`."""
    for command in (
        init,
        make_demo,
        invite,
        start_anew,
        serve,
        worker,
        open_boxes,
        bring_in,
        export,
    ):
        app.cli.add_command(command)
