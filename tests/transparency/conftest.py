"""A log in hand: leaves appended in runs, on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask

from app import crypto, db, worker
from app.clock import Clock
from app.transparency import log, note, replay, tree
from app.transparency.note import VerifierKey
from tests.conftest import Hand
from tests.factories import BoxInHand, make_box
from tests.submissions.conftest import Speaker


@dataclass
class LogInHand:
    """The log of one application, and the hand that turns its days."""

    app: Flask
    hand: Hand

    @property
    def seed(self) -> bytes:
        """The county's signing seed."""
        seed: bytes = self.app.config["YANLU"].secrets.log_seed
        return seed

    @property
    def key(self) -> VerifierKey:
        """The county's verifier key."""
        return note.county_key(self.seed, self.app.config["YANLU"].origin)

    def append(self, *leaves: bytes) -> None:
        """Queue leaves."""
        with self.app.app_context(), db.transaction() as session:
            log.append(session, list(leaves))

    def day(self, count: int = 0, prefix: str = "") -> tree.Head:
        """The next day: so many drops, then the run."""
        self.hand.forward(days=1)
        start = len(self.leaves())
        self.append(*(drop_leaf(f"{prefix}{start + n}") for n in range(count)))
        return self.run()

    def run(self) -> tree.Head:
        """One run of the log."""
        with self.app.app_context():
            return worker.run_log(self.app.config["YANLU"], self.app.extensions["clock"])

    def leaves(self) -> list[bytes]:
        """Every leaf in order."""
        with self.app.app_context(), db.reading() as session:
            return tree.entries(session, 0, 10**9)

    def heads(self) -> list[tree.Head]:
        """Every head, newest first."""
        with self.app.app_context(), db.reading() as session:
            return tree.heads(session, 1000)

    def replay(
        self, *paper: replay.PaperHead, cosigners: Sequence[VerifierKey] = ()
    ) -> replay.Replayed:
        """Replay it; raises replay.Fault."""
        with self.app.app_context(), db.reading() as session:
            return replay.replay(session, self.key, paper, cosigners)

    def tamper(self, *statements: sa.Executable) -> None:
        """Write past every rule, as whoever holds the database could."""
        with self.app.app_context(), db.transaction() as session:
            for statement in statements:
                session.execute(statement)


def drop_leaf(name: str) -> bytes:
    """A leaf like that of a drop."""
    return crypto.drop_leaf(hashlib.sha256(name.encode()).digest())


@pytest.fixture
def in_hand(app: Flask, hand: Hand) -> LogInHand:
    """A log that has its first, empty head."""
    return LogInHand(app, hand)


@pytest.fixture
def box(app: Flask) -> BoxInHand:
    """A branch's box that somebody keeps."""
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        return make_box(session, "longtan", clock)


@pytest.fixture
def speaker(app: Flask, box: BoxInHand) -> Speaker:
    """A speaker before an instance with one open box."""
    assert box.keys
    return Speaker(app)
