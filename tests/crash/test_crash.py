"""A few crashes of each kind; `make crash-test` makes a hundred of each and prints the table."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.verdicts import table
from tests.crash import disks
from tests.crash.__main__ import SERIES, crash, told


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: PostgreSQL's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="yanlu-crash-") as made:
        yield Path(made)


@pytest.mark.long
@pytest.mark.xdist_group("crash")
@pytest.mark.parametrize(("database", "victim"), SERIES)
def test_nothing_acknowledged_is_lost_or_doubled_by_a_crash(
    folder: Path, database: str, victim: str
) -> None:
    series = crash(folder / "instance", database, victim, 8, seed=20261126)
    assert series.ledger.faults == []
    verdicts = told(series)
    print("\n" + table(verdicts))
    assert [v.test for v in verdicts if v.held is False] == []
    assert series.ledger.counts["drops"] > 0


@pytest.mark.long
@pytest.mark.xdist_group("crash")
def test_nothing_acknowledged_is_lost_by_a_disk_that_is_full_or_read_only(folder: Path) -> None:
    verdicts = disks.run(folder)
    print("\n" + table(verdicts))
    assert [v.test for v in verdicts if v.held is False] == []
