"""A person with the plainest browser: addresses, forms, hidden fields, and no script."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit
from xml.etree.ElementTree import Element

from tests.inspecting_client import check_page, elements, find, text_of


@dataclass
class Form:
    """A form of a page: where it goes and what it would send untouched."""

    action: str
    fields: dict[str, str]


@dataclass
class Page:
    """An answer as a person has it before them."""

    url: str
    status: int
    headers: dict[str, str]
    html: str
    tree: Element

    def marked(self, attribute: str, value: str | None = None) -> list[str]:
        """The exact texts of the elements with this `data-` hook."""
        return [text_of(e) for e in find(self.tree, attribute, value)]

    def value_of(self, attribute: str) -> str:
        """The value of the first such hook, empty without one."""
        found = find(self.tree, attribute)
        return (found[0].get(attribute) or "") if found else ""

    def alert(self) -> str:
        """The sentence of a refusal."""
        return " ".join(text_of(e).strip() for e in find(self.tree, "role", "alert"))

    def form(self, ending: str) -> Form:
        """The form whose action ends so (query left aside)."""
        for e in elements(self.tree, "form"):
            action = urljoin(self.url, e.get("action") or self.url)
            if urlsplit(action).path.endswith(ending):
                return Form(action, _fields(e))
        raise AssertionError(f"no form {ending!r} on {self.url}: {self.alert()}")

    def has_form(self, ending: str) -> bool:
        """Whether such a form is offered."""
        actions = [urljoin(self.url, e.get("action") or "") for e in elements(self.tree, "form")]
        return any(urlsplit(action).path.endswith(ending) for action in actions)


def _fields(form: Element) -> dict[str, str]:
    values: dict[str, str] = {}
    for e in elements(form, "input", "textarea"):
        name, kind = e.get("name"), e.get("type")
        if not name or kind in ("submit", "button", "file"):
            continue
        if kind in ("radio", "checkbox") and e.get("checked") is None:
            continue
        is_area = e.tag.endswith("textarea")
        values[name] = text_of(e) if is_area else (e.get("value") or "")
    return values


def multipart(fields: dict[str, str], files: Iterable[tuple[str, bytes]]) -> tuple[bytes, str]:
    """A form with files as a browser sends it: the body and its type."""
    edge = "----a-browsers-boundary"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + value.replace("\n", "\r\n").encode("utf-8", "surrogatepass")
        for name, value in fields.items()
    ]
    parts += [
        f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        for name, content in files
    ]
    body = b"".join(part + b"\r\n" for part in parts) + f"--{edge}--\r\n".encode()
    return body, f"multipart/form-data; boundary={edge}"


@dataclass
class Visitor:
    """Walks the site by links and forms; keeps cookies as a browser would."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def get(self, address: str) -> Page:
        """Open an address."""
        return self._ask("GET", urljoin(self.base, address))

    def send(self, form: Form, **fields: str) -> Page:
        """Send a form with its hidden inputs and these fields; follows a 303."""
        body = urlencode({**form.fields, **fields}, errors="surrogatepass").encode()
        return self._ask("POST", form.action, body)

    def drop(self, form: Form, **fields: str) -> Page:
        """Send a box's form; words that might tell who speaks go in as they are."""
        page = self.send(form, **fields)
        if page.status == 200 and find(page.tree, "data-self-identification"):
            page = self.send(page.form(urlsplit(form.action).path), decision="as-is")
        return page

    def post(self, address: str, body: bytes, kind: str = "") -> Page:
        """Send bytes."""
        return self._ask("POST", urljoin(self.base, address), body, kind)

    def _ask(self, method: str, url: str, body: bytes | None = None, kind: str = "") -> Page:
        parts = urlsplit(url)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = kind or "application/x-www-form-urlencoded"
        if not self.cookies or not parts.path.startswith("/desk"):
            headers.pop("Cookie")
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        html = answer.read().decode()
        self._keep(answer.headers.get_all("Set-Cookie") or [])
        connection.close()
        if answer.status in (301, 302, 303):
            return self.get(urljoin(url, answer.headers["Location"]))
        if "text/html" in answer.headers.get("Content-Type", ""):
            tree = check_page(html, path)
        else:
            tree = Element("none")
        return Page(url, answer.status, dict(answer.headers), html, tree)

    def _keep(self, headers: list[str]) -> None:
        self.set_cookies += headers
        for header in headers:
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
