"""A test client that looks at every page it gets: no page can be wrong unnoticed."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

import html5lib
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

NS = "{http://www.w3.org/1999/xhtml}"
CHINESE = re.compile(r"[\u3400-\u9fff]")
UNLABELLED = ("hidden", "submit", "button", "image", "reset")


@lru_cache(maxsize=32)  # the client parses what the test then parses again
def parse(html: str) -> Element:
    """The page's tree, to be read and never changed; raises on anything that HTML's grammar calls
    an error."""
    tree: Element = html5lib.HTMLParser(strict=True).parse(html)
    return tree


def elements(tree: Element, *names: str) -> list[Element]:
    """All elements of these names, in document order."""
    wanted = {NS + name for name in names}
    return [e for e in tree.iter() if isinstance(e.tag, str) and e.tag in wanted]


def text_of(element: Element) -> str:
    """An element's whole text."""
    return "".join(element.itertext())


def find(tree: Element, attribute: str, value: str | None = None) -> list[Element]:
    """All elements that have this attribute (with this value)."""
    return [
        e
        for e in tree.iter()
        if e.get(attribute) is not None and (value is None or e.get(attribute) == value)
    ]


def check_page(html: str, url: str) -> Element:
    """The rules that every page of ours keeps; its tree."""
    tree = parse(html)
    title = elements(tree, "title")
    assert title, f"{url}: no title"
    assert text_of(title[0]).strip(), f"{url}: empty title"
    assert tree.get("lang"), f"{url}: no language"
    doubles = [i for i, n in Counter(e.get("id") for e in find(tree, "id")).items() if n > 1]
    assert not doubles, f"{url}: ids used twice: {doubles}"
    _check_labels(tree, url)
    _check_policy(tree, url)
    if parse_qs(urlsplit(url).query).get("lang") == ["en"]:
        _check_english(tree, url)
    return tree


def _check_labels(tree: Element, url: str) -> None:
    labelled = {e.get("for") for e in elements(tree, "label")}
    wrapped = {id(field) for label in elements(tree, "label") for field in label.iter()}
    for field in elements(tree, "input", "textarea", "select"):
        if field.get("type") in UNLABELLED:
            continue
        named = field.get("id") in labelled or id(field) in wrapped or field.get("aria-label")
        assert named, f"{url}: field {field.get('name')!r} has no label"


def _check_policy(tree: Element, url: str) -> None:
    for e in tree.iter():
        if not isinstance(e.tag, str):
            continue
        inline = [name for name in list(e.attrib) if name == "style" or name.startswith("on")]
        assert not inline, f"{url}: inline {inline} on {e.tag}"
    assert not elements(tree, "style"), f"{url}: inline style"
    for script in elements(tree, "script"):
        assert script.get("src") or script.get("type") == "application/json", (
            f"{url}: inline script"
        )
    for e in elements(tree, "img", "script", "link"):
        address = e.get("src") or e.get("href") or ""
        assert not urlsplit(address).netloc, f"{url}: third party {address}"


def _check_english(tree: Element, url: str) -> None:
    def walk(e: Element, skip: bool) -> None:
        own = (e.get("lang") or "").startswith("zh") or e.get("data-user-text") is not None
        skip = skip or own or e.tag == NS + "textarea"
        if not skip and e.text and isinstance(e.tag, str):
            assert not CHINESE.search(e.text), f"{url}: not translated: {e.text.strip()!r}"
        for child in e:
            walk(child, skip)
            if not skip and child.tail:
                assert not CHINESE.search(child.tail), f"{url}: not translated: {child.tail!r}"

    walk(tree, False)


class InspectingClient(FlaskClient):
    """Flask's test client; every answer is inspected before the test sees it."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Ask, inspect, hand over."""
        response = super().open(*args, **kwargs)
        url = response.request.path + "?" + response.request.query_string.decode()
        if response.mimetype == "text/html":
            if (response.get_data(as_text=True) and response.status_code < 300) or (
                response.status_code >= 400
            ):
                check_page(response.get_data(as_text=True), url)
            headers = response.headers
            assert headers["Cache-Control"] == "no-store", url
            assert "default-src 'none'" in headers["Content-Security-Policy"], url
            assert headers["Referrer-Policy"] == "same-origin", url
            assert "ETag" not in headers, url
        if not response.request.path.startswith("/desk"):
            assert "Set-Cookie" not in response.headers, url
        return response
