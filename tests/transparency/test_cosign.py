"""A supervision group's script: signs what only grew, refuses what forked or isn't the county's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.transparency import note
from app.transparency.replay import Fault
from tests.conftest import served
from tests.transparency.conftest import LogInHand, drop_leaf
from tests.transparency.test_merkle import tree_of
from tests.transparency.test_replay import put, rebuilt, resigned

SCRIPT = Path(__file__).parent.parent.parent / "deploy" / "cosign.py"


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The county's log on a port."""
    with served(app) as base:
        yield base


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_group_signs_a_log_that_only_grew_and_refuses_a_fork(
    in_hand: LogInHand, address: str, tmp_path: Path
) -> None:
    status, said = run(tmp_path, "new", "jiandu-1")
    assert status == 0
    group = note.read_key(said)
    assert group is not None
    assert (tmp_path / "cosign-key.json").stat().st_mode & 0o777 == 0o600
    assert run(tmp_path, "new", "jiandu-1")[0] == 1
    (in_hand.app.config["YANLU"].data_dir / "cosigners.txt").write_text(said, "utf-8")
    county = str(in_hand.key)
    for count in (0, 5, 0, 8):
        in_hand.day(count)
        status, said = run(tmp_path, "sign", address, county)
        assert status == 0, said
    command = in_hand.app.test_cli_runner()
    added = command.invoke(args=["add-cosignatures", str(tmp_path / "cosigned.txt")])
    assert added.exit_code == 0, added.output
    served = in_hand.app.test_client().get("/log/checkpoint").get_data(as_text=True)
    assert note.is_signed(served, group)
    forged = in_hand.leaves()
    forged[3] = drop_leaf("forged")
    tree = tree_of(forged)
    assert in_hand.replay(cosigners=[group]).size == 13
    in_hand.tamper(*put(3, forged[3]), *rebuilt(tree), *resigned(in_hand, tree, {5, 13}))
    with pytest.raises(Fault, match="jiandu-1 signed another head over 13 leaves"):
        in_hand.replay(cosigners=[group])
    for count in (0, 2):
        if count:
            in_hand.day(count)
        status, said = run(tmp_path, "sign", address, county)
        assert (status, "REFUSED" in said) == (1, True)


def test_a_group_signs_nothing_that_the_county_did_not(
    in_hand: LogInHand, address: str, tmp_path: Path
) -> None:
    run(tmp_path, "new", "jiandu-1")
    stranger = note.county_key(b"t" * 32, in_hand.key.name)
    status, said = run(tmp_path, "sign", address, str(stranger))
    assert (status, "REFUSED" in said) == (1, True)
    assert not (tmp_path / "cosigned.txt").exists()
