"""The command that makes slips: on a machine without a network, without a database."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from flask import Flask

from app import crypto
from app.evaluations import slips
from app.evaluations.slips import ListError, Order
from app.sheets.slips import A_PAGE, Words, slip_sheets

A_FILE = 250 * A_PAGE
HOW = "用手机扫一扫，或打开网址，输入下面的号码"
ONCE = "只能用一次。没拆开的票签可以随便调换。"


@click.command("slips")
@click.argument("order")
@click.option("--count", required=True, type=click.IntRange(1, 160_000), help="How many voters.")
@click.option("--address", required=True, help="The page for slips, e.g. https://…/slip")
@click.option("--title", default="评议票签", show_default=True, help="What stands on each slip.")
@click.option("--group", default="", help="Whose slips these are; stands on each of them.")
@click.option("--spares/--no-spares", default=True, help="A tenth more, on sheets of their own.")
@click.option("--workers", default=os.cpu_count() or 1, show_default="processors")
@click.option(
    "--out", default="slips", show_default=True, type=click.Path(file_okay=False, path_type=Path)
)
def make_slips(
    order: str,
    count: int,
    address: str,
    title: str,
    group: str,
    spares: bool,
    workers: int,
    out: Path,
) -> None:
    """Make slips: slips-001.pdf, … to be printed, slips.txt for the server; spares likewise.

    ORDER is what the round's page at the desk shows. No database is read or written. The PDFs hold
    the numbers: print them, then destroy them. The lists hold hashes alone.
    """
    try:
        read = slips.read_order(order)
    except ListError:
        wrong = "copy it from the round's page, all of it"
        raise click.BadParameter(wrong, param_hint="ORDER") from None
    if out.exists() and any(out.iterdir()):
        click.echo(f"{out} isn't empty: name another folder with --out", err=True)
        sys.exit(2)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = Words(title, group, HOW, ONCE, address)
    codes = slips.new_codes(slips.with_spares(count) if spares else count)
    _make(out, "slips", read, codes[:count], words, workers)
    if spares:
        _make(out, "spares", read, codes[count:], words, workers)


def _make(
    out: Path, name: str, order: Order, codes: Sequence[str], words: Words, workers: int
) -> None:
    """The list and the sheets of one batch, three thousand slips to a file, in no order."""
    hashed = _Progress(f"hashing {name}", len(codes))
    hashes = slips.hash_codes(codes, order.salt, workers, hashed)
    printed = _Progress(f"printing {name}", len(codes))
    for number, start in enumerate(range(0, len(codes), A_FILE), start=1):
        part = codes[start : start + A_FILE]
        sheets = slip_sheets([crypto.display_code(code) for code in part], words)
        _keep(out / f"{name}-{number:03d}.pdf", sheets)
        printed(len(part))
    _keep(out / f"{name}.txt", slips.write_list(order.round_id, hashes).encode("ascii"))
    click.echo(f"{name}: {len(codes)}, root {slips.root_of(hashes).hex()}")


class _Progress:
    """How far a long step has come, on one line of stderr."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0

    def __call__(self, more: int) -> None:
        """So many more are done."""
        self._done += more
        end = "\n" if self._done >= self._total else "\r"
        click.echo(f"{self._what} {self._done}/{self._total}{end}", err=True, nl=False)


def _keep(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def init_app(app: Flask) -> None:
    """Add the command to `flask --app app`."""
    app.cli.add_command(make_slips)
