"""The faults, each under load: how it is brought about, how it is mended, what it cost."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.audit import Auditor, Found
from tests.cluster.load import Attempt, Load
from tests.cluster.machines import Machine
from tests.cluster.stack import Cluster, until

CALM = 8.0
LONGEST = 150.0
WRITES = ("drop", "reply", "ballot")


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    fault: str
    refusal: float
    refused: int
    last_refused: float
    longest_wait: float
    acknowledged: Counter[str]
    found: Found


@dataclass(frozen=True)
class Fault:
    """What breaks; `mend` does what the operator, or systemd, would do afterwards."""

    name: str
    strike: Callable[[Cluster, Machine], None]
    mend: Callable[[Cluster, Machine], None]
    leads: bool = False  # whether the leader is to be a machine with web processes


def _kill_leader(_cluster: Cluster, leader: Machine) -> None:
    leader.kill("patroni")


def _start_again(cluster: Cluster, machine: Machine) -> None:
    cluster.start_patroni(machine)


def _cut_off(_cluster: Cluster, leader: Machine) -> None:
    leader.cut_off()


def _plug_in(_cluster: Cluster, machine: Machine) -> None:
    machine.plug_in()


def _fill(_cluster: Cluster, leader: Machine) -> None:
    leader.fill_disk()


def _empty(cluster: Cluster, machine: Machine) -> None:
    machine.empty_disk()
    if not machine.runs("etcd"):
        cluster.start_etcd(machine)


def _hand_over(cluster: Cluster, leader: Machine) -> None:
    cluster.hand_over(leader)


def _kill_web(cluster: Cluster, _leader: Machine) -> None:
    cluster.applications[0].kill("web", "worker")


def _start_web(cluster: Cluster, _leader: Machine) -> None:
    cluster.start_application(cluster.applications[0])


def _nothing(_cluster: Cluster, _leader: Machine) -> None:
    """Nothing is done."""


FAULTS = (
    Fault("none", _nothing, _nothing),
    Fault("leader: SIGKILL for database and Patroni", _kill_leader, _start_again),
    Fault("leader: cut off from the other two", _cut_off, _plug_in, leads=True),
    Fault("leader: disk full", _fill, _empty),
    Fault("leader: handed over by hand", _hand_over, _nothing),
    Fault("web processes of one machine: SIGKILL", _kill_web, _start_web),
)


def suffer(cluster: Cluster, load: Load, auditor: Auditor, fault: Fault) -> Row:
    """One fault from a whole cluster to a whole cluster; everybody is told something meanwhile."""
    if fault.leads and cluster.leader() not in cluster.applications:
        cluster.hand_over(cluster.leader())
        until("the hand-over", 60, cluster.is_whole)
    before = load.ledger.acknowledged()
    wrong = len(load.ledger.wrong)
    load.go()
    time.sleep(CALM)
    leader, struck = cluster.leader(), time.monotonic()
    fault.strike(cluster, leader)
    late = _overdue("writes taken again", lambda: _is_well(load, struck))
    fault.mend(cluster, leader)
    late += _overdue("a whole cluster again", cluster.is_whole)
    time.sleep(CALM)
    load.settle()
    found = auditor.audit(load)
    found.wrong += late + load.ledger.wrong[wrong:]
    since = [one for one in load.ledger.attempts if one.ended > struck]
    refused = [one for one in since if not one.served]
    found.wrong += [f"unkind: {len(bad)}" for bad in [[r for r in refused if not r.kindly]] if bad]
    last = max((one.ended - struck for one in refused), default=0.0)
    came = load.ledger.acknowledged()
    came.subtract(before)
    waited = max(one.ended - one.began for one in since)
    return Row(fault.name, refusal(since), len(refused), last, waited, came, found)


def _overdue(what: str, ready: Callable[[], object]) -> list[str]:
    """Wait for something; what is to be said where it doesn't come."""
    try:
        until(what, LONGEST, ready)
    except AssertionError as error:
        return [str(error)]
    return []


def _is_well(load: Load, struck: float) -> bool:
    """Whether writes were taken again for a while, and nobody was refused."""
    now = time.monotonic()
    if now - struck < 2 * CALM:
        return False
    late = [one for one in load.ledger.attempts if one.ended > now - CALM]
    taken = {one.kind for one in late if one.served}
    return {"drop", "ballot"} <= taken and all(one.served for one in late)


def refusal(attempts: list[Attempt]) -> float:
    """The longest time from a write refused to the next of its kind taken in, none in between."""
    longest = 0.0
    for kind in WRITES:
        these = [one for one in attempts if one.kind == kind]
        taken = sorted(one.ended for one in these if one.served)
        for before, after in itertools.pairwise([-math.inf, *taken, math.inf]):
            refused = [
                one.began for one in these
                if not one.served and one.began < after and one.ended > before
            ]  # fmt: skip
            if refused:
                longest = max(longest, after - max(before, min(refused)))
    return longest
