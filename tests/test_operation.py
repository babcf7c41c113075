"""What an operator is told: ready or not, one line for a fault, figures of the day's work."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from flask import Flask

from app import db, journal, metrics, worker
from app.clock import Clock
from app.notifications.models import OutboxRow
from app.staff import audit
from app.staff.audit import AuditRow
from config import Config, ConfigError
from tests.cases.test_desk import make_keeper
from tests.conftest import Hand

ROOT = Path(__file__).parent.parent


@pytest.fixture
def clock(app: Flask) -> Clock:
    made: Clock = app.extensions["clock"]
    return made


def ready(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.get_data(as_text=True).strip()


def set_revision(app: Flask, revision: str) -> None:
    with app.app_context(), db.transaction() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_an_old_schema_is_not_ready_and_a_newer_one_is(app: Flask) -> None:
    assert ready(app) == (200, "ok")
    newest = db._revisions()[0]
    set_revision(app, "0003")
    assert ready(app) == (503, "schema not up to date")
    set_revision(app, "9999")  # the others are being upgraded
    assert ready(app) == (200, "ok")
    set_revision(app, newest)


def test_a_full_or_locked_disk_is_not_ready(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        if db.engine().dialect.name != "sqlite":
            return
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=db.ROOM - 1))
    assert ready(app) == (503, "disk full")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert ready(app) == (503, "data folder can't be written to")
    assert app.test_client().get("/healthz").status_code == 200


def test_a_fault_is_one_line_of_json_where_that_was_asked_for(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    @app.post("/broken")
    def broken() -> str:
        raise RuntimeError("what somebody typed")

    journal.use("json")
    app.test_client().post("/broken", data={"opinion": "路灯"})
    journal.use("text")
    app.test_client().post("/broken", data={"opinion": "路灯"})
    first, second = capsys.readouterr().err.splitlines()
    told = json.loads(first)
    assert (told["event"], told["type"], told["endpoint"]) == ("fault", "RuntimeError", "broken")
    assert set(told) == {"event", "words", "type", "place", "endpoint"}
    assert told["words"] == second
    assert "路灯" not in first + second
    assert "typed" not in first + second


def figures(app: Flask, config: Config, clock: Clock) -> dict[str, int]:
    with app.app_context(), db.reading() as session:
        text = metrics.text(session, config, clock, clock.now(), 2)
    assert all(
        re.fullmatch(r"# TYPE \w+ \w+|\w+(\{\w+=\"\w+\"\})? -?\d+", n)
        for n in text.split("\n")[:-1]
    )
    return {n: int(v) for n, v in re.findall(r"^(yanlu_\S+) (-?\d+)$", text, re.M)}


def test_a_monitor_sees_what_was_not_done_in_its_hour(
    app: Flask, config: Config, clock: Clock, hand: Hand
) -> None:
    hand.now = dt.datetime(2026, 11, 23, 23, 30, tzinfo=dt.UTC)  # half past seven on Tuesday
    seen = figures(app, config, clock)
    assert seen["yanlu_opening_age_days"] == 1
    assert seen['yanlu_job_overdue{job="opening"}'] == 0
    assert seen['yanlu_job_overdue{job="count"}'] == 1
    assert seen["yanlu_backup_age_days"] == metrics.NEVER
    hand.forward(hours=2)
    seen = figures(app, config, clock)
    assert seen['yanlu_job_overdue{job="opening"}'] == seen['yanlu_job_overdue{job="log"}'] == 1
    with app.app_context():
        worker.run_due(config, clock)
    seen = figures(app, config, clock)
    assert not any(value for name, value in seen.items() if "job_overdue" in name)
    assert seen["yanlu_worker_failed_turns_total"] == 2
    assert seen["yanlu_worker_last_turn_timestamp_seconds"] == hand.now.timestamp()


def test_the_monitors_address_answers_one_question(app: Flask) -> None:
    server = metrics.listen(("127.0.0.1", 0), lambda: "yanlu_up 1\n")
    base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
            assert answer.read() == b"yanlu_up 1\n"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{base}/", timeout=10)
        refused.value.close()
        assert refused.value.code == 404
    finally:
        server.shutdown()
        server.server_close()
    assert not any("metrics" in rule.rule for rule in app.url_map.iter_rules())


@pytest.mark.parametrize(
    "address", ["0.0.0.0:9105", "203.0.114.7:9105", "[::]:1", "here:1", "127.0.0.1"]
)
def test_a_monitor_never_listens_where_the_public_is(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="METRICS_ADDRESS"):
        Config.from_environ({"DATA_DIR": str(tmp_path), "METRICS_ADDRESS": address})
    given = Config.from_environ({"DATA_DIR": str(tmp_path), "METRICS_ADDRESS": "[::1]:9105"})
    assert given.metrics_address == ("::1", 9105)


def test_what_has_lapsed_at_the_door_is_forgotten_each_day(
    app: Flask, config: Config, clock: Clock, hand: Hand
) -> None:
    make_keeper(app, config, "longtan")
    with app.app_context():
        with db.transaction() as session:
            audit.record(session, clock.now(), None, "sign_in_refused", detail="unknown")
            audit.record(session, clock.now(), "x", "accept")
        hand.forward(days=audit.KEPT_REFUSED.days + 1)
        worker.sweep(clock)
        with db.reading() as session:
            actions = set(session.scalars(sa.select(AuditRow.action)))
    assert "sign_in_refused" not in actions
    assert "accept" in actions


def test_a_worker_that_is_told_to_stop_begins_nothing_more(
    app: Flask, config: Config, clock: Clock, hand: Hand
) -> None:
    make_keeper(app, config, "longtan")
    hand.forward(days=1)
    with app.app_context():
        worker.run_due(config, clock, lambda: True)
        with db.reading() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(OutboxRow)) == 0
    seen = figures(app, config, clock)
    assert seen["yanlu_opening_age_days"] == 0  # what had begun was finished
    assert seen['yanlu_job_overdue{job="count"}'] == 1
