"""The public log with a million leaves: seconds to append, time and bytes per proof.

`make bench`, or: python -m bench.log [LEAVES]. DATABASE_URL may name an empty PostgreSQL database;
without it a fresh SQLite file is used.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import cli, create_app, crypto, db
from app.transparency import merkle, note, replay, tree
from app.transparency.models import PendingLeaf
from config import Config

RUNS, PROOFS, BATCH = 10, 1000, 10_000
DAY = dt.date(2100, 1, 4)


def fill(config: Config, run: int, count: int) -> float:
    """One day's drops; the seconds of its run."""
    leaves = [
        crypto.drop_leaf(hashlib.sha256(f"{run} {n}".encode()).digest()) for n in range(count)
    ]
    rows = [{"leaf_hash": merkle.leaf_hash(leaf), "leaf": leaf} for leaf in leaves]
    with db.transaction() as session:
        for start in range(0, count, BATCH):
            session.execute(sa.insert(PendingLeaf), rows[start : start + BATCH])
    del leaves, rows
    begun = time.perf_counter()
    with db.transaction() as session:
        day = DAY + dt.timedelta(days=run)
        tree.run(session, config.secrets.log_seed, config.origin, day)
    return time.perf_counter() - begun


def proofs(make: Callable[[Session], Sequence[bytes]]) -> tuple[float, float, float, int]:
    """Median and 99th percentile in milliseconds, median and largest bytes of many proofs."""
    took, sizes = [], []
    for _ in range(PROOFS):
        with db.reading() as session:
            begun = time.perf_counter()
            proof = make(session)
            took.append((time.perf_counter() - begun) * 1000)
        sizes.append(32 * len(proof))
    took.sort()
    return statistics.median(took), took[PROOFS * 99 // 100], statistics.median(sizes), max(sizes)


def measure(config: Config, leaves: int) -> list[tuple[str, str]]:
    """Every line of the table."""
    dice = random.Random(9162)
    seconds = [fill(config, run, leaves // RUNS) for run in range(RUNS)]
    size = leaves // RUNS * RUNS
    lines = [
        (f"append {size:,} leaves in {RUNS} runs", f"{sum(seconds):.1f} s"),
        ("the last run alone", f"{seconds[-1]:.1f} s"),
        ("append one leaf to it, head signed", f"{fill(config, RUNS, 1) * 1000:.1f} ms"),
        ("an empty day's run", f"{fill(config, RUNS + 1, 0) * 1000:.1f} ms"),
    ]
    makers: dict[str, Callable[[Session], Sequence[bytes]]] = {
        "inclusion": lambda session: tree.inclusion(session, dice.randrange(size), size),
        "consistency": lambda session: tree.consistency(session, dice.randrange(1, size), size),
    }
    for name, make in makers.items():
        median, tail, middle, most = proofs(make)
        lines.append((f"{name} proof, time", f"{median:.2f} ms median, {tail:.2f} ms p99"))
        lines.append((f"{name} proof, size", f"{middle:.0f} bytes median, {most} at most"))
    begun = time.perf_counter()
    with db.reading() as session:
        key = note.county_key(config.secrets.log_seed, config.origin)
        replayed = replay.replay(session, key)
    lines.append(
        (f"verify-log over {replayed.size:,} leaves", f"{time.perf_counter() - begun:.1f} s")
    )
    return lines


def main() -> None:
    """Print the table."""
    leaves = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        environ = {"DATA_DIR": folder, "DATABASE_URL": os.environ.get("DATABASE_URL", "")}
        config = Config.from_environ(environ)
        app = create_app(config)
        with app.app_context():
            cli.prepare()
            lines = measure(config, leaves)
            print(f"the public log, {db.engine().dialect.name}")
            db.close(app)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"  {name:<{width}}  {value}")


if __name__ == "__main__":
    main()
