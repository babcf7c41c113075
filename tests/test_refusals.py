"""Every refusal has a page: what happened, that nothing was lost, and where to go next."""

from __future__ import annotations

import dataclasses
from typing import NoReturn

import pytest
import sqlalchemy as sa
from flask import Flask, abort

from app import crypto, db, refusals, web
from app.buckets import Buckets
from app.clock import Clock
from app.submissions import service as submissions
from tests.factories import make_box
from tests.inspecting_client import elements, find, parse, text_of
from tests.submissions.conftest import Speaker, lying

LANGUAGES = ("", "?lang=zh-Hant", "?lang=en", "?view=large")
WORDS = "桥头的路灯坏了半个月。"


def refuse(status: int) -> NoReturn:
    """A view that refuses as asked."""
    abort(status)


@pytest.fixture
def speaker(app: Flask) -> Speaker:
    """Somebody before an open box."""
    clock: Clock = app.extensions["clock"]
    with app.app_context(), db.transaction() as session:
        make_box(session, "longtan", clock)
    return Speaker(app)


@pytest.fixture
def crowded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An instance whose limit is reached until `undo()`."""
    monkeypatch.setattr(Buckets, "take", lambda *_: False)
    monkeypatch.setitem(app.config, "YANLU", dataclasses.replace(app.config["YANLU"], limits=True))
    return monkeypatch


@pytest.fixture
def refusing(app: Flask) -> Flask:
    """An instance that refuses with any status at will, for the public and at the desk."""
    for place in ("", "/desk"):
        app.add_url_rule(
            f"{place}/refuse/<int:status>",
            endpoint=f"refuse{place}",
            view_func=refuse,
            methods=["GET", "POST"],
        )
    return app


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [*refusals.PAGES, 418])
def test_each_says_what_happened_and_where_to_go_in_every_language(
    refusing: Flask, status: int, method: str
) -> None:
    seen = set()
    for query in LANGUAGES:
        for place in ("", "/desk"):
            answer = refusing.test_client().open(f"{place}/refuse/{status}{query}", method=method)
            assert answer.status_code == status
            tree = parse(answer.get_data(as_text=True))
            (heading,) = elements(tree, "h1")
            (alert,) = find(tree, "role", "alert")
            assert text_of(alert).strip()
            (main,) = find(tree, "id", "main")
            targets = [a.get("href") or "" for a in elements(main, "a")]
            assert any(t.startswith("/desk" if place else "/") for t in targets)
            assert place or any(t.startswith("tel:") for t in targets)
            if not place:
                seen.add(text_of(heading) + text_of(alert))
    assert len(seen) == 3, "three languages, and the large view like the first"


def test_what_ends_by_itself_says_when_to_come_back(refusing: Flask) -> None:
    for status in refusals.PAGES:
        answer = refusing.test_client().get(f"/refuse/{status}")
        assert ("Retry-After" in answer.headers) == (status in refusals.PASSING)


def test_too_many_at_once_keep_the_words_and_one_button_sends_them_again(
    app: Flask, speaker: Speaker, crowded: pytest.MonkeyPatch
) -> None:
    page = speaker.send(speaker.get("/box/longtan").form("/box/longtan"), opinion=WORDS)
    assert page.status == 429
    assert lying(app) == 0
    assert len(page.html.encode()) % web.PAGE_STEP == 0
    again = page.form("/box/longtan")
    assert again.fields["opinion"].strip() == WORDS
    crowded.undo()
    assert speaker.send(again).marked("data-receipt-code")
    assert lying(app) == 1


@pytest.mark.parametrize(
    "fault",
    [sa.exc.OperationalError("INSERT", {}, Exception("gone")), sa.exc.TimeoutError("full")],
)
def test_while_the_database_is_away_the_words_are_kept(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch, fault: sa.exc.SQLAlchemyError
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")

    def away(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(submissions, "drop", away)
    page = speaker.send(form, opinion=WORDS)
    assert page.status == 503
    assert page.form("/box/longtan").fields["opinion"].strip() == WORDS


@pytest.mark.usefixtures("crowded")
def test_a_code_is_never_kept_for_another_try(speaker: Speaker) -> None:
    code = crypto.display_code(crypto.format_code(7))
    page = speaker.thread(code)
    assert page.status == 429
    assert code not in page.html
    assert code.replace("-", "") not in page.html


def test_words_sent_from_elsewhere_are_not_offered_to_be_sent_again(
    speaker: Speaker,
) -> None:
    form = speaker.get("/box/longtan").form("/box/longtan")
    speaker.headers = {"Origin": "http://elsewhere.example"}
    page = speaker.send(form, opinion=WORDS)
    assert page.status == 403
    assert WORDS not in page.html


def test_a_form_that_failed_leads_back_to_its_own_page(speaker: Speaker) -> None:
    speaker.headers = {"Origin": "http://elsewhere.example"}
    page = speaker.send(speaker.get("/receipt").form("/receipt"), code="1")
    (main,) = find(page.tree, "id", "main")
    assert "/receipt" in [a.get("href") for a in elements(main, "a")]
    reloaded = speaker.get("/receipt/reply")
    assert reloaded.status == 405
    (main,) = find(reloaded.tree, "id", "main")
    assert "/receipt" in [a.get("href") for a in elements(main, "a")]
