"""A series of crashes: load, SIGKILL at a random instant, restart, proof."""

from __future__ import annotations

import random
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from tests.crash.instance import Instance
from tests.crash.ledger import Drop, Ledger, Thread
from tests.crash.load import Load

ANSWERED = 25
_OPEN = "(SELECT id FROM round WHERE state = 'open')"
_COUNTS = {
    "ballots": f"SELECT count(*) FROM sealed_ballot WHERE round_id IN {_OPEN}",
    "slips": "SELECT count(*) FROM slip_hash WHERE NOT voided AND batch_id IN"
    f" (SELECT id FROM slip_batch WHERE round_id IN {_OPEN})",
    "ratings": "SELECT count(*) FROM case_event WHERE move = 'rate_content'",
}
_OPENED = "opening killed: whole", "opening killed: not at all"


@dataclass
class Series:
    """One instance, its ledger, and what was counted."""

    instance: Instance
    victim: str
    chance: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    kills: int = 0
    openings: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OPENED, 0))
    resent: int = 0
    replays: int = 0
    outage: list[float] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What is killed, on what."""
        return f"{self.instance.database}, {self.victim}"

    def prepare(self) -> Load:
        """Threads that can be rated; the clients."""
        self.instance.open_boxes()
        self.first = self._counted()
        load = Load(self.instance.caller, self.ledger, self.instance.slips())
        for _ in range(ANSWERED):
            drop = Drop()
            drop.attempt(self.instance.caller())
            self.ledger.note(drop)
        self.instance.open_boxes()
        self.instance.answer(ANSWERED)
        self._check(self.ledger.threads)
        return load

    def _lying(self) -> list[Thread]:
        return [thread for thread in self.ledger.threads if thread.lying]

    def _check(self, threads: list[Thread]) -> list[str]:
        """Read these receipts, some at once; where each stands."""
        once = list({id(thread): thread for thread in threads}.values())
        with ThreadPoolExecutor(6) as pool:
            return list(pool.map(partial(self.ledger.check, self.instance.caller()), once))

    def run(self, times: int, until: float) -> None:
        """So many crashes, or as many as there is time for; then the final count."""
        load = self.prepare()
        for number in range(times):
            if time.monotonic() > until:
                break
            opening = number % 3 == 0
            if opening and not self.instance.has_opener():
                self.instance.start_opener()
            self.crash(load, opening=opening)
            if number % 10 == 9:
                self._replay()
                print(f"{self.name}: {number + 1} of {times}", file=sys.stderr, flush=True)
            if number % 4 == 3:
                self.instance.open_boxes()
                if number % 20 == 19:
                    self.instance.answer(ANSWERED)
                self._check(self.ledger.threads[-40:] + self._lying())
        self.finish(load)

    def crash(self, load: Load, *, opening: bool) -> None:
        """One instant."""
        load.begin()
        time.sleep(self.chance.uniform(0.2, 1.6))
        lying = self._lying()
        if opening:
            self.instance.begin_opening()
            time.sleep(self.chance.uniform(0.0, self.chance.choice((0.25, 3.0))))
        at = time.monotonic()
        if self.victim == "postmaster":
            self.instance.kill_postgresql()
        else:
            self.instance.kill_app()
        self.kills += 1
        load.end()
        if self.victim == "postmaster":
            self.instance.stop_opener()
        self.instance.mend()
        self.outage.append(time.monotonic() - at)
        self._prove(load, lying, opening=opening)

    def _prove(self, load: Load, lying: list[Thread], *, opening: bool) -> None:
        caller = self.instance.caller()
        if opening:  # what was acknowledged before it began lies there still, or nothing of it
            states = {found == "lying" for found in self._check(lying)}
            if len(states) > 1:
                self.ledger.faults.append("an opening is half done")
            elif states:
                self.openings[_OPENED[states.pop()]] += 1
        again = [deed for deed in load.fresh if isinstance(deed, Drop)][-3:]
        for drop in again:  # a person who saw nothing sends the same form once more
            drop.attempt(caller)
        self.resent += len(again) + len(load.unsettled)
        load.settle()
        old = self.chance.sample(self.ledger.threads, min(10, len(self.ledger.threads)))
        self._check([*self.ledger.threads[-20:], *old, *(self._lying() if opening else [])])

    # --- the end ------------------------------------------------------------------------------

    def finish(self, load: Load) -> None:
        """Open everything, read every receipt, count what is in the database."""
        load.settle()
        self.instance.open_boxes()
        found = self._check(self.ledger.threads)
        for thread, where in zip(self.ledger.threads, found, strict=True):
            if where == "lying" or (thread.rated and where != "closed"):
                self.ledger.faults.append(f"a thread is {where} at the end")
        used = len(self.instance.slips()) - len(load.slips)
        there = self._counted()
        grown = {what: there[what] - self.first[what] for what in there}
        for what, wanted in {
            "drops": len(self.ledger.threads),
            "ballots": used,
            "slips": -used,
            "ratings": self.ledger.counts["ratings"],
        }.items():
            self._compare(what, abs(grown[what]), abs(wanted))

    def _compare(self, what: str, there: int, acknowledged: int) -> None:
        self.ledger.lost += max(acknowledged - there, 0)
        self.ledger.doubled += max(there - acknowledged, 0)
        if there != acknowledged:
            self.ledger.faults.append(f"{what}: {there} there, {acknowledged} acknowledged")

    def _counted(self) -> dict[str, int]:
        """What the database holds; `drops` as the log says, replayed and held against the cases."""
        log = re.search(r"received (\d+)", self._replay())
        found = {"drops": int(log[1]) if log else 0}
        with self.instance.sql() as sql:
            for what, query in _COUNTS.items():
                found[what] = sql.execute(query).fetchone()[0]
        return found

    def _replay(self) -> str:
        """The log hashed anew, its heads checked, cases and published figures held against it."""
        self.replays += 1
        try:
            return self.instance.command("verify-log")
        except AssertionError as error:
            self.ledger.faults.append(f"log: {error}")
            return ""
