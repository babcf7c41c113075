"""`make prove-anonymity`: the whole attack, on SQLite and PostgreSQL, and every trap put back."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.attack import ballots, canaries, files, junk, ledger, mutations, order, roads
from tests.attack.stack import Stack
from tests.attack.traces import Traces
from tests.attack.verdicts import Verdict, table

DATABASES = ("sqlite", "postgresql")


def attack(stack: Stack, *, runs: int, rows: int, times: int, lookups: int) -> list[Verdict]:
    """Every point against one deployment; `times` 0 leaves the clock out."""
    canaries.self_test()
    verdicts = Traces(stack).run()
    _say("order")
    verdicts += order.order(stack, runs, rows, 2.576 if runs >= 20 else 4.5)
    verdicts += order.schema(stack)
    if times:
        _say("lookup times")
        verdicts += roads.timing(stack, times, lookups)
    _say("road, dump, files")
    verdicts += roads.flow(stack)
    stack.client().drop(roads.TEXT)
    verdicts += roads.dump(stack, [row for t in order.tables(stack) for row in t.rows[-30:]])
    verdicts += files.attachments(stack)
    _say("slips and what is published")
    verdicts += ballots.ballots(stack)
    _say("the public log")
    verdicts += ledger.log(stack, runs)
    _say("junk")
    return verdicts + junk.junk(stack)


def _say(what: str) -> None:
    print(f"   {what}", file=sys.stderr, flush=True)


def main() -> int:
    """Print one table; 0 when everything held and every trap was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument("--lookups", type=int, default=1000)
    parser.add_argument("--only", choices=("attack", "mutations"))
    parser.add_argument(
        "--trap", action="append", help="this mutation alone, by a word of its name"
    )
    given = parser.parse_args()
    if shutil.which("nginx") is None and not Path("/usr/sbin/nginx").exists():
        print("nginx is missing: apt install nginx-light")
        return 2
    verdicts: list[Verdict] = []
    began = time.monotonic()
    for database in given.database or DATABASES:
        if given.only == "mutations":
            break
        _say(f"the attack on {database}")
        with _folder() as folder, Stack(Path(folder) / database, database) as stack:
            found = attack(
                stack, runs=given.runs, rows=given.rows, times=given.times, lookups=given.lookups
            )
        found = [Verdict(f"{v.test} [{database}]", v.figure, v.bound, v.held) for v in found]
        for verdict in found:  # told at once: the whole takes long
            _say(f"{verdict.test}: {verdict.figure}")
        verdicts += found
    if given.only != "attack":
        with _folder() as folder:
            verdicts += mutations.put_back(Path(folder), given.trap, given.database or DATABASES)
    print(table(verdicts))
    failed = [v for v in verdicts if v.held is False]
    print(f"\n{len(verdicts) - len(failed)} held, {len(failed)} failed,"
          f" {time.monotonic() - began:.0f} s")  # fmt: skip
    return 1 if failed else 0


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="yanlu-attack-", ignore_cleanup_errors=True)


if __name__ == "__main__":
    sys.exit(main())
