"""The board over a county and over a province: how long a page takes, and how many queries."""

from __future__ import annotations

import datetime as dt
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import cli, create_app, crypto, db
from app.campaigns import progress, service
from app.campaigns.models import BranchProgress, Campaign, Record, Route
from app.campaigns.service import USUAL_ACTIONS, Plan, PlannedStage
from app.cases import tallies
from app.cases.models import Case, CaseEvent, CaseTally, Channel, QuarterTally
from app.cases.workflow import Move, State
from app.clock import quarter_of
from app.organisation.models import Box, Member, Unit, UnitKind
from app.sealing.models import BoxKey
from app.staff.models import Role
from app.staff.rights import Actor
from app.supervision import board, daily
from app.supervision.asked import Asked, Show, Sort
from app.web import clock
from config import Config

SIZES = (1000, 100_000)
UNIT_BRANCHES = 5
CASES_A_BRANCH, MEMBERS_A_BRANCH, RECORDS_A_BRANCH = 2, 8, 6
OFFICE = Actor("office", frozenset({(Role.OFFICE, None)}))
CHUNK = 20_000


def fill(branches: int, dice: random.Random, cases: int = CASES_A_BRANCH) -> str:
    """A county of so many branches with boxes, cases, members and records; the campaign's id."""
    today = clock().today()
    with db.transaction() as session:
        county = Unit(slug="c", name="县", kind=UnitKind.COUNTY)
        session.add(county)
        session.flush()
        units = [
            {"id": crypto.random_id(), "slug": f"u{n}", "name": f"单位{n}", "kind": "unit",
             "parent_id": county.id, "phone": "", "search_key": f"danwei{n} dw{n}"}
            for n in range(branches // UNIT_BRANCHES)
        ]  # fmt: skip
        rows = [
            {"id": crypto.random_id(), "slug": f"b{n}", "name": f"支部{n}", "kind": "branch",
             "parent_id": units[n // UNIT_BRANCHES]["id"], "phone": "",
             "search_key": f"zhibu{n} zb{n}"}
            for n in range(branches)
        ]  # fmt: skip
        _insert(session, Unit, units + rows)
        boxes = [
            {"id": crypto.random_id(), "unit_id": row["id"], "second_eyes": False} for row in rows
        ]
        _insert(session, Box, boxes)
        _insert(session, BoxKey, [
            {"id": crypto.random_id(), "box_id": box["id"], "public_key": bytes(32),
             "created_on": today} for box in boxes if dice.random() < 0.95
        ])  # fmt: skip
        _insert(session, Member, [
            {"id": crypto.random_id(), "number": f"{n}-{m}", "name": "党员", "unit_id": row["id"]}
            for n, row in enumerate(rows) for m in range(MEMBERS_A_BRANCH)
        ])  # fmt: skip
        _insert(session, Case, [_case(dice.choice(boxes)["id"], today, dice)
                                for _ in range(branches * cases)])  # fmt: skip
        tally(session)
        return _campaign(session, [str(row["id"]) for row in rows], today, dice)


def _insert(session: Session, model: type[db.Base], rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), CHUNK):
        session.execute(sa.insert(model), list(rows[start : start + CHUNK]))


def tally(session: Session) -> None:
    """Count what was put in past the application, as it would have counted it: answered today."""
    answered = sa.select(CaseEvent.case_id).where(CaseEvent.move == Move.APPROVE).distinct()
    told = answered.subquery()
    by = (Case.box_id, Case.opened_on)
    found = sa.select(*by, sa.func.count(), sa.func.count(told.c.case_id)).outerjoin(
        told, told.c.case_id == Case.id
    )
    session.execute(sa.delete(CaseTally))
    columns = ["box_id", "opened_on", "received", "answered"]
    session.execute(sa.insert(CaseTally).from_select(columns, found.group_by(*by)))
    columns = ["quarter", "box_id", "move", "seen", "number"]
    quarter = sa.literal(quarter_of(clock().today()))
    seen = Case.channel != Channel.WEB
    events = (
        sa.select(quarter, Case.box_id, CaseEvent.move, seen, sa.func.count())
        .join(Case, Case.id == CaseEvent.case_id)
        .where(CaseEvent.move.in_(tallies.BY_QUARTER))
        .group_by(Case.box_id, CaseEvent.move, seen)
    )
    session.execute(sa.delete(QuarterTally))
    session.execute(sa.insert(QuarterTally).from_select(columns, events))


def _case(box_id: object, today: dt.date, dice: random.Random) -> dict[str, object]:
    opened = today - dt.timedelta(days=dice.randrange(60))
    state = State.ANSWERED if dice.random() < 0.7 else State.ACCEPTED
    return {
        "id": crypto.random_id(), "box_id": box_id, "state": state, "opened_on": opened,
        "clock_on": opened, "state_on": opened, "channel": "web", "version": 1,
        "commitment": bytes(32), "reopenings": 0, "appeals": 0, "referrals": 0,
    }  # fmt: skip


def _campaign(session: Session, branches: list[str], today: dt.date, dice: random.Random) -> str:
    start = today - dt.timedelta(days=42)
    stages = [PlannedStage(str(n), start + dt.timedelta(days=28 + 14 * n)) for n in range(3)]
    plan = Plan("专题教育", start, stages[-1].due_on, stages, USUAL_ACTIONS)
    campaign = service.draft(session, plan)
    service.start(session, campaign)
    kinds = progress.required(session, campaign.id)
    rows: list[dict[str, object]] = []
    for unit_id in branches:
        for _ in range(dice.randrange(RECORDS_A_BRANCH * 2)):
            action = dice.choice(kinds)
            route = Route.VISIT if action.kind == "opinions" else None
            rows.append(
                {"id": crypto.random_id(), "action_id": action.id, "unit_id": unit_id,
                 "amount": dice.randrange(1, 9), "route": route, "happened_on": start,
                 "evidence": "", "recorded_by": "k", "recorded_at": clock().now()}
            )  # fmt: skip
    _insert(session, Record, rows)
    return campaign.id


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements asked meanwhile."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            said.append(statement)

    event.listen(db.engine(), "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(db.engine(), "before_cursor_execute", hear)


def measure(name: str, campaign_id: str, asked: Asked) -> board.Board:
    """The fastest of three, and what it cost of the processor: other work may hold a page up."""
    times, costs, queries = [], [], 0
    for _ in range(3):
        with db.reading() as session, counted() as said:
            campaign = session.get_one(Campaign, campaign_id)
            start, cost = time.perf_counter(), time.process_time()
            found = board.board(session, OFFICE, campaign, asked, clock().today())
            times.append(time.perf_counter() - start)
            costs.append(time.process_time() - cost)
        queries = len(said)
    print(
        f"  {name:<28} {min(times) * 1000:7.0f} ms  {min(costs) * 1000:7.0f} ms of the processor"
        f"  {queries} queries  {len(found.rows)} rows"
    )
    return found


def count() -> None:
    """The daily count that the board is sorted by."""
    start = time.perf_counter()
    with db.reading() as session:
        parts = daily.campaigns_to_count(session)
    for found_id, branches in parts:
        with db.transaction() as session:
            daily.count(session, found_id, branches, clock().today())
    seconds = time.perf_counter() - start
    with db.reading() as session:
        number = session.scalar(sa.select(sa.func.count()).select_from(BranchProgress))
    print(
        f"  {'the daily count':<28} {seconds:7.1f} s   {number} branches,"
        f" in transactions of {progress.BATCH}"
    )


def main() -> None:
    """A board of 1,000 branches, then one of 100,000, on SQLite."""
    sizes = tuple(int(word) for word in sys.argv[1:]) or SIZES
    for branches in sizes:
        with tempfile.TemporaryDirectory() as folder:
            app = create_app(Config.from_environ({"DATA_DIR": folder}))
            with app.app_context():
                cli.prepare()
                campaign_id = fill(branches, random.Random(8))
                print(f"{branches} branches, {branches * CASES_A_BRANCH} cases, SQLite")
                count()
                first = measure("the first page", campaign_id, Asked())
                measure("the second page", campaign_id, Asked(after=first.next))
                measure("only those overdue", campaign_id, Asked(show=Show.OVERDUE))
                measure("by name", campaign_id, Asked(sort=Sort.NAME))
                measure("found by initials", campaign_id, Asked(q="zb77"))
                measure("one unit", campaign_id, Asked(unit_id=first.units[0].id))
                db.close(app)


if __name__ == "__main__":
    main()
