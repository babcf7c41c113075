"""What is there, held against the ledger of what was acknowledged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.attack.ballots import count_round
from tests.attack.stack import Answer, Client
from tests.cluster.load import GRADES, Ledger, Load, Receipt, said
from tests.cluster.stack import Cluster, until

READERS = 8
_CASES = 'SELECT count(*) FROM "case"'
_SEALED = "SELECT count(*) FROM sealed_ballot s JOIN round r ON r.id = s.round_id"


@dataclass
class Found:
    """What was acknowledged and isn't there, what is there twice, and whatever else is wrong."""

    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.wrong)


def compare(promised: Iterable[str], there: Iterable[str]) -> tuple[int, int]:
    """How many of what was promised are missing, and how many are there that nobody promised."""
    wanted, got = Counter(promised), Counter(there)
    return (wanted - got).total(), (got - wanted).total()


def _served(client: Client, code: str) -> Answer:
    """A receipt's thread. A refusal says nothing about what is there: it is asked for again."""
    for _ in range(20):
        page = client.thread(code)
        if page.status == 200:
            break
        time.sleep(3)
    return page


class Auditor:
    """Counts what was there before the load began, and later what came to it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._cases, self._ballots = self._counts()
        with cluster.sql() as sql:
            row = sql.execute("SELECT id FROM round WHERE state = 'open'").fetchone()
        self.round_id = str(row[0])

    def _counts(self) -> tuple[int, int]:
        with self._cluster.sql() as sql:
            cases, sealed = (sql.execute(query).fetchone()[0] for query in (_CASES, _SEALED))
        return cases, sealed

    def audit(self, load: Load) -> Found:
        """Open the boxes, then every receipt; count cases and ballots; replay the log."""
        found = Found()
        self._cluster.flask(self._cluster.applications[0], "open-boxes", "--now")
        self._read_all(load.ledger, found)
        cases, sealed = self._counts()
        for came, promised in (
            (cases - self._cases, len(load.ledger.receipts)),
            (sealed - self._ballots, len(load.ledger.ballots)),
        ):
            found.lost += max(promised - came, 0)
            found.doubled += max(came - promised, 0)
        try:
            self._cluster.flask(self._cluster.applications[1], "verify-log")
        except AssertionError as fault:
            found.wrong.append(f"the log: {fault}")
        self._compare_copies(found)
        return found

    def _read_all(self, ledger: Ledger, found: Found) -> None:
        """Every receipt opens with exactly the words that were acknowledged."""
        parts = [ledger.receipts[n::READERS] for n in range(READERS)]
        with ThreadPoolExecutor(READERS) as pool:
            for lost, doubled, told in pool.map(self._read, range(READERS), parts):
                found.lost += lost
                found.doubled += doubled
                found.wrong += told

    def _read(self, reader: int, receipts: list[Receipt]) -> tuple[int, int, list[str]]:
        client = self._cluster.client(f"127.0.2.{reader + 1}")
        lost = doubled = 0
        told = []
        for receipt in receipts:
            page = _served(client, receipt.code)
            missing, more = compare([receipt.text, *receipt.replies], said(page))
            lost, doubled = lost + missing, doubled + more
            if missing or more:
                told.append(f"a receipt: {page.status}, {missing} missing, {more} too many")
        client.close()
        return lost, doubled, told

    def _compare_copies(self, found: Found) -> None:
        """The three databases hold the same."""

        def counts() -> set[tuple[int, ...]]:
            return {self._of_copy(number) for number in range(len(self._cluster.machines))}

        try:
            until("three copies that agree", 20, lambda: len(counts()) == 1)
        except AssertionError as error:
            found.wrong.append(str(error))

    def _of_copy(self, number: int) -> tuple[int, ...]:
        with self._cluster.local(self._cluster.machines[number]) as copy:
            tables = ('"case"', "thread_item", "log_leaf", "sealed_ballot", "slip_hash")
            query = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
            row: tuple[int, ...] = copy.execute(f"SELECT {query}").fetchone()
            return row

    def count(self, ledger: Ledger) -> Found:
        """Close the round, open the urn, and hold the tallies against the ballots acknowledged."""
        count_round(self._cluster, self.round_id)
        with self._cluster.sql() as sql:
            rows = sql.execute(
                "SELECT 'grade-' || t.subject_id, sum(first), sum(second), sum(third), sum(fourth)"
                " FROM tally t JOIN subject s ON s.id = t.subject_id WHERE s.round_id = %s"
                " GROUP BY t.subject_id", (self.round_id,),
            ).fetchall()  # fmt: skip
        told = {
            (name, grade): int(n)
            for name, *counts in rows
            for grade, n in zip(GRADES, counts, strict=True)
        }
        given = Counter(one for ballot in ledger.ballots for one in ballot.items())
        lost = sum(max(n - told.get(key, 0), 0) for key, n in given.items())
        doubled = sum(max(n - given[key], 0) for key, n in told.items())
        return Found(lost, doubled)
