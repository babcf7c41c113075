"""The queue however long it is: a page reads its own rows, and counts stop where nobody counts."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db
from app.cases import queue
from app.cases.models import Case
from app.cases.queue import Unlocked
from app.cases.workflow import State
from app.clock import Clock
from config import Config
from tests.cases.test_desk import Keeper, make_keeper, opened
from tests.factories import BoxInHand, make_box


@pytest.fixture
def clock(app: Flask) -> Clock:
    made: Clock = app.extensions["clock"]
    return made


@pytest.fixture
def box(app: Flask, config: Config, clock: Clock) -> BoxInHand:
    with app.app_context(), db.transaction() as session:
        made = make_box(session, "longtan", clock)
    opened(app, config, made, *(f"第{number}件" for number in range(25)))
    return made


def pages(app: Flask, desk: Unlocked, clock: Clock) -> list[list[str]]:
    found, after = [], None
    with app.app_context(), db.reading() as session:
        while True:
            page = queue.queue(session, desk, clock.today(), after=after)
            found.append([row.id for row in page.rows])
            if page.next is None:
                return found
            after = page.next


@pytest.mark.parametrize("apart", [0, 8])
def test_pages_of_several_boxes_and_states_follow_one_clock(
    app: Flask,
    config: Config,
    clock: Clock,
    box: BoxInHand,
    apart: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Box by box or all at once, every open case stands on one page, the oldest clock first."""
    monkeypatch.setattr(queue, "_BOXES_APART", apart)
    with app.app_context(), db.transaction() as session:
        other = make_box(session, "shiqiao", clock)
    opened(app, config, other, *(f"别处第{number}件" for number in range(20)))
    with app.app_context(), db.transaction() as session:
        ids = list(session.scalars(sa.select(Case.id).order_by(Case.id)))
        for state, some in (("accepted", ids[::3]), ("closed", ids[1::9])):
            session.execute(sa.update(Case).where(Case.id.in_(some)).values(state=state))
        early = clock.today().replace(day=2)
        session.execute(sa.update(Case).where(Case.id.in_(ids[::4])).values(clock_on=early))
        wanted = list(
            session.scalars(
                sa.select(Case.id).where(Case.state != "closed").order_by(Case.clock_on, Case.id)
            )
        )
    desk = dataclasses.replace(
        box.desk(), box_ids=frozenset({box.box_id, other.box_id}), keys={**box.keys, **other.keys}
    )
    found = pages(app, desk, clock)
    assert [len(page) for page in found[:-1]] == [queue.PAGE] * (len(found) - 1)
    assert [case_id for page in found for case_id in page] == wanted


def test_the_newest_of_a_box_are_read_without_sorting_the_rest(
    app: Flask, clock: Clock, box: BoxInHand
) -> None:
    early, states = clock.today().replace(day=2), (State.WAITING, State.CLOSED)
    with app.app_context(), db.transaction() as session:
        ids = list(session.scalars(sa.select(Case.id).order_by(Case.id)))
        for state, some in (("closed", ids[::2]), ("declined", ids[1::5])):
            session.execute(sa.update(Case).where(Case.id.in_(some)).values(state=state))
        session.execute(sa.update(Case).where(Case.id.in_(ids[:20])).values(clock_on=early))
        wanted = {
            state: list(
                session.scalars(
                    sa.select(Case.id)
                    .where(Case.state == state)
                    .order_by(Case.clock_on.desc(), Case.id.desc())
                )
            )[:6]
            for state in states
        }
    query = sa.select(queue.newest(box.box_id, states, 6).c.id)
    with app.app_context(), db.reading() as session:
        assert sorted(session.scalars(query)) == sorted(i for some in wanted.values() for i in some)
        if db.engine().dialect.name == "sqlite":
            words = query.compile(db.engine(), compile_kwargs={"literal_binds": True})
            plan = session.execute(sa.text(f"EXPLAIN QUERY PLAN {words}")).all()
            steps = [row.detail for row in plan]
            assert not [step for step in steps if "TEMP B-TREE" in step], steps
            assert [step for step in steps if "COVERING INDEX ix_case_state" in step], steps


def test_counts_stop_at_a_bound_and_the_page_says_so(
    app: Flask, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_COUNTED", 3)
    keeper: Keeper = make_keeper(app, config, "longtan")
    opened(app, config, keeper.box, "第一件", "第二件")
    assert " 2</a>" in keeper.client.get("/desk/queue").get_data(as_text=True)
    opened(app, config, keeper.box, "第三件", "第四件")
    assert " 2+</a>" in keeper.client.get("/desk/queue").get_data(as_text=True)


def test_nobody_at_the_desk_without_a_box_has_an_empty_queue(app: Flask, clock: Clock) -> None:
    nobody = Unlocked("staff", frozenset(), {})
    with app.app_context(), db.reading() as session:
        for chosen in (*queue.FILTERS, "overdue", "recourse"):
            assert queue.queue(session, nobody, clock.today(), chosen=chosen).rows == ()
        assert queue.counts(session, nobody, clock.today()) == dict.fromkeys(queue.COUNTED, 0)
