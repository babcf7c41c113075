"""A county after days of campaign: how long a page of figures and a search take."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from app import cli, create_app, crypto, db, wordindex
from app.cases.models import Case, CaseEvent
from app.cases.workflow import Move, State
from app.organisation import service as organisation
from app.organisation.models import UnitKind
from app.statistics import service as statistics
from app.web import clock
from app.wordindex import Published
from config import Config

BRANCHES, CASES, ANSWERS = 1000, 20_000, 5000
WORDS = "路灯坏了两个月没有人修孩子放学走夜路不安全请支部管一管窗口重复收复印件食堂晚饭凉了"


def fill(dice: random.Random) -> None:
    """Branches, cases with an answer for most, published texts."""
    with db.transaction() as session:
        county = organisation.add_unit(session, slug="c", name="县", kind=UnitKind.COUNTY)
        boxes = []
        for n in range(BRANCHES):
            unit = organisation.add_unit(
                session, slug=f"b{n}", name=f"支部{n}", kind=UnitKind.BRANCH, parent=county
            )
            boxes.append(organisation.add_box(session, unit).id)
        today, cases, events = clock().today(), [], []
        for _ in range(CASES):
            opened = today - dt.timedelta(days=dice.randrange(90))
            case_id = crypto.random_id()
            answered = dice.random() < 0.7
            state = State.ANSWERED if answered else State.ACCEPTED
            cases.append(
                {"id": case_id, "box_id": dice.choice(boxes), "state": state, "opened_on": opened,
                 "clock_on": opened, "state_on": opened, "channel": "web", "version": 1,
                 "commitment": case_id.encode(), "reopenings": 0, "appeals": 0, "referrals": 0}
            )  # fmt: skip
            moves = [Move.OPEN, Move.ACCEPT, *([Move.DRAFT, Move.APPROVE] if answered else [])]
            events += [
                {"case_id": case_id, "position": place, "move": move, "from_state": state,
                 "to_state": state, "moved_on": min(opened + dt.timedelta(days=place * 3), today)}
                for place, move in enumerate(moves)
            ]  # fmt: skip
        session.execute(sa.insert(Case), cases)
        session.execute(sa.insert(CaseEvent), events)
        for _ in range(ANSWERS):
            text = "".join(dice.choices(WORDS, k=200))
            wordindex.put(session, Published.ANSWER, crypto.random_id(), today, [text])


def measure(name: str, work: Callable[[], object]) -> None:
    """The fastest of five."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    print(f"{name}: {min(times) * 1000:.0f} ms")


def main() -> None:
    """Fill a county on SQLite and ask."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Config.from_environ({"DATA_DIR": folder}))
        with app.app_context():
            cli.prepare()
            fill(random.Random(1))
            print(f"{BRANCHES} branches, {CASES} opinions, {ANSWERS} published texts, SQLite")
            with db.reading() as session:
                today = clock().today()
                measure("figures of the county", lambda: statistics.figures(session, today))
                measure(
                    "figures of a branch", lambda: statistics.figures(session, today, slug="b1")
                )
                for word in ("路灯", "灯路", "路", "路灯坏"):
                    found = wordindex.find(session, Published.ANSWER, word, 20)
                    ask = partial(wordindex.find, session, Published.ANSWER, word, 20)
                    measure(f"search {word} ({len(found)} shown)", ask)


if __name__ == "__main__":
    main()
