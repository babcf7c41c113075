"""The quick part of the attack: SQLite, every accident, one run of each figure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.attack import ballots, canaries, files, junk, ledger, mutations, order, roads
from tests.attack.stack import Stack, copy_tree
from tests.attack.traces import Traces
from tests.attack.verdicts import table


@pytest.mark.xdist_group("attack")
def test_the_deployed_stack_keeps_nothing_of_a_speaker(tmp_path: Path) -> None:
    if shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no nginx: tests/provision.py should have installed it")
        pytest.skip("SKIPPED LOUDLY: the attack on the deployment, since nginx is missing")
    canaries.self_test()
    with Stack(tmp_path / "stack", "sqlite") as stack:
        verdicts = Traces(stack).run()
        verdicts += order.order(stack, 1, 30, 5.0)
        verdicts += order.schema(stack)
        verdicts += roads.flow(stack)
        verdicts += files.attachments(stack, every=False)
        stack.client().drop(roads.TEXT)
        verdicts += roads.dump(stack, [row for t in order.tables(stack) for row in t.rows[-8:]])
        verdicts += ballots.ballots(stack)
        verdicts += ledger.log(stack, 3)
        verdicts += junk.junk(stack)
    print("\n" + table(verdicts))
    assert [v.test for v in verdicts if v.held is False] == []


@pytest.mark.parametrize("trap", mutations.TRAPS, ids=lambda trap: f"{trap.name}, {trap.database}")
def test_every_trap_still_finds_its_place_in_the_tree(tmp_path: Path, trap: mutations.Trap) -> None:
    """A patch that finds nothing would only be told half an hour into `make prove-anonymity`."""
    trap.put_into(copy_tree(tmp_path / "tree"))
