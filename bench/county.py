"""A county of a thousand branches with so many opened cases, leaves and slips, to be measured.

A hundred opinions are dropped and opened by the application itself. The cases of the rest are
poured in around copies of their sealed items, so that the desk opens whatever a page shows. Half of
all cases stand in one box; a hundredth is open, two hundred at least.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pyotp
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app import cli, create_app, crypto, db
from app.cases.models import Case, CaseEvent, ThreadItem
from app.evaluations import batches, counting, slips
from app.evaluations import service as rounds
from app.evaluations.counting import Scale, Vote
from app.evaluations.models import Round, SealedBallot, SlipBatch, SlipHash, Subject, SubjectKind
from app.evaluations.service import Asked, Plan
from app.organisation import service as organisation
from app.organisation.models import Box, Unit, UnitKind
from app.sealing.models import KeyWrap, OpeningKey, SealedItem
from app.staff import keepers, sessions
from app.staff.models import Role
from app.staff.rights import Actor
from app.staff.sessions import SessionKeys
from app.submissions import service as submissions
from app.submissions.models import SpeakerGroup
from app.submissions.service import About, Aspect, Opinion, Pen, Publish
from app.submissions.ticket import new_ticket
from app.transparency import merkle, note, tree
from app.transparency.models import LogHead, LogLeaf, LogNode
from bench import board
from bench.pouring import Tap, settle, tap, told
from config import Config

SLUG = "longtan"
BRANCHES, REAL, SLIPS = 1000, 100, 400
WORDS = (
    "村口的路灯坏了三个多月，晚上老人和孩子走路很不方便，上个月还有人摔了一跤。"
    "跟村里说过两次，都说在报修，一直没有动静。请问到底由谁来修，什么时候能修好？"
)


@dataclass
class County:
    """One filled instance and what a measurement needs to knock at its doors."""

    app: Flask
    config: Config
    cases: int
    box_id: str = ""
    unit_id: str = ""
    subject_id: str = ""
    codes: list[str] = field(default_factory=list)
    slips: list[str] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    keeper: str = field(default="", repr=False)
    office: str = field(default="", repr=False)
    dice: random.Random = field(default_factory=lambda: random.Random(8))

    @property
    def clock(self) -> Any:
        """The application's clock."""
        return self.app.extensions["clock"]

    def opening_key_id(self) -> str:
        """The lock that a fresh form names."""
        with self.app.app_context(), db.reading() as session:
            return session.scalars(sa.select(OpeningKey.id)).one()


def make(folder: Path, url: str, cases: int) -> County:
    """A county with so many opened cases, as many leaves and slips, and two people at the desk."""
    folder.mkdir(mode=0o700, parents=True)
    environ = {"DATA_DIR": str(folder), "DATABASE_URL": url, "LIMITS": "off"}
    config = Config.from_environ(environ)
    made = County(create_app(config), config, cases)
    with made.app.app_context():
        with told(f"{BRANCHES:,} branches, {REAL} opinions dropped and opened"):
            cli.prepare()
            board.fill(BRANCHES, made.dice, cases=0)
            with db.transaction() as session:
                _people(session, made)
                drops = [_drop(session, made) for _ in range(REAL)]
            made.codes = [receipt.code for receipt in drops]
            cli.run_opening(now=True)
            _round(made)
        items, boxes, batch, key = _patterns()
        with told(f"{cases:,} cases poured in"), tap(made.app) as pipe:
            _pour_cases(pipe, made, items, boxes)
        with db.transaction() as session:
            board.tally(session)
        with told(f"{cases:,} leaves and slips poured in"), tap(made.app) as pipe:
            _pour_leaves(pipe, made)
            _pour_slips(pipe, made, batch, key)
        _log_run(made)
        settle(db.engine())
    return made


# --- people, opinions, a round --------------------------------------------------------------------


def _people(session: Session, made: County) -> None:
    """A branch with a keeper, and somebody of the office, both signed in."""
    today = made.clock.today()
    parent = session.scalars(sa.select(Unit).where(Unit.slug == "u0")).one()
    unit = organisation.add_unit(
        session, slug=SLUG, name="龙潭村支部", kind=UnitKind.BRANCH, parent=parent
    )
    box = organisation.add_box(session, unit)
    made.box_id, made.unit_id = box.id, unit.id
    for name, role in (("keeper", Role.KEEPER), ("office", Role.OFFICE)):
        password = crypto.random_id()
        staff = keepers.create_staff(
            session, username=name, password=password, totp_secret=pyotp.random_base32(),
            pepper=made.config.secrets.pepper, now=made.clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, role, unit.id if role is Role.KEEPER else None)
        key = keepers.personal_key_of(session, staff.id)
        if role is Role.KEEPER:
            keepers.new_box_key(session, box.id, [key], today)
        master = crypto.stretch_password(password, made.config.secrets.pepper, staff.password_salt)
        private_key = keepers.open_private_key(master, key.sealed_private_key)
        cookie = sessions.open_session(
            session, staff.id, SessionKeys(key.id, private_key), made.clock.now(),
            passed_second_factor=True,
        )  # fmt: skip
        setattr(made, name, cookie)


def _drop(session: Session, made: County) -> submissions.Receipt:
    key = session.scalars(sa.select(OpeningKey)).one()
    ticket = new_ticket(SLUG, key.id, made.clock.now())
    pen = Pen(made.config.secrets, made.config.origin, made.clock.today())
    said = Opinion(
        made.box_id, made.unit_id, WORDS, SpeakerGroup.UNSAID, Aspect.WORK, About.COLLECTIVE,
        Publish.SUMMARY,
    )  # fmt: skip
    return submissions.drop(session, pen, ticket, said)


def _round(made: County) -> None:
    """An open round on the branch, with slips that will be measured with."""
    today = made.clock.today()
    with db.transaction() as session:
        staff = [
            keepers.create_staff(
                session, username=name, password="a long password",
                totp_secret=pyotp.random_base32(), pepper=made.config.secrets.pepper,
                now=made.clock.now(),
            )
            for name in ("one", "two")
        ]  # fmt: skip
        for one in staff:
            keepers.assign(session, one, Role.OFFICE, None)
        lead = Actor(staff[0].id, frozenset({(Role.OFFICE, None)}))
        stage = Asked(SubjectKind.STAGE, "第一阶段")
        closes = today + dt.timedelta(days=30)
        plan = Plan("测速", Scale.SATISFACTION, closes, [stage], ["群众"], [s.id for s in staff])
        held = rounds.draft(session, lead, made.unit_id, plan, today)
        rounds.freeze(session, lead, held)
        group = rounds.groups_of(session, held.id)[0]
        made.slips = slips.new_codes(SLIPS)
        hashes = [crypto.slip_hash(code, held.salt) for code in made.slips]
        read = slips.read_list(slips.write_list(held.id, sorted(hashes)).encode())
        batches.add(session, held, group.id, read, today)
        rounds.begin(session, lead, held, today)
        made.subject_id = session.scalars(
            sa.select(Subject.id).where(Subject.round_id == held.id)
        ).one()


# --- the rest, poured in --------------------------------------------------------------------------


def _patterns() -> tuple[Sequence[Any], list[str], SlipBatch, bytes]:
    """What is poured in is made from: sealed items, boxes, the slips' batch and its round's key."""
    with db.reading() as session:
        items = session.execute(
            sa.select(SealedItem.ciphertext, SealedItem.receipt_wrap, KeyWrap.box_key_id,
                      KeyWrap.wrapped).join(KeyWrap, KeyWrap.item_id == SealedItem.id)
        ).all()  # fmt: skip
        boxes = list(session.scalars(sa.select(Box.id)))
        batch = session.scalars(sa.select(SlipBatch)).one()
        key = session.get_one(Round, batch.round_id).public_key or b""
    return items, boxes, batch, key


def _pour_cases(pipe: Tap, made: County, items: Sequence[Any], boxes: list[str]) -> None:
    """Cases around copies of the real ones' items; keys rise, as an opening writes them."""
    today, rest = made.clock.today(), made.cases - REAL
    ids = sorted(made.dice.randbytes(16).hex() for _ in range(rest))
    item_ids = sorted(made.dice.randbytes(16).hex() for _ in range(rest))
    open_ = min(max(rest // 100, 200), rest)
    settled = [n * open_ // rest == (n - 1) * open_ // rest for n in range(rest)]

    def cases() -> Iterator[tuple[object, ...]]:
        for n, case_id in enumerate(ids):
            box_id = made.box_id if made.dice.random() < 0.5 else made.dice.choice(boxes)
            on = (today - dt.timedelta(days=made.dice.randrange(1, 15))).isoformat()
            yield (case_id, box_id, "closed" if settled[n] else "accepted", on, on, on, "web",
                   made.dice.randbytes(32), made.dice.randbytes(32), _commitment(n), 0, 0, 0,
                   1)  # fmt: skip

    pipe.pour(Case, cases(), (
        "id", "box_id", "state", "opened_on", "clock_on", "state_on", "channel", "lookup_id",
        "receipt_key", "commitment", "reopenings", "appeals", "referrals", "version"))  # fmt: skip
    sealed = [items[n % len(items)] for n in range(1000)]
    pipe.pour(SealedItem, ((item_id, sealed[n % 1000][0], sealed[n % 1000][1])
              for n, item_id in enumerate(item_ids)),
              ("id", "ciphertext", "receipt_wrap"))  # fmt: skip
    pipe.pour(KeyWrap, ((item_id, sealed[n % 1000][2], sealed[n % 1000][3])
              for n, item_id in enumerate(item_ids)),
              ("item_id", "box_key_id", "wrapped"))  # fmt: skip
    day = today.isoformat()
    pipe.pour(ThreadItem, ((case_id, 0, item_ids[n], "opinion", "speaker", day)
              for n, case_id in enumerate(ids)),
              ("case_id", "position", "item_id", "kind", "author", "written_on"))  # fmt: skip
    pipe.pour(CaseEvent, ((case_id, 0, "approve", "answering", "answered", day)
              for n, case_id in enumerate(ids) if settled[n]),
              ("case_id", "position", "move", "from_state", "to_state", "moved_on"))  # fmt: skip


def _commitment(n: int) -> bytes:
    return sha256(f"case {n}".encode()).digest()


def _pour_leaves(pipe: Tap, made: County) -> None:
    """The log as its daily runs would have left it: leaves by hash, full subtrees, one head."""
    leaves = (crypto.drop_leaf(_commitment(n)) for n in range(made.cases - REAL))
    pairs = sorted((merkle.leaf_hash(leaf), leaf) for leaf in leaves)
    made.leaves = [leaf for _, leaf in pairs[:: max(len(pairs) // 500, 1)]]
    pipe.pour(LogLeaf, ((at, hashed, leaf) for at, (hashed, leaf) in enumerate(pairs)),
              ("position", "leaf_hash", "leaf"))  # fmt: skip
    peaks: list[bytes] = []
    grown = merkle.grow(0, peaks, (hashed for hashed, _ in pairs))
    pipe.pour(LogNode, ((node.place, hashed) for node, hashed in grown), ("place", "node_hash"))
    checkpoint = note.Checkpoint(made.config.origin, len(pairs), merkle.fold(peaks))
    signed = note.sign(checkpoint, made.config.secrets.log_seed)
    yesterday = (made.clock.today() - dt.timedelta(days=1)).isoformat()
    head = (len(pairs), yesterday, checkpoint.root, signed, len(pairs), 0, 0, 0, 0)
    pipe.pour(LogHead, [head], ("size", "made_on", "root", "note", "drops", "answered",
                                "declined", "removed", "other"))  # fmt: skip


def _log_run(made: County) -> None:
    """The day's run over the real drops, by the application: it goes on from what was poured."""
    with db.transaction() as session:
        secrets, today = made.config.secrets, made.clock.today()
        head = tree.run(session, secrets.log_seed, made.config.origin, today)
        hashed = merkle.leaf_hash(made.leaves[0])
        at = tree.positions(session, [hashed])[hashed]
        proof = tree.inclusion(session, at, head.size)
    if not merkle.verify_inclusion(hashed, at, head.size, proof, head.root):
        raise RuntimeError("the poured log doesn't prove its leaves")


def _pour_slips(pipe: Tap, made: County, batch: SlipBatch, key: bytes) -> None:
    """Slips that nobody used yet, and half as many ballots in the urn."""
    hashes = sorted(made.dice.randbytes(32) for _ in range(made.cases - SLIPS))
    pipe.pour(SlipHash, ((hashed, batch.id, 0) for hashed in hashes),
              ("slip_hash", "batch_id", "voided"))  # fmt: skip
    ballot = crypto.seal_to(key, counting.encode(Vote(0, (1,))))
    ids = sorted(made.dice.randbytes(16).hex() for _ in range(made.cases // 2))
    pipe.pour(SealedBallot, zip(ids, (batch.round_id for _ in count()),
                                (ballot for _ in count()), strict=False),
              ("id", "round_id", "sealed"))  # fmt: skip
