"""The database away, busy, or in other hands: a page says so, nothing is stored by halves."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from app import db, engines
from app.organisation.models import Unit
from app.sealing.models import OpeningKey
from app.submissions import pool
from tests.submissions.conftest import Speaker, box, lying, speaker

__all__ = ["box", "speaker"]

ROOT = Path(__file__).parent.parent


def on_postgresql(app: Flask) -> bool:
    return bool(app.extensions["engine"].dialect.name == "postgresql")


def cut(session: Session) -> None:
    """What a killed server or a failover does to whoever is in the middle of something."""
    own = session.scalar(sa.text("SELECT pg_backend_pid()"))
    _execute(session.get_bind().engine.url, f"SELECT pg_terminate_backend({own})")


def _execute(url: sa.URL, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as other:
        other.exec_driver_sql(statement)
    engine.dispose()


def after(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, then: Callable[[Session], None]
) -> None:
    """Let something happen right after a service did its work, inside its transaction."""
    real = getattr(module, name)

    def with_more(session: Session, *given: Any, **more: Any) -> Any:
        done = real(session, *given, **more)
        then(session)
        return done

    monkeypatch.setattr(module, name, with_more)


def test_a_connection_lost_in_the_middle_of_a_drop_stores_nothing_and_the_next_drop_works(
    app: Flask,
    speaker: Speaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not on_postgresql(app):
        return
    form = speaker.get("/box/longtan").form("/box/longtan")
    with monkeypatch.context() as patch:
        after(patch, pool, "put", cut)
        page = speaker.send(form, opinion="路灯坏了。")
    assert page.status == 503
    assert "路灯" not in capsys.readouterr().err
    assert lying(app) == 0
    assert speaker.send(form, opinion="路灯坏了。").marked("data-receipt-code")
    assert lying(app) == 1


def test_connections_lost_while_nobody_used_them_are_noticed_before_they_are(
    app: Flask, speaker: Speaker
) -> None:
    if not on_postgresql(app):
        return
    assert speaker.get("/").status == 200
    with app.app_context(), db.reading() as session:
        cut(session)
        with pytest.raises(sa.exc.OperationalError):
            session.execute(sa.text("SELECT 1"))
    assert speaker.get("/").status == 200
    assert app.test_client().get("/readyz").status_code == 200


def test_a_server_that_went_and_came_back_costs_an_idle_connection_and_no_visitor(
    app: Flask, speaker: Speaker
) -> None:
    if not on_postgresql(app):
        return
    engine = app.extensions["engine"]
    kept = [engine.connect() for _ in range(3)]
    for connection in kept:
        connection.close()
    with app.app_context(), db.reading() as session:
        own = session.scalar(sa.text("SELECT pg_backend_pid()"))
    _execute(
        engine.url,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = current_database() AND pid NOT IN ({own}, pg_backend_pid())",
    )
    runs = []
    sa.event.listen(engine, "handle_error", lambda _: runs.append("failed"))
    for _ in range(3):
        assert speaker.get("/").status == 200
    assert not runs


def test_neither_a_page_nor_a_command_that_reads_can_write_anything(app: Flask) -> None:
    change = sa.update(Unit).values(name="")
    for context in (app.test_request_context("/"), app.app_context()):
        with context, db.reading() as session, pytest.raises(sa.exc.DBAPIError):
            session.execute(change)
        with context, db.reading_past_the_orm() as reading, pytest.raises(sa.exc.DBAPIError):
            reading.execute(change)
    with app.test_request_context("/"), db.transaction() as session:
        session.execute(change)  # and the same connection may write when it is asked to


def test_a_leader_that_became_a_standby_is_left_at_once(app: Flask, speaker: Speaker) -> None:
    if not on_postgresql(app):
        return

    @app.post("/demoted")
    def demoted() -> str:
        with db.transaction() as session:
            session.execute(sa.text("SET TRANSACTION READ ONLY"))
            session.execute(sa.delete(Unit))
        return ""

    def backends() -> set[int]:
        held = [app.extensions["engine"].connect() for _ in range(3)]
        found = {one.scalar(sa.text("SELECT pg_backend_pid()")) for one in held}
        for one in held:
            one.close()
        return found

    before = backends()
    assert backends() == before
    assert speaker.post("/demoted", b"").status == 503
    assert not backends() & before
    assert speaker.drop().marked("data-receipt-code")


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_the_victim_of_a_deadlock_runs_once_more_and_drops_once(
    app: Flask, speaker: Speaker, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    failures = iter([True, False])

    def deadlock(_session: Session) -> None:
        if next(failures):
            raise sa.exc.OperationalError("", {}, psycopg.errors.lookup(state)())

    after(monkeypatch, pool, "put", deadlock)
    assert speaker.drop().marked("data-receipt-code")
    assert lying(app) == 1


def test_a_deadlock_in_the_last_step_before_the_commit_runs_once_more(app: Flask) -> None:
    runs: list[str] = []

    def deadlock(*_: object) -> None:
        if len(runs) == 1:
            raise sa.exc.OperationalError("", {}, psycopg.errors.DeadlockDetected())

    @app.post("/written-last")
    def written_last() -> str:
        with db.transaction() as session:
            sa.event.listen(session, "before_flush", deadlock)
            session.scalars(sa.select(OpeningKey)).one().made_on += dt.timedelta(days=1)
            runs.append("run")
        return ""

    assert app.test_client().post("/written-last").status_code == 200
    assert len(runs) == 2


def test_what_was_committed_in_part_is_never_run_again(app: Flask, speaker: Speaker) -> None:
    runs = []

    @app.post("/two-steps")
    def two_steps() -> str:
        with db.transaction() as session:
            runs.append(session.scalar(sa.select(OpeningKey.id)))
        raise sa.exc.OperationalError("", {}, psycopg.errors.DeadlockDetected())

    assert speaker.post("/two-steps", b"").status == 503
    assert len(runs) == 1


def test_no_free_connection_is_a_busy_page_and_not_a_fault(
    app: Flask, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["engine"].pool, "_timeout", 0.05)
    held = [app.extensions["engine"].connect() for _ in range(engines.POOL + engines.OVERFLOW)]
    assert speaker.get("/").status == 503
    assert app.test_client().get("/readyz").status_code == 503
    for connection in held:
        connection.close()
    assert speaker.get("/").status == 200


def test_a_fault_of_ours_is_no_busy_database(app: Flask, speaker: Speaker) -> None:
    @app.get("/faulty")
    def faulty() -> str:
        with db.reading() as session:
            session.execute(sa.text("SELECT 1 FROM unit WHERE nothing_like_it = 1 / 0"))
        return ""

    if on_postgresql(app):
        app.config["PROPAGATE_EXCEPTIONS"] = False
        assert speaker.get("/faulty").status == 500


def test_what_is_read_ends_and_what_is_written_may_wait_for_its_standby(app: Flask) -> None:
    if not on_postgresql(app):
        return

    def limits(session: Session) -> tuple[str, str, str]:
        shown = [
            session.scalar(sa.text(f"SHOW {name}_timeout"))
            for name in ("statement", "lock", "idle_in_transaction_session")
        ]
        return shown[0], shown[1], shown[2]

    with app.test_request_context("/"), db.reading() as session:
        assert limits(session) == ("1min", "1min", "5min")
    with app.test_request_context("/"), db.transaction() as session:
        assert limits(session) == ("0", "1min", "5min")
    with app.app_context(), db.reading() as session:  # a backup reads as long as it takes
        assert limits(session)[0] == "0"


def test_of_several_hosts_the_one_that_takes_writes_is_used(app: Flask, tmp_path: Path) -> None:
    url = app.extensions["engine"].url
    if url.get_backend_name() != "postgresql":
        return
    several = url.update_query_dict(
        {
            "host": f"{tmp_path},{url.query['host']}",
            "port": f"5432,{url.query.get('port', 5432)}",
            "target_session_attrs": "read-write",
        }
    )
    engine = engines.make_engine(several.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()


@pytest.mark.schema
def test_a_migration_lets_others_pass_and_comes_back(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not on_postgresql(app):
        return
    monkeypatch.setattr(db, "MIGRATION_LOCK", "100ms")
    reads = threading.Event()

    def read() -> None:
        with app.app_context(), db.reading() as session:
            session.execute(sa.text("SELECT 1 FROM daily_run"))
            reads.set()
            time.sleep(0.6)

    reader = threading.Thread(target=read)
    reader.start()
    reads.wait(10)
    with app.app_context():
        db.downgrade("0014")
        db.upgrade()
        assert "daily_run" in sa.inspect(db.engine()).get_table_names()
    reader.join()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_processes_that_start_at_once_one_sets_up_and_the_others_wait(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = f"sqlite:///{tmp_path / 'yanlu.sqlite3'}"
    if kind == "postgresql":
        server: str = request.getfixturevalue("postgresql")
        admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE at_once")
        url = server.replace("/postgres?", "/at_once?")
    environ = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": url}
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "init"],
            cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    told = [process.communicate(timeout=120)[0] for process in begun]
    assert [process.returncode for process in begun] == [0, 0, 0], told
    engine = engines.make_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(OpeningKey)) == 1
    engine.dispose()
    if kind == "postgresql":
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE at_once")
        admin.dispose()


def test_on_a_full_disk_what_was_acknowledged_is_there_and_nothing_else(
    app: Flask, speaker: Speaker
) -> None:
    engine = app.extensions["writing_engine"]
    if on_postgresql(app):  # its full disk is in tests/crash: it takes a real one
        return
    with engine.connect() as connection:
        pages: int = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    limit = {"pages": pages + 60}

    def bound(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit['pages']}")

    sa.event.listen(engine, "connect", bound)
    engine.dispose()
    codes: list[str] = []
    form = speaker.get("/box/longtan").form("/box/longtan")
    page = speaker.send(form, opinion="第0件。")
    while page.status == 200 and len(codes) < 60:
        codes += page.marked("data-receipt-code")
        form = speaker.get("/box/longtan").form("/box/longtan")
        page = speaker.send(form, opinion=f"第{len(codes)}件。")
    assert page.status == 503
    assert codes
    assert lying(app) == len(codes)
    assert speaker.get("/").status == 200
    limit["pages"] += 10_000
    engine.dispose()
    assert speaker.send(form, opinion=f"第{len(codes)}件。").marked("data-receipt-code")
    for number, code in enumerate(codes):
        assert speaker.thread(code).marked("data-message", "speaker") == [f"第{number}件。"]
