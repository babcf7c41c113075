"""The commands of the public log: verify-log, add-cosignatures."""

from __future__ import annotations

import sys
from typing import TextIO

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from app import db
from app.cases import logged
from app.evaluations import logged as slips_logged
from app.statistics import service as statistics
from app.transparency import note, replay, tree
from app.web import clock, config


@click.command("verify-log")
@click.option("--head", "paper", multiple=True, help="A head on paper: 'SIZE ROOT', root in hex.")
@with_appcontext
def verify_log(paper: tuple[str, ...]) -> None:
    """Replay the public log from its leaves to its heads and hold the cases against it."""
    key = note.county_key(config().secrets.log_seed, config().origin)
    try:
        with db.reading() as session:
            heads = [replay.read_paper(line) for line in paper]
            found = replay.replay(session, key, heads, _cosigners())
            figures = logged.check_figures(session, found.counts)
            _check_published(session, figures)
            batches = slips_logged.check_slips(session)
    except replay.Fault as fault:
        click.echo(f"fault: {fault}", err=True)
        sys.exit(1)
    click.echo(f"size {found.size}\nroot {found.root.hex()}")
    click.echo(
        f"received {found.counts.drops} (cases {figures.cases}, taken back before the opening"
        f" {figures.taken_back}), answered {found.counts.answered}, declined"
        f" {found.counts.declined}, removed {found.counts.removed}, other {found.counts.other}"
    )
    click.echo(f"batches of slips {batches}")


def _check_published(session: Session, figures: logged.Figures) -> None:
    """The figures that /figures publishes are those of the log. Raises Fault."""
    whole = statistics.whole(session, clock().today())
    published = (whole.received, whole.answered, whole.declined)
    if published != (figures.cases, figures.answered, figures.declined):
        raise replay.Fault(
            f"published are {published} received, answered, declined; the log comes to"
            f" {(figures.cases, figures.answered, figures.declined)}"
        )


def _cosigners() -> list[note.VerifierKey]:
    """Whose lines count: DATA_DIR/cosigners.txt, one verifier key a line."""
    listed = config().data_dir / "cosigners.txt"
    lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
    return [key for line in lines if (key := note.read_key(line))]


@click.command("add-cosignatures")
@click.argument("file", type=click.File(encoding="utf-8"))
@with_appcontext
def add_cosignatures(file: TextIO) -> None:
    """Add a supervision group's signature lines under our head; '-' reads standard input.

    DATA_DIR/cosigners.txt lists whose lines count, one verifier key a line.
    """
    with db.transaction() as session:
        names = tree.add_cosignatures(session, file.read(20_000), _cosigners())
    if not names:
        click.echo("no line was added: not one of our heads, or nobody of cosigners.txt", err=True)
        sys.exit(1)
    click.echo(f"added the signature of {', '.join(names)}")


def init_app(app: Flask) -> None:
    """Add the commands to `flask --app app`."""
    for command in (verify_log, add_cosignatures):
        app.cli.add_command(command)
