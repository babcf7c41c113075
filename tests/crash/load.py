"""Clients that drop, reply, rate and vote at once, and stop when nobody answers any more."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.crash.instance import AWAY, Caller
from tests.crash.ledger import Deed, Drop, Ledger, Rate, Refused, Reply, Vote


@dataclass
class Load:
    """Some client threads; each has one deed in flight at most."""

    caller: Callable[[], Caller]
    ledger: Ledger
    slips: list[str]
    clients: int = 4
    seed: int = 0
    busy: int = 0
    unsettled: list[Deed] = field(default_factory=list)
    fresh: list[Deed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Everybody starts."""
        self._stop.clear()
        self.fresh.clear()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(self.seed * 100 + number),))
            for number in range(self.clients)
        ]
        self.seed += 1
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Everybody comes to a stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def settle(self) -> None:
        """What had no answer is sent once more, as it was, until it has one."""
        for deed in self.unsettled:
            for _ in range(50):
                if self._attempted(deed, self.caller()):
                    break
            else:
                self.ledger.faults.append(f"{deed.name}: busy for ever")
        self.unsettled.clear()

    def _run(self, chance: random.Random) -> None:
        caller = self.caller()
        while not self._stop.is_set():
            deed = self._chosen(chance)
            try:
                done = self._attempted(deed, caller)
            except AWAY:
                done = False
            if not done:
                with self._lock:
                    self.busy += 1
                    self.unsettled.append(deed)
                if self._stop.wait(0.05):
                    return

    def _attempted(self, deed: Deed, caller: Caller) -> bool:
        try:
            done = deed.attempt(caller)
        except (Refused, AssertionError) as error:
            with self._lock:
                self.ledger.faults.append(f"{deed.name}: {error}")
            return True
        if done:
            with self._lock:
                self.ledger.note(deed)
                self.fresh.append(deed)
        return done

    def _chosen(self, chance: random.Random) -> Deed:
        with self._lock:
            kind = chance.random()
            open_ones = [t for t in self.ledger.threads[-300:] if t.may_act]
            rated = [t for t in self.ledger.threads if t.answered and not t.rated and t.may_act]
            if kind < 0.06 and rated:
                thread = chance.choice(rated)
                thread.answered = False  # nobody else rates it
                return Rate(thread=thread)
            if kind < 0.3 and open_ones:
                thread = chance.choice(open_ones)
                return Reply(thread=thread)
            if kind < 0.6 and self.slips:
                return Vote(slip=self.slips.pop())
        return Drop()
