"""`make crash-test`: a hundred crashes of each kind on both databases, and the disks; a table."""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.attack.verdicts import Verdict, table
from tests.crash import disks
from tests.crash.instance import Instance
from tests.crash.series import Series

SERIES = (("sqlite", "application"), ("postgresql", "application"), ("postgresql", "postmaster"))


def crash(
    folder: Path, database: str, victim: str, times: int, seed: int, minutes: float = 600
) -> Series:
    """One series."""
    until = time.monotonic() + 60 * minutes
    instance = Instance(folder, database)
    series = Series(instance, victim, random.Random(seed))
    try:
        instance.start()
        series.run(times, until)
    finally:
        instance.stop()
    return series


def told(series: Series) -> list[Verdict]:
    """A series as lines of the table."""
    ledger, name = series.ledger, f"{series.instance.database}, {series.victim} killed"
    done = ", ".join(f"{what} {count}" for what, count in sorted(ledger.counts.items()))
    whole, none = series.openings.values()
    down = sorted(series.outage)
    broken = sum(fault.startswith("log: ") for fault in ledger.faults)
    return [
        Verdict(f"{name}: SIGKILL at random instants", f"{series.kills}", "-", series.kills > 0),
        Verdict(f"{name}: acknowledged", done, "-", bool(ledger.threads)),
        Verdict(f"{name}: sent again after a crash", f"{series.resent}", "-", series.resent > 0),
        Verdict(
            f"{name}: openings killed: whole, not at all, half", f"{whole}, {none},"
            f" {sum('half' in fault for fault in ledger.faults)}", "half 0",
            not any("half" in fault for fault in ledger.faults),
        ),
        Verdict(f"{name}: acknowledged and lost", f"{ledger.lost}", "0", not ledger.lost),
        Verdict(f"{name}: doubled", f"{ledger.doubled}", "0", not ledger.doubled),
        Verdict(
            f"{name}: times the log was replayed, and didn't hold", f"{series.replays}, {broken}",
            "0 didn't", not broken,
        ),
        Verdict(f"{name}: other faults", f"{len(ledger.faults)}", "0", not ledger.faults),
        Verdict(
            f"{name}: seconds until it answered again, median, most",
            f"{statistics.median(down):.1f}, {down[-1]:.1f}", "-", True,
        ),
    ]  # fmt: skip


def main() -> int:
    """0 when nothing was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=600, help="no new crash after so many")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=["disks", *(f"{d}-{v}" for d, v in SERIES)])
    given = parser.parse_args()
    began, verdicts = time.monotonic(), []
    jobs: dict[str, Callable[[Path], list[Verdict]]] = {
        f"{database}-{victim}": lambda folder, d=database, v=victim: _series(  # type: ignore[misc]
            folder, d, v, given
        )
        for database, victim in SERIES
    }
    jobs["disks"] = disks.run
    for name, job in jobs.items():
        if given.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="yanlu-crash-") as folder:
                found = job(Path(folder))
            print(table(found), flush=True)  # an hour's figures wait for nothing that comes later
            verdicts += found
    failed = [v for v in verdicts if v.held is False]
    print(f"\n{len(verdicts) - len(failed)} held, {len(failed)} failed, seed {given.seed},"
          f" {time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if failed else 0


def _series(folder: Path, database: str, victim: str, given: argparse.Namespace) -> list[Verdict]:
    series = crash(folder / "instance", database, victim, given.times, given.seed, given.minutes)
    for fault in series.ledger.faults[:20]:
        print(f"{series.name}: {fault}", file=sys.stderr)
    return told(series)


if __name__ == "__main__":
    sys.exit(main())
