"""The pitfalls of systems that do this job: those with no test in a room of their own.

docs/threat-model.md lists for each pitfall the test that holds it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from flask import Flask
from openpyxl import Workbook, load_workbook
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cli, crypto, db, metrics, qr
from app.cases import opening
from app.cases.models import Case
from app.cases.queue import queue
from app.clock import Clock
from app.organisation import exporting
from app.sealing.models import SealedItem
from app.staff import keepers
from app.staff.models import Role, Staff, StaffSession
from app.submissions.models import LyingItem
from app.text import rich_text
from config import Config
from tests.cases.test_desk import make_keeper
from tests.conftest import Hand
from tests.factories import BoxInHand, drop, make_box
from tests.submissions.conftest import Speaker, lying, open_now

ADDRESS = "203.0.113.77"
# Caches that hold what belongs to the county, never to a speaker.
CACHES = {
    "app.crypto._signing_key",
    "app.clock._published",
    "app.clock._warn_unknown_year",
    "app.db._revisions",
    "app.i18n._translations",
}


@pytest.fixture
def clock(app: Flask) -> Clock:
    made: Clock = app.extensions["clock"]
    return made


@pytest.fixture
def box(app: Flask, clock: Clock) -> BoxInHand:
    with app.app_context(), db.transaction() as session:
        return make_box(session, "longtan", clock)


@pytest.fixture
def speaker(app: Flask, box: BoxInHand) -> Speaker:
    assert box.keys
    return Speaker(app)


def rows_of(app: Flask, *without: str) -> dict[str, list[str]]:
    """Every row of every table, as a dump has them."""
    with app.app_context(), db.reading() as session:
        return {
            table.name: sorted(repr(row) for row in session.execute(sa.select(table)))
            for table in db.Base.metadata.sorted_tables
            if table.name not in without
        }


def held(value: object, depth: int = 4) -> Iterator[str]:
    """The texts inside a container."""
    if isinstance(value, str | bytes):
        yield value if isinstance(value, str) else value.decode("latin-1")
    elif depth and isinstance(value, dict):
        for pair in value.items():
            yield from held(list(pair), depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from held(item, depth - 1)


def test_after_a_request_no_module_cache_holds_a_code_or_an_address(
    app: Flask, speaker: Speaker
) -> None:
    code = speaker.code()
    speaker.thread(code)
    secrets = (code, code.replace("-", ""), "127.0.0.1", "意见投给")
    for name, module in list(sys.modules.items()):
        if name != "app" and not name.startswith("app."):
            continue
        for label, value in list(vars(module).items()):
            if isinstance(value, functools._lru_cache_wrapper):
                # What a library caches is for the attack on the memory of the process.
                place = f"{value.__module__}.{value.__name__}"
                ours = place.startswith("app.")
                assert not ours or place in CACHES or not value.cache_info().currsize, place
            if isinstance(value, dict | list | set) and not label.startswith("__"):
                assert not any(s in text for text in held(value) for s in secrets), label


def test_a_message_that_contains_a_code_is_refused_kindly(app: Flask, speaker: Speaker) -> None:
    code = speaker.code()
    open_now(app)
    form = speaker.thread(code).form("/receipt/reply")
    page = speaker.send(form, message=f"我的回执是 {code}")
    assert page.status == 422
    assert page.alert()
    assert lying(app) <= 1  # the waiting group of the opening, no message


def test_the_receipt_page_asks_whether_it_was_saved_and_offers_file_print_and_qr(
    speaker: Speaker,
) -> None:
    page = speaker.drop()
    assert page.has_form("/receipt/file")
    (promise,) = page.marked("data-promise")
    assert qr.picture(promise, "承诺的二维码") in page.html  # the promise alone: scanners tell
    assert page.form("/receipt/file").fields["ticket"]
    style = (Path(__file__).parent.parent / "static/style.css").read_text("utf-8")
    assert "@media print" in style


def test_a_speakers_pages_show_no_running_number(app: Flask, speaker: Speaker) -> None:
    def shape(html: str) -> str:
        html = re.sub(r'value="[^"]{40,}"|<svg.*?</svg>|<!--.*?-->', "", html, flags=re.S)
        return re.sub(r"\d{4}-\d{4}-\d{4}-\d{4}-\d{4}-\d{2}|[0-9a-f]{64,}", "", html)

    pages = [speaker.drop() for _ in range(6)]
    assert shape(pages[0].html) == shape(pages[-1].html)
    open_now(app)
    codes = [page.marked("data-receipt-code")[0] for page in pages]
    threads = {shape(speaker.thread(code).html) for code in codes}
    assert len(threads) == 1


def test_nothing_moves_as_a_function_of_one_unopened_drop(
    app: Flask, config: Config, speaker: Speaker, clock: Clock
) -> None:
    """Every page and file there is, for the public and for somebody who holds every office."""
    keeper = make_keeper(app, config, "shiqiao")
    with app.app_context(), db.transaction() as session:
        staff = session.scalars(sa.select(Staff)).one()
        for role in (Role.OFFICE, Role.OPERATOR, Role.SUPERVISOR):
            keepers.assign(session, staff, role, None)
    addresses = {
        rule.rule: keeper.client if rule.rule.startswith("/desk") else app.test_client()
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or set()) and not rule.arguments
    }
    del addresses["/desk/account/second-factor"]  # a fresh secret at each look
    addresses |= {f"{part}/longtan": app.test_client() for part in ("/units", "/box")}
    addresses["/desk/units/longtan"] = keeper.client
    tickets = re.compile(r'value="[^"]{40,}"|<!--.*?-->', re.S)

    def measured() -> str:
        with app.app_context(), db.reading() as session:
            return metrics.text(session, config, clock, clock.now(), 0)

    def seen() -> dict[str, tuple[int, str]]:
        answers = {address: client.get(address) for address, client in addresses.items()}
        return {
            address: (answer.status_code, tickets.sub("", answer.data.decode("latin-1")))
            for address, answer in answers.items()
        }

    before, rows, told = seen(), rows_of(app, "lying_item"), measured()
    wrong = [a for a, (status, _) in before.items() if status not in (200, 303, 403, 404, 422)]
    assert wrong == []
    assert sum(status == 200 for status, _ in before.values()) > 20
    assert speaker.code()
    assert lying(app) == 1
    after = seen()
    assert [address for address in before if after[address] != before[address]] == []
    assert rows_of(app, "lying_item") == rows
    assert measured() == told


def test_no_spreadsheet_bears_the_instant_of_its_making() -> None:
    book = Workbook()
    book.active.append(["一", 2])
    first = exporting.saved(book)
    with ZipFile(BytesIO(first)) as made:
        assert {info.date_time for info in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        years = re.findall(rb"20\d\d-", b"".join(map(made.read, made.namelist())))
        assert set(years) == {b"2000-"}
    assert load_workbook(BytesIO(first)).active["A1"].value == "一"


def test_reading_a_thread_is_never_recorded(app: Flask, speaker: Speaker) -> None:
    code = speaker.code()
    for _ in range(2):
        before = rows_of(app)
        assert speaker.thread(code).status == 200
        assert speaker.thread(crypto.format_code(7)).status == 200
        assert rows_of(app) == before
        open_now(app)


def test_no_keyed_hash_of_an_address_is_persisted(
    app: Flask, speaker: Speaker, config: Config
) -> None:
    app.config["YANLU"] = dataclasses.replace(config, limits=True)
    before = rows_of(app)
    for _ in range(5):
        speaker.post("/receipt", b"code=1")
    buckets = app.extensions["buckets"]
    assert buckets._buckets
    assert rows_of(app) == before
    kept = [*buckets._buckets, buckets._salt]
    for path in config.data_dir.rglob("*"):
        if path.is_file():
            assert not any(key in path.read_bytes() for key in kept), path.name


def test_a_new_hour_forgets_every_bucket_and_its_salt(app: Flask, hand: Hand) -> None:
    buckets = app.extensions["buckets"]
    assert buckets.take("drop", ADDRESS)
    salt, keys = buckets._salt, set(buckets._buckets)
    hand.forward(hours=1)
    assert buckets.take("drop", ADDRESS)
    assert buckets._salt != salt
    assert not keys & set(buckets._buckets)


def test_withdrawn_text_is_gone_from_the_database_file_and_its_journal(
    app: Flask, speaker: Speaker, config: Config
) -> None:
    if not config.database_url.startswith("sqlite"):
        pytest.skip("PostgreSQL overwrites at its vacuum: docs/threat-model.md")
    code = speaker.code("撤回以后哪里也没有")
    open_now(app)
    with app.app_context(), db.reading() as session:
        pieces = [bytes(c)[100:164] for c in session.scalars(sa.select(SealedItem.ciphertext))]
    form = speaker.thread(code).form("/receipt/withdraw")
    assert speaker.send(form, confirm="yes").status == 200
    assert pieces
    for path in config.data_dir.rglob("*"):
        if path.is_file():
            assert not any(piece in path.read_bytes() for piece in pieces), path.name


def test_a_signed_in_member_of_staff_who_drops_an_opinion_leaves_no_link(
    app: Flask, config: Config, speaker: Speaker
) -> None:
    keeper = make_keeper(app, config, "shiqiao")
    before = rows_of(app, "lying_item")
    with app.app_context(), db.reading() as session:
        marks = {s.staff_id for s in session.scalars(sa.select(StaffSession))}
    form = speaker.get("/box/longtan").form("/box/longtan")
    answer = keeper.client.post("/box/longtan", data={**form.fields, "opinion": "我是这里的人"})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert rows_of(app, "lying_item") == before
    open_now(app)
    after = rows_of(app)
    for table in ("case", "case_event", "thread_item", "sealed_item", "lying_item"):
        assert not any(mark in row for row in after[table] for mark in marks)


def test_one_receipt_never_acts_on_anothers_thread(app: Flask, speaker: Speaker) -> None:
    mine, theirs = speaker.code("我的"), speaker.code("别人的")
    open_now(app)
    form = speaker.thread(mine).form("/receipt/withdraw")
    page = speaker.send(form, confirm="yes", code=theirs, case_id="x", place="thread")
    assert page.status == 200
    assert speaker.thread(theirs).value_of("data-state") == "waiting"
    assert speaker.thread(mine).value_of("data-state") == "withdrawn"


def test_ten_junk_drops_behind_the_proxy_do_not_stop_the_next_honest_one(
    app: Flask, speaker: Speaker, config: Config, hand: Hand
) -> None:
    app.config["YANLU"] = dataclasses.replace(config, limits=True)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]
    for n in range(11):
        # The last ones come from where the junk came from: a village shares an address.
        speaker.headers = {"X-Forwarded-For": f"198.51.100.{n}, {ADDRESS}"}
        form = speaker.get("/box/longtan").form("/box/longtan")
        hand.forward(seconds=4)
        assert speaker.send(form, opinion=f"意见{n}").status == 200
    assert lying(app) == 11
    assert len(app.extensions["buckets"]._buckets) == 1  # what a client claims counts for nothing


def test_a_claimed_address_counts_only_from_the_configured_proxy(
    app: Flask, speaker: Speaker, config: Config
) -> None:
    app.config["YANLU"] = dataclasses.replace(config, limits=True)
    for n in range(3):
        speaker.headers = {"X-Forwarded-For": f"198.51.100.{n}"}
        speaker.post("/receipt", b"code=1")
    assert len(app.extensions["buckets"]._buckets) == 1


def test_over_the_soft_cap_drops_stand_last_among_the_same_day_and_none_is_refused(
    app: Flask, config: Config, clock: Clock, box: BoxInHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SOFT_CAP", 2)
    with app.app_context():
        with db.transaction() as session:
            quiet = make_box(session, "shiqiao", clock)
            for n in range(6):
                drop(session, config, clock, box, f"刷屏{n}")
            drop(session, config, clock, quiet, "安静的一件")
        cli.run_opening(now=True)
        with db.reading() as session:
            cases = list(session.scalars(sa.select(Case).order_by(Case.clock_on, Case.id)))
            desk = dataclasses.replace(box.desk(), box_ids=frozenset({box.box_id, quiet.box_id}))
            shown = [row.id for row in queue(session, desk, clock.today()).rows]
    assert len(cases) == 7
    assert len({case.clock_on for case in cases}) == 1  # none is late
    assert shown == [case.id for case in cases]
    flooded = [case.id for case in cases if case.box_id == box.box_id]
    assert sum(not case_id.startswith("f") for case_id in flooded) <= 2
    assert all(case_id.startswith("f") for case_id in flooded[2:])


def test_a_failed_encryption_stores_no_plain_text(
    app: Flask, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")

    def fail(*_: object) -> bytes:
        raise RuntimeError

    monkeypatch.setattr(crypto, "seal_to", fail)
    assert speaker.send(form, opinion="只有我知道").status == 500
    assert lying(app) == 0


@pytest.mark.parametrize(
    "typed",
    ["<script>1</script>", "[a](javascript:alert(1))", "<img src=x onerror=1>", "![x](http://a/b)"],
)
def test_the_desks_rich_text_passes_the_sieve(typed: str) -> None:
    html = str(rich_text(typed)).lower()
    assert not re.search(r"<(?!/?(?:p|br|strong|em|ul|li|a)\b)", html)
    assert 'href="javascript' not in html


def test_public_ids_are_not_sequential(app: Flask, speaker: Speaker) -> None:
    for n in range(4):
        speaker.code(f"意见{n}")
    open_now(app)
    with app.app_context(), db.reading() as session:
        ids = sorted(int(case.id, 16) for case in session.scalars(sa.select(Case)))
        assert all(b - a > 2**64 for a, b in pairwise(ids))
        assert all(len(p) == 32 for p in session.scalars(sa.select(LyingItem.pool_id)))


def test_the_check_names_what_would_keep_too_much(app: Flask, config: Config) -> None:
    run = app.test_cli_runner()
    config.data_dir.chmod(0o755)
    told = run.invoke(args=["check"])
    assert told.exit_code == 1
    assert "can be read by other users" in told.output
    if config.database_url.startswith("postgresql"):
        assert "log_min_error_statement" in told.output  # a server as it comes
    else:
        config.data_dir.chmod(0o700)
        (config.data_dir / "yanlu.sqlite3").chmod(0o600)
        assert run.invoke(args=["check"]).exit_code == 0


def test_the_settings_for_postgresql_are_those_that_the_check_asks_for() -> None:
    text = (Path(__file__).parent.parent / "deploy/postgresql.conf").read_text("utf-8")
    given = dict(re.findall(r"^(\w+) = (\S+)$", text, re.M))
    assert db.QUIET_POSTGRESQL.items() <= given.items()


def test_the_web_processes_cannot_leave_the_machine_and_neither_unit_dumps_its_memory() -> None:
    web, worker = (
        (Path(__file__).parent.parent / f"deploy/yanlu-{name}.service").read_text("utf-8")
        for name in ("web", "worker")
    )
    assert "\nIPAddressDeny=any\nIPAddressAllow=localhost\n" in web
    assert "IPAddressDeny" not in worker  # mail and robots go out by it
    assert all("\nLimitCORE=0\n" in unit for unit in (web, worker))
