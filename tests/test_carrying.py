"""An instance carried from SQLite to PostgreSQL: whole and proved, or not at all."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from app import archive, carrying, create_app, crypto, db, worker
from app.archive import Content
from app.cases import thread
from app.clock import Clock
from app.demo import county as demo
from app.organisation.models import Unit, UnitKind
from app.staff import sessions
from app.staff.models import PersonalKey
from app.submissions.service import Receipt
from app.transparency import tree
from app.transparency.models import LogLeaf
from config import Config
from tests.cases.conftest import Scene, scene
from tests.conftest import Hand, _emptied, _execute
from tests.factories import drop, pen_of
from tests.submissions.conftest import Speaker

__all__ = ["scene"]


@pytest.fixture
def database_url(template_file: Path, tmp_path: Path) -> str:
    """The instance lives on SQLite."""
    (tmp_path / "yanlu.sqlite3").write_bytes(template_file.read_bytes())
    return f"sqlite:///{tmp_path / 'yanlu.sqlite3'}"


@pytest.fixture
def target(shared_database: str) -> Iterator[str]:
    """An empty migrated PostgreSQL."""
    yield shared_database
    _emptied(shared_database)


@pytest.fixture
def elsewhere(target: str, app: Flask, config: Config) -> Iterator[Flask]:
    """The same instance, were it there."""
    clock: Clock = app.extensions["clock"]
    made = create_app(dataclasses.replace(config, database_url=target), clock)
    yield made
    db.close(made)


def carried(app: Flask, url: str) -> Result:
    return app.test_cli_runner().invoke(args=["carry", "--to", url])


def contents(app: Flask) -> Content:
    with app.app_context(), db.engine().connect() as connection:
        return archive.summed(archive.rows(connection, lambda *_: None, carrying._WITHOUT))


def head(app: Flask) -> tree.Head:
    with app.app_context(), db.reading() as session:
        found = tree.newest_head(session)
        assert found is not None
        return found


def words(app: Flask, config: Config, receipt: Receipt) -> list[str]:
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.reading() as session:
        page = thread.open_thread(session, pen_of(config, clock), receipt.keys)
        return [message.text for message in page.messages] if page else []


def opened_and_lying(scene: Scene) -> tuple[Receipt, Receipt]:
    """An answered opinion, one that lies in the box, a desk that is open, a log of today."""
    receipt, case_id = scene.opened("村口的路灯坏了")
    scene.answer(case_id)
    with scene.writing() as session:
        lying = drop(session, scene.config, scene.clock, scene.here, "还没有开箱的话")
    with scene.app.app_context():
        worker.run_log(scene.config, scene.clock)
    return receipt, lying


def test_a_county_arrives_row_for_row_and_goes_on_from_there(
    scene: Scene, elsewhere: Flask, target: str, hand: Hand
) -> None:
    app, config = scene.app, scene.config
    receipt, lying = opened_and_lying(scene)
    before = contents(app)
    result = carried(app, target)
    assert result.exit_code == 0, result.output
    told = dict(re.findall(r"^(\w+) +(\d+)  [0-9a-f]{32}$", result.stdout, re.MULTILINE))
    assert {name: int(rows) for name, rows in told.items()} == {
        name: rows for name, rows in before.rows.items() if name not in archive.UNTOLD
    }
    # How much lies in the boxes is told nowhere, and can't be reckoned either.
    assert "lying_item" not in result.stderr
    assert re.search(r"^lying_item lying_piece +untold ", result.stdout, re.MULTILINE)
    assert f"done: {before.told} rows" in result.stdout
    assert head(app).root.hex() in result.stdout
    assert result.stdout.rstrip().rpartition("\n")[2].startswith("done: ")
    assert contents(elsewhere) == before == contents(app)
    assert words(elsewhere, config, receipt) == ["村口的路灯坏了", "修好了。"]
    assert words(elsewhere, config, lying) == ["还没有开箱的话"]
    # Two things go on there: the opening, and the log over the same head.
    hand.forward(days=1)
    with elsewhere.app_context():
        assert worker.run_opening(config, scene.clock, now=True)
        worker.run_log(config, scene.clock)
    paper = f"{head(app).size} {head(app).root.hex()}"
    verified = elsewhere.test_cli_runner().invoke(args=["verify-log", "--head", paper])
    assert verified.exit_code == 0, verified.output
    assert words(elsewhere, config, lying) == ["还没有开箱的话"]


def test_a_whole_demo_county_answers_from_postgresql(
    app: Flask, config: Config, elsewhere: Flask, target: str
) -> None:
    clock: Clock = app.extensions["clock"]
    with app.app_context():
        assert demo.make_county(config, clock, small=True)
        worker.run_log(config, clock)
        with db.transaction() as session:  # somebody is at their desk
            key = session.scalars(sa.select(PersonalKey)).first()
            assert key is not None
            keys = sessions.SessionKeys(key.id, bytes(32))
            cookie = sessions.open_session(session, key.staff_id, keys, clock.now())
    speaker, there = Speaker(app), Speaker(elsewhere)
    code = speaker.send(speaker.get("/box/demo").form("/box/demo"), opinion="路灯坏了。").marked(
        "data-receipt-code"
    )[0]
    assert carried(app, target).exit_code == 0
    assert contents(elsewhere) == contents(app)
    assert there.thread(code).marked("data-message", "speaker") == ["路灯坏了。"]
    for address in ("/", "/units", "/answers", "/bulletins", "/results", "/figures", "/log"):
        assert there.get(address).html == speaker.get(address).html, address
    # No table numbers its rows, so there is no counter to be set.
    with elsewhere.app_context(), db.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM pg_sequences")) == 0
        assert sessions.find_session(session, cookie, clock.now())


def refused(app: Flask, url: str, sentence: str) -> None:
    before = contents(app)
    result = carried(app, url)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "done" not in result.stdout
    assert "Traceback" not in result.output
    assert "geheim" not in result.output
    assert contents(app) == before


def test_a_wrong_address_is_told_and_changes_nothing(scene: Scene, config: Config) -> None:
    opened_and_lying(scene)
    refused(scene.app, "postgresql://yanlu:geheim@127.0.0.1:1/yanlu", "can't be reached")
    refused(scene.app, "mysql://yanlu:geheim@h/yanlu", "mysql")
    refused(scene.app, "postgresql://yanlu:geheim@host:port/yanlu", "can't be read")
    refused(scene.app, config.database_url, "lives in already")


def test_nobody_is_carried_over_another_instance(
    scene: Scene, elsewhere: Flask, target: str
) -> None:
    opened_and_lying(scene)
    with elsewhere.app_context(), db.transaction() as session:
        session.add(Unit(slug="other", name="别的县", kind=UnitKind.COUNTY))
    there = contents(elsewhere)
    refused(scene.app, target, "an instance in this database already")
    assert contents(elsewhere) == there


def test_an_empty_instance_is_a_mistake_in_the_address(app: Flask, target: str) -> None:
    with app.app_context():
        db.downgrade("base")
    result = carried(app, target)
    assert result.exit_code == 1
    assert "no instance" in result.stderr


def test_a_target_of_another_version_is_named_and_one_without_tables_gets_them(
    scene: Scene, postgresql: str
) -> None:
    opened_and_lying(scene)
    name = f"test_{crypto.random_id()}"
    _execute(postgresql, f"CREATE DATABASE {name}")
    url = postgresql.replace("/postgres?", f"/{name}?")
    try:
        _execute(url, "CREATE TABLE theirs (id int)")
        refused(scene.app, url, "somebody else's tables")
        _execute(url, "DROP TABLE theirs")
        older = create_app(dataclasses.replace(scene.config, database_url=url), scene.clock)
        with older.app_context():
            db.upgrade("0014")
        refused(scene.app, url, "schema 0014")
        with older.app_context():
            db.downgrade("base")
        db.close(older)
        _execute(url, "DROP TABLE alembic_version")
        assert carried(scene.app, url).exit_code == 0
    finally:
        _execute(postgresql, f"DROP DATABASE {name} WITH (FORCE)")


def test_it_refuses_while_web_or_worker_have_the_database_open(
    scene: Scene, elsewhere: Flask, target: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_WAIT_MS", 100)
    opened_and_lying(scene)
    idle = sqlite3.connect(sa.make_url(config.database_url).database or "")
    idle.execute("SELECT count(*) FROM unit").fetchall()
    result = carried(scene.app, target)
    idle.close()
    assert result.exit_code == 1
    assert "stop web and worker" in result.stderr
    assert contents(elsewhere).rows.get("unit") is None


def test_it_refuses_while_others_are_connected_to_a_postgresql_source(
    elsewhere: Flask, target: str, tmp_path: Path
) -> None:
    with psycopg.connect(target.replace("+psycopg", "")):
        result = carried(elsewhere, f"sqlite:///{tmp_path / 'new.sqlite3'}")
    assert result.exit_code == 1
    assert "connected to the instance's database" in result.stderr


def test_a_disk_that_is_full_half_way_leaves_nothing_behind(
    scene: Scene, elsewhere: Flask, target: str
) -> None:
    opened_and_lying(scene)
    _execute(
        target,
        "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION USING ERRCODE ="
        " '53100', MESSAGE = 'could not extend file: No space left on device'; END $$"
        " LANGUAGE plpgsql",
        "CREATE TRIGGER full_disk BEFORE INSERT ON log_head FOR EACH ROW EXECUTE FUNCTION"
        " full_disk()",
    )
    try:
        refused(scene.app, target, "No space left on device")
    finally:
        _execute(target, "DROP FUNCTION full_disk CASCADE")
    assert contents(elsewhere).rows == {}
    assert carried(scene.app, target).exit_code == 0


def test_a_row_that_arrives_otherwise_is_found_and_nothing_is_kept(
    scene: Scene, elsewhere: Flask, target: str
) -> None:
    opened_and_lying(scene)
    _execute(
        target,
        "CREATE FUNCTION bend() RETURNS trigger AS $$ BEGIN NEW.reopenings = 7; RETURN NEW; END $$"
        " LANGUAGE plpgsql",
        'CREATE TRIGGER bend BEFORE INSERT ON "case" FOR EACH ROW EXECUTE FUNCTION bend()',
    )
    try:
        refused(scene.app, target, "case didn't arrive as it was")
    finally:
        _execute(target, "DROP FUNCTION bend CASCADE")
    assert contents(elsewhere).rows == {}


def test_a_log_that_does_not_hold_is_not_carried(
    scene: Scene, elsewhere: Flask, target: str
) -> None:
    opened_and_lying(scene)
    with scene.app.app_context(), db.transaction() as session:
        session.execute(
            sa.update(LogLeaf).where(LogLeaf.position == 0).values(leaf=b"S1" + bytes(32))
        )
    refused(scene.app, target, "the log doesn't hold")
    assert contents(elsewhere).rows == {}
