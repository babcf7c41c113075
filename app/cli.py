"""The commands: init, demo, serve, worker, open-boxes; those of the county and of the log apart."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import with_appcontext

from app import backup_cli, county_cli, db, journal, log_cli, metrics, rounds_cli
from app import worker as jobs
from app.cases import opening
from app.demo import county as demo
from app.sealing import service as sealing
from app.sealing.models import OpeningKey
from app.transparency import tree
from app.web import clock, config
from config import SECRETS_FILE, Config

ROOT = Path(__file__).parent.parent
WORKER_PAUSE = 20.0


def prepare() -> None:
    """Bring the schema up to date and hang the first lock; safe to repeat."""
    db.upgrade()
    with db.transaction() as session:
        db.hold_schema(session.connection())  # two that start at once must not hang two locks
        if session.scalar(sa.select(OpeningKey.id)) is None:
            today = clock().today()
            sealing.make_opening_key(session, config().secrets.instance_secret, today)
    with db.reading() as session:
        unsigned = tree.newest_head(session) is None
    if unsigned:
        jobs.run_log(config(), clock())  # the first head is over what there is, mostly nothing


def make_demo_county(*, small: bool = False) -> bool:
    """Make the demo county and log what happened in it; False where there is a county already."""
    show = partial(click.echo, err=True)
    made = demo.make_county(config(), clock(), small=small, progress=show)
    if made:
        jobs.run_log(config(), clock())
    return made


@click.command("init")
@with_appcontext
def init() -> None:
    """Make or upgrade the database of this instance."""
    prepare()
    click.echo("the database is ready")


def find_leaks() -> list[str]:
    """What around this software keeps more than it does: the database's settings, file modes."""
    folder = config().data_dir
    loose = [
        f"{path} can be read by other users: chmod go-rwx"
        for path in (folder, folder / SECRETS_FILE)
        if path.exists() and path.stat().st_mode & 0o077
    ]
    return loose + db.leaking_settings()


@click.command("check")
@with_appcontext
def check() -> None:
    """Look for settings that would betray a speaker; ends with 1 and a line for each."""
    leaks = find_leaks()
    for leak in leaks:
        click.echo(leak, err=True)
    if leaks:
        sys.exit(1)
    click.echo("nothing found that keeps what it shouldn't")


@click.command("demo")
@with_appcontext
def make_demo() -> None:
    """Set up the demo county, unless this instance already has units."""
    prepare()
    made = make_demo_county()
    click.echo("the demo county is ready" if made else "this instance already has a county")


@click.command("open-boxes")
@click.option("--now", is_flag=True, help="Open whatever lies in the boxes, at any hour.")
@with_appcontext
def open_boxes(now: bool) -> None:
    """Open the boxes that are due, then bring the public log up to date."""
    opened = run_opening(now=now)
    jobs.run_due_log(config(), clock(), opened)
    opened = opened or opening.Opened()
    click.echo(f"opened {opened.drops} drops in {opened.boxes} boxes")


def run_opening(*, now: bool = False) -> opening.Opened | None:
    """One opening in one transaction; afterwards no deleted text is left in the journal."""
    return jobs.run_opening(config(), clock(), now=now)


@click.command("worker")
@click.option("--once", is_flag=True, help="Do what is due now and end.")
@with_appcontext
def worker(once: bool) -> None:
    """Do what is due at its hour: the opening, the log, yearly keys, digests, messages."""
    stop = threading.Event()
    turns = Turns()
    _warn()
    if not once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        _listen(turns)
    while not stop.is_set():
        try:
            jobs.run_due(config(), clock(), stop.is_set)
            turns.last = clock().now()
        except sa.exc.SQLAlchemyError as error:
            if once or not db.is_passing(error):
                raise
            turns.failed += 1
            name = type(error).__name__
            journal.say("database_away", f"database away ({name}), trying again", type=name)
        if once:
            return
        stop.wait(WORKER_PAUSE)


@dataclass
class Turns:
    """How the worker's turns went: when one was last finished, how many could not be."""

    last: dt.datetime | None = None
    failed: int = 0


def _listen(turns: Turns) -> None:
    """Tell a monitor how the worker fares, where an address for that is set."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    address = config().metrics_address

    def told() -> str:
        with app.app_context(), db.reading() as session:
            return metrics.text(session, config(), clock(), turns.last, turns.failed)

    if address is not None:
        metrics.listen(address, told)


def _warn() -> None:
    try:
        leaks = find_leaks()
    except sa.exc.OperationalError:
        return  # away: the worker waits for it, and `check` tells before each start
    for leak in leaks:
        journal.say("warning", f"warning: {leak}")


@click.command("serve")
@click.option("--demo", "with_demo", is_flag=True, help="Set up the demo county if there is none.")
@click.option("--small", is_flag=True, help="A handful of units instead of a whole demo county.")
@with_appcontext
def serve(with_demo: bool, small: bool) -> None:
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
        make_demo_county(small=small)
    server = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy/gunicorn.conf.py")]
    flask = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    environ = os.environ | {"DATA_DIR": str(settings.data_dir), "MALLOC_ARENA_MAX": "2"}
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
    for command in (init, check, make_demo, serve, worker, open_boxes):
        app.cli.add_command(command)
    backup_cli.init_app(app)
    county_cli.init_app(app)
    log_cli.init_app(app)
    rounds_cli.init_app(app)
