"""Each earlier schema, with rows in it, is brought to the newest: nothing is lost, and it works."""

from __future__ import annotations

import dataclasses
import json
from zoneinfo import ZoneInfo

import pyotp
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask

from app import cli, create_app, db, worker
from app.clock import Clock
from app.demo.county import make_county
from app.transparency import log
from config import DEMO_ACCOUNTS, Config
from tests.ages import Ages, Rows, fill_what_is_empty, rows_of
from tests.conftest import MONDAY, Hand, _execute, cheap_argon2
from tests.submissions.conftest import Speaker

REVISIONS = [
    script.revision for script in ScriptDirectory.from_config(db.alembic_config()).walk_revisions()
]
# The others go the same way in `make test-all`.
QUICK = {REVISIONS[-1], REVISIONS[1]}
PUBLIC = ("/", "/units", "/units/demo", "/box/demo", "/answers", "/bulletins", "/results",
          "/figures", "/log", "/log/checkpoint", "/receipt", "/slip", "/readyz")  # fmt: skip
DESK = ("/desk/queue", "/desk/rounds", "/desk/bulletins", "/desk/appraisals", "/desk/staff")
LOG_BEGAN = "0007"


def opened(app: Flask, url: str, config: Config) -> Flask:
    """The application on another database."""
    made = create_app(dataclasses.replace(config, database_url=url), app.extensions["clock"])
    made.test_client_class = app.test_client_class
    return made


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ages(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ages, Config]:
    """The demo county at the newest schema, every table filled, then taken back step by step."""
    kind: str = request.param
    server = request.getfixturevalue("postgresql") if kind == "postgresql" else ""
    folder = tmp_path_factory.mktemp("ages")
    made = Ages(folder, kind, server, _execute)
    if server:
        _execute(server, "CREATE DATABASE ages")
    environ = {"DATA_DIR": str(folder), "DATABASE_URL": made.url, "LIMITS": "off"}
    with pytest.MonkeyPatch.context() as patch:
        cheap_argon2(patch)
        config = Config.from_environ(environ)
        app = create_app(config, Clock(ZoneInfo("Asia/Shanghai"), lambda: MONDAY))
        populate(app, config, made)
        for revision in REVISIONS:
            with app.app_context():
                db.downgrade(revision)
            made.keep(app, revision)
    return made, config


def populate(app: Flask, config: Config, ages: Ages) -> None:
    """A county, an opinion that was opened, one that lies in the box, a row for every table."""
    clock: Clock = app.extensions["clock"]
    speaker = Speaker(app)
    with app.app_context():
        cli.prepare()
        assert make_county(config, clock, small=True)
        ages.codes["opened"] = said(speaker, "开过箱的话。")
        worker.run_opening(config, clock, now=True)
        worker.run_log(config, clock)
        ages.codes["lying"] = said(speaker, "还在箱子里的话。")
        with db.transaction() as session:
            log.append(session, [b"X1 a leaf of tomorrow"])
            assert fill_what_is_empty(session.connection(), clock.today())
        ages.accounts = json.loads((config.data_dir / DEMO_ACCOUNTS).read_text("utf-8"))


def said(speaker: Speaker, text: str) -> str:
    """An opinion dropped into the demo box; its code."""
    form = speaker.get("/box/demo").form("/box/demo")
    (code,) = speaker.send(form, opinion=text).marked("data-receipt-code")
    return code


def columns(rows: Rows) -> dict[str, list[str]]:
    """Which columns were read."""
    return {table: list(names) for table, found in rows.items() for names in found}


@pytest.mark.parametrize(
    "revision",
    [r if r in QUICK else pytest.param(r, marks=pytest.mark.long) for r in reversed(REVISIONS)],
)
def test_an_instance_of_an_earlier_version_keeps_everything_and_goes_on(
    ages: tuple[Ages, Config], revision: str
) -> None:
    kept, config = ages
    hand = Hand()
    clock = Clock(ZoneInfo("Asia/Shanghai"), lambda: hand.now)
    url = kept.taken(revision)
    app = create_app(dataclasses.replace(config, database_url=url), clock)
    with app.app_context():
        with db.engine().connect() as connection:
            before = rows_of(connection)
        db.upgrade()
        with db.engine().connect() as connection:
            assert (
                compare_metadata(
                    MigrationContext.configure(connection, opts={"compare_type": True}),
                    db.Base.metadata,
                )
                == []
            )
            after = rows_of(connection, columns(before))
        assert {table for table in before if table not in after} == set()
        for table, found in before.items():
            assert kept_in(found, after[table]), table
        cli.prepare()
    pages_answer(app, kept)
    hand.forward(days=1)
    with app.app_context():
        worker.run_opening(config, clock, now=True)
        worker.run_log(config, clock)
    thread = Speaker(app).thread(kept.codes["lying"])
    assert thread.value_of("data-state") == "waiting"
    assert thread.marked("data-message", "speaker") == ["还在箱子里的话。"]
    if revision >= LOG_BEGAN:
        verified = app.test_cli_runner().invoke(args=["verify-log"])
        assert verified.exit_code == 0, verified.output
    with app.app_context():
        db.downgrade(revision)
        db.upgrade()
    db.close(app)


def kept_in(
    before: dict[tuple[str, ...], list[tuple[object, ...]]],
    after: dict[tuple[str, ...], list[tuple[object, ...]]],
) -> bool:
    """Every row that was there, as it was, in the columns that are still there."""
    ((names, rows),) = before.items()
    ((still, found),) = after.items()
    places = [names.index(name) for name in still]
    wanted = sorted((tuple(row[place] for place in places) for row in rows), key=repr)
    return wanted == found


def pages_answer(app: Flask, kept: Ages) -> None:
    """What the public sees, a thread with its words, a desk that opens a case."""
    speaker = Speaker(app)
    client = app.test_client()
    for address in PUBLIC:
        assert client.get(address).status_code == 200, address
    page = speaker.thread(kept.codes["opened"])
    assert page.marked("data-message", "speaker") == ["开过箱的话。"]
    page = speaker.thread(kept.codes["lying"])
    assert page.value_of("data-state") == "lying"
    said(speaker, "升级以后的话。")
    account = next(a for a in kept.accounts if a["unit"] == "demo")
    token = speaker.get("/desk/sign-in").form("/desk/sign-in").fields
    client.post("/desk/sign-in", data={**token, "username": account["username"],
                                       "password": account["password"]})  # fmt: skip
    page = speaker._page(client.get("/desk/second-factor"))
    totp = pyotp.TOTP(account["totp_secret"]).at(MONDAY)
    fields = page.form("/desk/second-factor").fields
    assert client.post("/desk/second-factor", data={**fields, "totp": totp}).status_code == 303
    for address in DESK:
        assert client.get(address).status_code == 200, address
    queue = speaker._page(client.get("/desk/queue"))
    case_id = queue.value_of("data-case")
    case = speaker._page(client.get(f"/desk/cases/{case_id}"))
    assert case.marked("data-opinion")
