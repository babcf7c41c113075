"""The daily run: appends all, sorted, once, one at a time; signs a head every day."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app import cli, crypto, db
from app.transparency import leaves, merkle, note, tree
from app.transparency.models import LogHead, LogLeaf, LogNode, PendingLeaf
from config import Config
from tests.conftest import Hand
from tests.factories import BoxInHand
from tests.submissions.conftest import Speaker, open_now
from tests.transparency.conftest import LogInHand, drop_leaf
from tests.transparency.test_merkle import mth, path, subproof


def pending(app: Flask) -> int:
    with app.app_context(), db.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(PendingLeaf)) or 0


def test_a_run_appends_all_that_waits_sorted_by_hash(in_hand: LogInHand) -> None:
    in_hand.append(*(drop_leaf(f"a{n}") for n in range(20)))
    in_hand.append(*(drop_leaf(f"b{n}") for n in range(20)))
    head = in_hand.run()
    standing = in_hand.leaves()
    assert standing == sorted(standing, key=merkle.leaf_hash)
    assert (head.size, head.root) == (40, mth(standing))
    assert pending(in_hand.app) == 0


def test_proofs_from_stored_hashes_are_the_rfcs_over_many_runs(in_hand: LogInHand) -> None:
    for count in (1, 0, 5, 2, 17, 1, 38):
        in_hand.day(count)
    standing = in_hand.leaves()
    assert len(standing) == 64
    sizes = sorted({1, 2, 7, 8, 25, 33, 63, 64})
    with in_hand.app.app_context(), db.reading() as session:
        for size in sizes:
            for index in {0, size // 2, size - 1}:
                assert tree.inclusion(session, index, size) == tuple(path(index, standing[:size]))
            for old in (n for n in sizes if n <= size):
                wanted = tuple(subproof(old, standing[:size], True))
                assert tree.consistency(session, old, size) == wanted


def test_a_proof_and_a_run_read_few_rows(in_hand: LogInHand) -> None:
    in_hand.day(1000)
    asked: list[int] = []

    def count(*given: object) -> None:
        if re.search("FROM log_(leaf|node)", str(given[2])):
            asked.append(len(given[3]))  # type: ignore[arg-type]

    with in_hand.app.app_context(), db.reading() as session:
        sa.event.listen(db.engine(), "after_cursor_execute", count)
        assert len(tree.inclusion(session, 333, 1000)) <= 10
        assert len(asked) == 2
        assert sum(asked) <= 20
    in_hand.append(drop_leaf("one more"))
    asked.clear()
    in_hand.run()
    assert len(asked) <= 3
    assert sum(asked) <= 20


def test_an_empty_day_is_signed_like_every_other(in_hand: LogInHand) -> None:
    in_hand.day(3)
    for _ in range(3):
        in_hand.day(0)
    heads = in_hand.heads()
    assert [head.size for head in heads] == [3, 3, 3, 3, 0]
    assert len({head.made_on for head in heads}) == 5
    assert len({head.note for head in heads[:4]}) == 1


def test_a_second_run_on_the_same_day_adds_what_is_new_and_no_head_twice(
    in_hand: LogInHand,
) -> None:
    in_hand.day(2)
    in_hand.run()
    in_hand.append(drop_leaf("late"))
    in_hand.run()
    in_hand.run()
    assert [head.size for head in in_hand.heads()] == [3, 2, 0]
    assert in_hand.replay().size == 3


def test_a_clock_that_was_set_back_does_not_confuse_the_log(in_hand: LogInHand) -> None:
    in_hand.day(2)
    for days in (-30, 0, 30, -29):
        in_hand.hand.forward(days=days)
        in_hand.append(drop_leaf(f"moved {days}"))
        in_hand.run()
        in_hand.run()
    assert [head.size for head in in_hand.heads()] == [6, 5, 4, 3, 2, 0]
    assert in_hand.replay().size == 6


def test_a_leaf_stands_in_the_log_once(in_hand: LogInHand) -> None:
    in_hand.append(drop_leaf("same"), drop_leaf("other"))
    in_hand.append(drop_leaf("same"))
    in_hand.run()
    in_hand.append(drop_leaf("same"))
    assert in_hand.run().size == 2


def test_heads_are_checkpoints_signed_by_the_county(in_hand: LogInHand) -> None:
    in_hand.day(5)
    for head in in_hand.heads():
        assert note.is_signed(head.note, in_hand.key)
        assert note.read_checkpoint(head.note) == note.Checkpoint(
            in_hand.key.name, head.size, head.root
        )


def test_of_many_runs_at_once_each_leaf_is_appended_once(in_hand: LogInHand) -> None:
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        for n in range(5):
            in_hand.append(drop_leaf(f"{number} {n}"))
            in_hand.run()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    in_hand.run()
    assert in_hand.replay().size == 20
    assert len(set(in_hand.leaves())) == 20


ANOTHER_PROCESS = """
import hashlib, sys
from app import create_app, crypto, db, worker
from app.transparency import log
app = create_app()
with app.app_context():
    for number in range(6):
        dropped = hashlib.sha256(f"{sys.argv[1]} {number}".encode()).digest()
        with db.transaction() as session:
            log.append(session, [crypto.drop_leaf(dropped)])
        worker.run_log(app.config["YANLU"], app.extensions["clock"])
"""


def test_of_many_processes_at_once_one_runs_at_a_time(in_hand: LogInHand, config: Config) -> None:
    """Each with its own engine, as workers on one machine or on several are."""
    url = config.database_url.replace("postgresql+psycopg", "postgresql")
    environ = os.environ | {"DATA_DIR": str(config.data_dir), "DATABASE_URL": url}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ANOTHER_PROCESS, str(number)],
            cwd=Path(__file__).parents[2], env=environ, stderr=subprocess.PIPE, text=True,
        )
        for number in range(3)
    ]  # fmt: skip
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert in_hand.replay().size == len(set(in_hand.leaves())) == 18


def test_no_time_finer_than_a_day_and_no_sequence_in_the_logs_tables(app: Flask) -> None:
    for model in (LogLeaf, LogNode, LogHead, PendingLeaf):
        for column in model.__table__.columns:
            assert not isinstance(column.type, sa.DateTime), column
            assert not (column.primary_key and column.autoincrement is True), column
            assert column.default is None, column
            assert column.server_default is None, column


def test_the_worker_runs_the_log_after_the_opening_and_once_a_day(
    in_hand: LogInHand, speaker: Speaker, hand: Hand
) -> None:
    speaker.code()
    hand.forward(days=4)  # Friday: every box is opened
    run = in_hand.app.test_cli_runner()
    assert run.invoke(args=["worker", "--once"]).exit_code == 0
    assert len(in_hand.leaves()) == 1
    in_hand.append(drop_leaf("a decision in the afternoon"))
    run.invoke(args=["worker", "--once"])
    assert len(in_hand.leaves()) == 1
    hand.forward(days=1)
    run.invoke(args=["worker", "--once"])
    assert len(in_hand.leaves()) == 2


def test_a_run_that_was_killed_after_the_opening_is_made_up_for(
    in_hand: LogInHand, speaker: Speaker, hand: Hand
) -> None:
    speaker.code()
    hand.forward(days=4)
    with in_hand.app.app_context():
        cli.run_opening()  # and then the process died
    assert in_hand.leaves() == []
    in_hand.app.test_cli_runner().invoke(args=["worker", "--once"])
    assert len(in_hand.leaves()) == 1


def test_a_friday_without_a_server_is_made_up_for_on_saturday(
    in_hand: LogInHand, speaker: Speaker, hand: Hand
) -> None:
    code = speaker.code()  # one drop, fewer than k
    hand.forward(days=5)
    in_hand.app.test_cli_runner().invoke(args=["worker", "--once"])
    assert speaker.thread(code).value_of("data-state") == "waiting"
    assert len(in_hand.leaves()) == 1


def test_opening_by_hand_appends_too(in_hand: LogInHand, speaker: Speaker) -> None:
    speaker.code()
    done = in_hand.app.test_cli_runner().invoke(args=["open-boxes", "--now"])
    assert done.output.strip() == "opened 1 drops in 1 boxes"
    assert len(in_hand.leaves()) == 1


@pytest.mark.parametrize("ending", ["withdraw", "burn"])
@pytest.mark.parametrize("when", ["lying", "opened", "logged"])
def test_withdrawn_and_burnt_opinions_keep_their_leaves(
    in_hand: LogInHand, speaker: Speaker, box: BoxInHand, ending: str, when: str
) -> None:
    page = speaker.drop()
    (code,) = page.marked("data-receipt-code")
    (promise,) = page.marked("data-promise")
    if when != "lying":
        open_now(in_hand.app)
    if when == "logged":
        in_hand.run()
    page = speaker.send(speaker.thread(code).form(f"/receipt/{ending}"), confirm="yes")
    assert page.status == 200
    open_now(in_hand.app)
    in_hand.run()
    committed = bytes.fromhex(promise.split()[3])
    assert in_hand.leaves() == [crypto.drop_leaf(committed)]
    checked = speaker.send(speaker.get("/log/verify").form("/log/verify"), promise=promise)
    assert checked.value_of("data-verdict") == "included"
    done = in_hand.app.test_cli_runner().invoke(args=["verify-log"])
    assert done.exit_code == 0, done.output


def test_leaves_of_other_kinds_say_what_they_are_and_nothing_more() -> None:
    committed, root = b"c" * 32, b"r" * 32
    removal = leaves.removal_leaf(committed, "civil-code-1034")
    assert removal.startswith(leaves.decision_prefix(committed) + b"removed")
    assert leaves.outcome_of(removal) == "removed"
    batch = leaves.slip_batch_leaf("0f" * 16, 300, root)
    assert batch == b"B1" + b"\x0f" * 16 + (300).to_bytes(4, "big") + root
    used = leaves.recovery_leaf("0e" * 16, b"k" * 32, b"p" * 32, ["box-key"])
    anew = leaves.start_anew_leaf("0e" * 16, "box")
    assert (len(used), used[:2], len(anew), anew[:2]) == (34, b"R1", 34, b"R2")
    counts = leaves.Counts()
    for leaf in (removal, batch, used, anew, crypto.drop_leaf(committed)):
        counts = counts.plus(leaf)
    assert counts == leaves.Counts(drops=1, removed=1, other=3)
