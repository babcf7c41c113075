"""While the application is away the proxy says so itself, kindly, in three languages."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.stack import Answer, Client, Stack
from tests.inspecting_client import elements, find, parse, text_of

PAGES = Path(__file__).parent.parent.parent / "deploy" / "pages"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The proxy as deployed, with nothing behind it."""
    if shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no nginx: tests/provision.py should have installed it")
        pytest.skip("SKIPPED LOUDLY: the proxy's own pages, since nginx is missing")
    stack = Stack(tmp_path_factory.mktemp("away") / "stack", "sqlite")
    try:
        stack.start_front()
        client = stack.client()
        for _ in range(600):
            with contextlib.suppress(OSError):
                client.get("/")
                break
            time.sleep(0.05)
        yield client
    finally:
        stack.stop()


def said(answer: Answer, name: str) -> None:
    assert answer.body == (PAGES / f"{name}.html").read_text("utf-8")
    headers = {key.lower(): value for key, value in answer.headers}
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert "max-age" in headers["strict-transport-security"]
    assert "set-cookie" not in headers


@pytest.mark.parametrize("address", ["/", "/box/demo", "/desk/queue", "/receipt?lang=en"])
def test_a_page_that_nobody_serves_is_told_as_away(front: Client, address: str) -> None:
    answer = front.get(address)
    assert answer.status == 503
    said(answer, "away")


@pytest.mark.parametrize("address", ["/box/demo", "/receipt", "/desk/sign-in"])
def test_a_form_that_nobody_takes_is_told_as_away_too(front: Client, address: str) -> None:
    answer = front.post(address, opinion="桥头的路灯坏了。" * 200)
    assert answer.status == 503
    said(answer, "away")


def test_a_body_over_the_limit_and_an_address_too_long_have_their_pages(front: Client) -> None:
    huge = front.send("/box/demo", b"x" * (13 * 1024 * 1024), "multipart/form-data; boundary=b")
    assert huge.status == 413
    said(huge, "too-large")
    long = front.get("/" + "a" * 9000)
    assert long.status == 414
    said(long, "broken")


def test_nobody_opens_these_pages_by_their_address(front: Client) -> None:
    assert front.get("/pages/away.html").status == 404


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.html")), ids=lambda path: path.stem)
def test_each_says_it_in_three_languages_and_needs_nothing_else(path: Path) -> None:
    tree = parse(path.read_text("utf-8"))
    assert text_of(elements(tree, "title")[0]).strip()
    assert [s.get("lang") for s in elements(tree, "section")] == ["zh-Hans", "zh-Hant", "en"]
    assert find(tree, "role", "alert")
    assert [a.get("href") for a in elements(tree, "a")] == ["/", "/?lang=zh-Hant", "/?lang=en"]
    assert not elements(tree, "link", "img", "script", "form")
