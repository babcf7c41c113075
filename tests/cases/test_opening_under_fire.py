"""The opening among drops that keep coming, beside another worker, and killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app import cli, db
from app.cases import opening, thread
from app.cases.models import Case
from app.clock import Clock
from app.sealing.models import AttachmentPiece, LyingPiece
from app.submissions import service as submissions
from app.submissions.models import LyingItem
from app.submissions.service import Receipt, StaleTicketError
from app.transparency.models import PendingLeaf
from config import Config
from tests.conftest import Hand
from tests.factories import BoxInHand, drop, drop_ticket, make_box, opinion, pen_of, picture

ROOT = Path(__file__).parent.parent.parent

# Runs the real command and kills itself with SIGKILL before the statement whose number is given.
KILLED = """
import os, signal, sys
import sqlalchemy as sa
from app import cli, create_app, crypto, db
crypto.CODE_MEMLIMIT = 65536
app = create_app()
left = int(sys.argv[1])
with app.app_context():
    @sa.event.listens_for(app.extensions["writing_engine"], "before_cursor_execute")
    def count(*_):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    opened = cli.run_opening(now=True)
    print(opened.drops)
"""


@pytest.fixture
def clock(app: Flask) -> Clock:
    made: Clock = app.extensions["clock"]
    return made


@pytest.fixture
def box(app: Flask, clock: Clock) -> BoxInHand:
    with app.app_context(), db.transaction() as session:
        return make_box(session, "longtan", clock)


def counts(app: Flask) -> tuple[int, int, int]:
    with app.app_context(), db.reading() as session:
        models: list[type[db.Base]] = [LyingItem, Case, PendingLeaf]
        numbers = [session.scalar(sa.select(sa.func.count()).select_from(m)) or 0 for m in models]
    return numbers[0], numbers[1], numbers[2]


def pieces(app: Flask) -> tuple[int, int]:
    with app.app_context(), db.reading() as session:
        models: list[type[db.Base]] = [LyingPiece, AttachmentPiece]
        numbers = [session.scalar(sa.select(sa.func.count()).select_from(m)) or 0 for m in models]
    return numbers[0], numbers[1]


def drop_like_a_person(app: Flask, config: Config, clock: Clock, box: BoxInHand, n: int) -> Receipt:
    """Load the form, send it; asked to send it again after an opening, send it again."""
    while True:
        with app.app_context():
            with db.reading() as session:
                ticket = drop_ticket(session, box, clock)
            try:
                said = opinion(box, f"意见{n}")
                if n % 3 == 0:
                    said = replace(said, files=((picture(b"%d" % n),),))
                with db.transaction() as session:
                    return submissions.drop(session, pen_of(config, clock), ticket, said)
            except StaleTicketError:
                continue


def test_no_acknowledged_drop_misses_its_opening(
    app: Flask, config: Config, clock: Clock, box: BoxInHand
) -> None:
    done = threading.Event()
    opened: list[int] = []

    def keep_opening() -> None:
        while not done.is_set():
            with app.app_context():
                opened.append((cli.run_opening(now=True) or opening.Opened()).drops)

    opener = threading.Thread(target=keep_opening)
    opener.start()
    with ThreadPoolExecutor(6) as pool:
        receipts = list(
            pool.map(lambda n: drop_like_a_person(app, config, clock, box, n), range(60))
        )
    done.set()
    opener.join()
    with app.app_context():
        opened.append((cli.run_opening(now=True) or opening.Opened()).drops)
        assert sum(opened) == 60
        with db.reading() as session:
            for n, receipt in enumerate(receipts):
                page = thread.open_thread(session, pen_of(config, clock), receipt.keys)
                assert page is not None
                assert page.opened_on is not None
                assert page.attachments is not None
                assert len(page.attachments) == (n % 3 == 0)
                assert page.commitment == receipt.promise.commitment
    assert pieces(app) == (0, 40)


def test_of_two_workers_at_the_same_instant_one_opens(
    app: Flask, config: Config, clock: Clock, hand: Hand, box: BoxInHand
) -> None:
    with app.app_context(), db.transaction() as session:
        for n in range(4):
            drop(session, config, clock, box, f"意见{n}")
    hand.forward(days=1)
    barrier = threading.Barrier(4)

    def run(_: int) -> opening.Opened | None:
        with app.app_context():
            barrier.wait()
            return cli.run_opening()

    with ThreadPoolExecutor(4) as pool:
        results = [result for result in pool.map(run, range(4)) if result is not None]
    assert results == [opening.Opened(4, 1)]
    assert counts(app) == (0, 4, 4) or counts(app)[1:] == (4, 4)


def test_an_identical_form_from_two_processes_at_once_drops_once(
    app: Flask, config: Config, clock: Clock, box: BoxInHand
) -> None:
    with app.app_context(), db.reading() as session:
        ticket = drop_ticket(session, box, clock)
    barrier = threading.Barrier(4)

    def send(_: int) -> str:
        with app.app_context():
            barrier.wait()
            with db.transaction() as session:
                return submissions.drop(session, pen_of(config, clock), ticket, opinion(box)).code

    with ThreadPoolExecutor(4) as pool:
        codes = set(pool.map(send, range(4)))
    assert len(codes) == 1
    assert counts(app)[0] == 1


@pytest.mark.long
def test_a_run_killed_in_the_middle_leaves_everything_and_the_next_does_it(
    app: Flask, config: Config, clock: Clock, box: BoxInHand
) -> None:
    with app.app_context(), db.transaction() as session:
        for n in range(12):
            enclosed = ((picture(),), (picture(size=4_000_000),)) if n % 4 == 0 else ()
            drop(session, config, clock, box, f"意见{n}", enclosed)
    environ = {
        **os.environ,
        "DATA_DIR": str(config.data_dir),
        "DATABASE_URL": config.database_url,
    }
    killed = 0
    for statement in (2, 6, 10, 14, 18, 24, 400):
        run = subprocess.run(
            [sys.executable, "-c", KILLED, str(statement)],
            cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if run.returncode == 0:
            assert run.stdout.strip() == "12"
            break
        assert run.returncode == -signal.SIGKILL, run.stderr
        killed += 1
        assert counts(app) == (12, 0, 0)
        assert pieces(app) == (51, 0)
    assert killed >= 5
    assert pieces(app) == (0, 51)
    lying, cases, leaves = counts(app)
    assert (cases, leaves) == (12, 12)
    assert lying == 0
