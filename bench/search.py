"""Search over sealed texts: how long the desk takes to open and scan every text of a box.

python -m bench.search [TEXTS] — on SQLite. Opening a text is one X25519 multiplication, which no
batching avoids; a word that many texts hold is answered as soon as a page is full.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from app import db
from app.cases import search
from app.cases.models import Case
from app.cases.queue import Unlocked
from app.clock import Clock
from app.staff import keepers, sessions
from bench import county
from bench.county import County

TEXTS = 20_000


def keeper_of(made: County, clock: Clock) -> Unlocked:
    """The keeper's unlocked session."""
    with db.reading() as session:
        own = sessions.find_session(session, made.keeper, clock.now())
        if own is None:
            raise RuntimeError("the keeper's session has lapsed")
        keys = own.keys
        held = keepers.held_by(session, own.staff_id, keys.personal_key_id, keys.private_key)
    return Unlocked(own.staff_id, held.box_ids, held.keys)


def main(texts: int) -> None:
    """Fill a box and look for a word that no text has, and for one that every text has."""
    with tempfile.TemporaryDirectory(prefix="yanlu-bench-") as folder:
        made = county.make(Path(folder, "c"), "", texts * 2)  # half of all stand in one box
        with made.app.app_context():
            desk = keeper_of(made, made.clock)
            with db.reading() as session:
                own = sa.select(sa.func.count()).where(Case.box_id.in_(desk.box_ids))
                print(f"{session.scalar(own):,} sealed texts in one box, SQLite")
            for what, typed in (("a word in none of them", "没有的字"), ("in each", "路灯")):
                with db.reading() as session:
                    begun, spent = time.perf_counter(), time.process_time()
                    found = search.find(session, desk, typed)
                took, cost = time.perf_counter() - begun, time.process_time() - spent
                print(
                    f"  {what:<24} {len(found):3} found  {took:6.2f} s  {cost:6.2f} s of processor"
                )
            db.close(made.app)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TEXTS)
