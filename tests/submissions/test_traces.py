"""Speakers leave no trace: not in a log, not in an error, not in a table."""

from __future__ import annotations

import gzip
import io

import pytest
import sqlalchemy as sa
from flask import Flask

from app import crypto, db
from app.cases import thread
from app.sealing import service as sealing
from app.submissions import service as submissions
from app.submissions.models import LyingItem
from tests.submissions.conftest import Speaker, open_now

WORDS = "只有我知道的一句话"
ADDRESS = "203.0.113.77"
AGENT = "Mozilla/5.0 (canary)"


@pytest.mark.parametrize("place", ["drop", "thread"])
def test_a_forced_500_leaves_no_body_code_address_or_agent(
    app: Flask,
    speaker: Speaker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    place: str,
) -> None:
    code = speaker.code(WORDS)
    speaker.headers = {"User-Agent": AGENT, "X-Forwarded-For": ADDRESS}
    form = speaker.get("/box/longtan").form("/box/longtan")

    def fail(*given: object, **_: object) -> None:
        raise RuntimeError(f"{WORDS} {code} {ADDRESS} {given}")

    monkeypatch.setattr(submissions, "drop", fail)
    monkeypatch.setattr(thread, "open_thread", fail)
    page = speaker.send(form, opinion=WORDS) if place == "drop" else speaker.thread(code)
    assert page.status == 500
    assert page.alert()
    seen = "".join(capfd.readouterr())
    assert "RuntimeError" in seen
    for secret in (WORDS, code, code.replace("-", ""), ADDRESS, AGENT):
        assert secret not in seen
        assert secret not in page.html


def test_a_database_error_names_no_parameter(app: Flask, speaker: Speaker) -> None:
    assert speaker.code()
    same = sa.insert(LyingItem).values(pool_id=b"p" * 32, wrapped=WORDS.encode())
    with app.app_context(), db.transaction() as session:
        session.execute(same)
        with pytest.raises(sa.exc.IntegrityError) as told, session.begin_nested():
            session.execute(same)
    assert WORDS not in str(told.value)
    assert repr(WORDS.encode()) not in str(told.value)


def test_the_words_and_the_code_are_nowhere_in_the_data_folder(
    app: Flask, speaker: Speaker
) -> None:
    code = speaker.code(WORDS)
    open_now(app)
    with app.app_context():
        db.truncate_journal()
    raw = {WORDS.encode(), WORDS.encode("utf-16-le"), code.encode(), code.replace("-", "").encode()}
    for path in app.config["YANLU"].data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret in content for secret in raw), path.name


def test_a_dump_with_the_instance_secret_opens_no_words_of_a_kept_box(
    app: Flask, speaker: Speaker
) -> None:
    assert speaker.code(WORDS)
    with app.app_context(), db.reading() as session:
        key = sealing.opening_key(session)
        secret = app.config["YANLU"].secrets.instance_secret
        private_key = sealing.opening_private_key(key, secret)
        for wrapped in session.scalars(sa.select(LyingItem.wrapped)):
            assert WORDS.encode() not in crypto.unseal(private_key, wrapped)


def test_reading_never_writes(app: Flask, speaker: Speaker) -> None:
    assert speaker.code()
    with app.app_context(), db.reading() as session, pytest.raises(sa.exc.DBAPIError):
        session.execute(sa.delete(LyingItem))


def test_compressed_pages_bear_no_time(speaker: Speaker, app: Flask) -> None:
    answer = app.test_client().get("/static/style.css", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    raw = answer.get_data()
    answer.close()
    assert raw[4:8] == b"\0\0\0\0"
    assert b":root" in gzip.GzipFile(fileobj=io.BytesIO(raw)).read()


def test_a_signed_in_member_of_staff_sends_no_desk_cookie_to_a_box(speaker: Speaker) -> None:
    # The cookie's path is /desk, so no browser sends it; and no public page asks for one.
    speaker.headers = {"Cookie": "desk=abc; desk-device=def"}
    page = speaker.drop(WORDS)
    assert page.status == 200
    assert "Set-Cookie" not in page.headers
