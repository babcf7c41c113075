"""Measures a round of 100,000 slips: made, printed, brought in, voted with, counted.

python -m bench.slips [SLIPS] — on SQLite; on the database of DATABASE_URL where it is set (an empty
one). Every slip is made; a thousand votes are cast by the code of the site, the rest are put
straight into the urn.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import nacl.utils
import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app import create_app, crypto, db
from app.clock import Clock
from app.evaluations import batches, counting, service, slips, urn, voting
from app.evaluations.counting import Scale, Vote
from app.evaluations.models import Round, SealedBallot, SlipHash, SubjectKind
from app.evaluations.service import Asked, Plan
from app.evaluations.urn import Hands
from app.organisation import service as organisation
from app.organisation.models import UnitKind
from app.sheets.slips import Words, slip_sheets
from app.staff import keepers
from app.staff.models import Role
from app.staff.rights import Actor
from config import Config

SLIPS = 100_000
VOTES = 1_000


@contextmanager
def timed(what: str, count: int = 0) -> Iterator[None]:
    """Print how long something took."""
    begun, cpu = time.perf_counter(), time.process_time()
    yield
    took, busy = time.perf_counter() - begun, time.process_time() - cpu
    each = f", {took / count * 1000:.2f} ms each" if count else ""
    print(f"{what}: {took:.1f} s ({busy:.1f} s of processor){each}", flush=True)


def people(session: Session, config: Config, clock: Clock) -> list[Hands]:
    """Two of the office with their keys."""
    made, password = [], "a long password"
    for name in ("one", "two"):
        staff = keepers.create_staff(
            session, username=name, password=password, totp_secret=pyotp.random_base32(),
            pepper=config.secrets.pepper, now=clock.now(),
        )  # fmt: skip
        keepers.assign(session, staff, Role.OFFICE, None)
        key = keepers.personal_key_of(session, staff.id)
        master = crypto.stretch_password(password, config.secrets.pepper, staff.password_salt)
        private_key = keepers.open_private_key(master, key.sealed_private_key)
        made.append(Hands(staff.id, key.id, private_key))
    return made


class Bench:
    """One round on one database."""

    def __init__(self, config: Config, clock: Clock, count: int) -> None:
        self.count, self.today = count, clock.today()
        with db.transaction() as session:
            self.hands = people(session, config, clock)
            self.lead = Actor(self.hands[0].staff_id, frozenset({(Role.OFFICE, None)}))
            unit = organisation.add_unit(session, slug="county", name="县", kind=UnitKind.COUNTY)
            stage = Asked(SubjectKind.STAGE, "第一阶段")
            staff = [one.staff_id for one in self.hands]
            plan = Plan("测速", Scale.SATISFACTION, self.today, [stage], ["群众"], staff)
            held = service.draft(session, self.lead, unit.id, plan, self.today)
            service.freeze(session, self.lead, held)
            self.round_id, self.salt, self.public_key = held.id, held.salt, held.public_key or b""
            self.group_id = service.groups_of(session, held.id)[0].id

    def held(self, session: Session) -> Round:
        """The round's row."""
        return session.get_one(Round, self.round_id)

    def make(self) -> tuple[list[str], bytes]:
        """Slips, their sheets, their list."""
        codes = slips.new_codes(self.count)
        with timed("hashes of slips", self.count):
            hashes = slips.hash_codes(codes, self.salt, os.cpu_count() or 1, lambda _n: None)
        words = Words("评议票签", "群众", "扫一扫", "只能用一次", "https://yanlu.example/slip")
        with timed("sheets", self.count):
            for start in range(0, self.count, 3000):
                part = codes[start : start + 3000]
                slip_sheets([crypto.display_code(code) for code in part], words)
        return codes, slips.write_list(self.round_id, hashes).encode()

    def bring(self, listed: bytes) -> None:
        """The list, brought in; voting begins."""
        with timed("list read and brought in"):
            read = batches.read_list(listed, self.round_id)
            with db.transaction() as session:
                batches.add(session, self.held(session), self.group_id, read, self.today)
        with db.transaction() as session:
            service.begin(session, self.lead, self.held(session), self.today)

    def vote(self, codes: list[str]) -> None:
        """Votes as the site casts them."""
        with timed("votes, slip looked up and cast", len(codes)):
            for code in codes:
                slip_hash = crypto.slip_hash(code, self.salt)
                with db.reading() as session:
                    voting.standing(session, [slip_hash], self.today)
                with db.transaction() as session:
                    voting.vote(session, self.round_id, slip_hash, (1,), {}, self.today)

    def fill(self) -> None:
        """Four fifths of the slips voted with, straight into the urn."""
        with db.transaction() as session:
            known = sa.select(SlipHash.slip_hash).limit(self.count * 8 // 10)
            rest = list(session.scalars(known))
            for start in range(0, len(rest), 5000):
                part = rest[start : start + 5000]
                session.execute(sa.delete(SlipHash).where(SlipHash.slip_hash.in_(part)))
                rows = [self._sealed(place % 5) for place in range(len(part))]
                session.execute(sa.insert(SealedBallot), rows)

    def _sealed(self, mark: int) -> dict[str, object]:
        sealed = crypto.seal_to(self.public_key, counting.encode(Vote(0, (mark,))))
        return {"id": nacl.utils.random(16).hex(), "round_id": self.round_id, "sealed": sealed}

    def count_up(self) -> None:
        """Closed, opened, counted, counted anew."""
        first, second = self.hands
        with timed("closed, unused slips announced"), db.transaction() as session:
            urn.close(session, first, self.held(session), self.today)
        with timed("urn opened"), db.reading() as session:
            opened = urn.open_urn(session, second, self.held(session))
        with timed(f"{opened.ballots} ballots counted, written anew"), db.transaction() as session:
            outcome = urn.count(session, second, self.held(session), opened, self.today)
        with timed("counted anew by a second person"), db.transaction() as session:
            agrees = urn.confirm(session, first, self.held(session), self.today)
        print(f"{outcome}, {'agrees' if agrees else 'differs'}")


def main(count: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="yanlu-bench-") as folder:
        environ = {"DATA_DIR": folder, "DATABASE_URL": os.environ.get("DATABASE_URL", "")}
        config = Config.from_environ(environ)
        clock = Clock(ZoneInfo("Asia/Shanghai"))
        app = create_app(config, clock)
        with app.app_context():
            db.upgrade()
            print(f"{db.engine().dialect.name}, {count} slips, {os.cpu_count()} processors")
            bench = Bench(config, clock, count)
            codes, listed = bench.make()
            bench.bring(listed)
            bench.vote(codes[:VOTES])
            bench.fill()
            bench.count_up()
            db.close(app)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak memory {peak} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SLIPS)
