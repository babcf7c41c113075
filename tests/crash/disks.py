"""A disk that is full, a disk that can't be written to: pages say so, what was told is there."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.attack.verdicts import Verdict
from tests.crash.instance import AWAY, Instance
from tests.crash.ledger import Drop
from tests.crash.load import Load
from tests.crash.series import Series

SPACE = {"sqlite": "192m", "postgresql": "400m"}  # with less than `db.ROOM` left none is ready


def run(folder: Path) -> list[Verdict]:
    """Both databases on a disk of their own; a line that says so where mounting isn't allowed."""
    verdicts = []
    for database in SPACE:
        for trouble in (full, read_only):
            name = f"{database}, disk {trouble.__name__.replace('_', '-')}"
            base = folder / name.replace(", ", "-").replace(" ", "-")
            with contextlib.ExitStack() as held:
                instance = Instance(base, database)
                disk = instance.disk()
                if not held.enter_context(_mounted(disk, SPACE[database])):
                    verdicts.append(Verdict(name, "mounting isn't allowed here", "-", None))
                    continue
                held.callback(instance.stop)
                instance.start()
                verdicts += trouble(name, instance, disk)
    return verdicts


@contextlib.contextmanager
def _mounted(disk: Path, size: str) -> Iterator[bool]:
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(disk)]
    allowed = os.geteuid() == 0 and subprocess.run(words, check=False).returncode == 0
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def _remount(disk: Path, how: str) -> None:
    """Whoever was killed lets go of its files a moment later: until then the disk is busy."""
    words = ["mount", "-o", f"remount,{how}", str(disk)]
    for _ in range(50):
        if subprocess.run(words, check=False, capture_output=True).returncode == 0:
            return
        time.sleep(0.2)
    subprocess.run(words, check=True)


def full(name: str, instance: Instance, disk: Path) -> list[Verdict]:
    """Clients go on while the last byte is taken; then there is room again."""
    series = Series(instance, "disk", random.Random(1))
    load = series.prepare()
    load.begin()
    time.sleep(1)
    before = load.ledger.counts.total()
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", 0) as file:
        while True:
            file.write(bytes(65536))
    met, end = load.busy, time.monotonic() + 60
    while load.busy < met + 5 and time.monotonic() < end:
        time.sleep(0.2)
    load.end()
    met = load.busy - met
    read = instance.caller().get("/").status
    filler.unlink()
    instance.mend()
    series.finish(load)
    told = Verdict(f"{name}: acknowledged before, refused while it was full", f"{before}, {met}",
                   "> 0, > 0", before > 0 and met > 0)  # fmt: skip
    return [told, *_told(name, series, load, f"{read}", "200 or 503", read in (200, 503))]


def read_only(name: str, instance: Instance, disk: Path) -> list[Verdict]:
    """Started on a disk that can't be written to; then it can again."""
    series = Series(instance, "disk", random.Random(1))
    load = series.prepare()
    load.begin()
    time.sleep(1)
    load.end()
    instance.shut_down()
    _remount(disk, "ro")
    instance.start_app()
    seen = Counter(_asked(instance, path) for path in ("/", "/receipt") * 2)
    ready = _asked(instance, "/readyz")
    refused = sum(not _acknowledged(instance) for _ in range(5))
    instance.shut_down()
    _remount(disk, "rw")
    instance.mend()
    series.finish(load)
    told = ", ".join(f"{count} x {status}" for status, count in sorted(seen.items()))
    turned = Verdict(f"{name}: drops refused meanwhile", f"{refused} of 5", "5", refused == 5)
    said = Verdict(f"{name}: /readyz meanwhile", f"{ready}", "503", ready == 503)
    return [turned, said, *_told(name, series, load, told, "no 500", 500 not in seen)]


def _asked(instance: Instance, path: str) -> int:
    for _ in range(100):
        with contextlib.suppress(*AWAY):
            return instance.caller().get(path).status
        if not instance.is_up():
            return 0
        time.sleep(0.2)
    return 0


def _acknowledged(instance: Instance) -> bool:
    try:
        return Drop().attempt(instance.caller())
    except AWAY:
        return False


def _told(
    name: str, series: Series, load: Load, pages: str, bound: str, held: bool
) -> list[Verdict]:
    ledger = series.ledger
    done, faults = ledger.counts.total(), "; ".join(ledger.faults[:2])
    return [
        Verdict(f"{name}: pages meanwhile", pages, bound, held),
        Verdict(
            f"{name}: acknowledged in all, of them sent again",
            f"{done}, {load.busy}",
            "-",
            done > 0,
        ),
        Verdict(f"{name}: acknowledged and lost", f"{ledger.lost}", "0", not ledger.lost),
        Verdict(f"{name}: doubled", f"{ledger.doubled}", "0", not ledger.doubled),
        Verdict(f"{name}: other faults", f"{len(ledger.faults)} {faults}", "0", not ledger.faults),
    ]
