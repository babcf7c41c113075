"""The commands that set a county up: import, export, invite, start-anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click
from flask import Flask
from flask.cli import with_appcontext

from app import db
from app.errors import DomainError
from app.i18n import gettext
from app.notifications import leaders
from app.organisation import contacts, exporting, importing, sheets
from app.organisation import service as organisation
from app.staff import invitations, keepers, succession
from app.staff.models import Role
from app.web import clock, config
from config import Config


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
    click.echo(f"{address(settings)}/desk/invitation/{token}")
    if not settings.public_url:
        click.echo("in front of it stands this machine's address: set PUBLIC_URL", err=True)


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
            for leader_id, email in done.addresses:
                leaders.set_address(
                    session,
                    secret,
                    leader_id=leader_id,
                    county_id=organisation.county(session).id,
                    name=contacts.leader(session, leader_id).name,
                    address=email,
                )
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
        f" members: {done.members_added} added, {done.members_changed} changed;"
        f" contact points: {done.contacts_changed} changed"
    )
    for username, token in invited.links:
        click.echo(f"invitation for {username}: {address(config())}/desk/invitation/{token}")
    for username in invited.later:
        click.echo(f"{username}: give the second role once the first is accepted", err=True)


def _show_progress(what: str, count: int, total: int) -> None:
    if count == total or count % max(200, total // 10) == 0:
        again = count < total and sys.stderr.isatty()  # a terminal's line is written over
        click.echo(f"{what} {count}/{total}" + ("\r" if again else "\n"), err=True, nl=False)


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_appcontext
def export(file: Path) -> None:
    """Write the county to an XLSX file, such that importing it again changes nothing."""
    with db.reading() as session:
        raw = exporting.export(session, keepers.assignments(session))
    file.write_bytes(raw)
    click.echo(f"written to {file}")


def address(settings: Config) -> str:
    """Where this instance is reached: its public address, else this machine's."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return settings.public_url or f"http://{host}:{settings.port}"


def init_app(app: Flask) -> None:
    """Add the commands to `flask --app app`."""
    for command in (invite, start_anew, bring_in, export):
        app.cli.add_command(command)
