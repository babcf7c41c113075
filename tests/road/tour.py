"""Every page of the site, reached as a person reaches it: by links and by the road's forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

from flask import Flask
from playwright.sync_api import Browser, Page, Response
from werkzeug.exceptions import HTTPException

from tests.road.conftest import Instance
from tests.road.test_browser import sign_in

Way = Callable[[Page, Instance], None]

OPINION = "路灯坏了三个月，晚上看不见路。"
TELLING = "路灯坏了三个月。我叫李四，电话13800138000。"


@dataclass(frozen=True)
class Stop:
    """A page as it stands in the browser, by its rule or by the way that led there."""

    name: str
    page: Page

    def source(self) -> str:
        """The page as the server sent it, not as the browser mended it."""
        answer: Response = self.page.last_answer  # type: ignore[attr-defined]
        return answer.text()

    def weights(self) -> Counter[str]:
        """Bytes of bodies on the wire, by what a browser calls the kind; an icon is "other"."""
        self.page.wait_for_load_state("networkidle")
        found: Counter[str] = Counter()
        requests = {request.url: request for request in self.page.loaded}  # type: ignore[attr-defined]
        for request in requests.values():
            found[request.resource_type] += request.sizes()["responseBodySize"]
        return found


def _new_page(browser: Browser, context: dict[str, Any], query: str) -> Page:
    page = browser.new_page(**context)
    page.query = query  # type: ignore[attr-defined]

    def keep(answer: Response) -> None:
        if answer.request.is_navigation_request():
            page.last_answer = answer  # type: ignore[attr-defined]
            page.loaded = []  # type: ignore[attr-defined]
        page.loaded.append(answer.request)  # type: ignore[attr-defined]

    page.on("response", keep)
    devtools = page.context.new_cdp_session(page)  # every page is met for the first time
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    return page


# --- pages that only a form opens -----------------------------------------------------------------


def _open(page: Page, instance: Instance, address: str) -> None:
    """A page by its address, in the view and language of this tour."""
    query: str = page.query  # type: ignore[attr-defined]
    page.goto(instance.base + address + (query.replace("?", "&") if "?" in address else query))


def _drop(page: Page, instance: Instance, text: str = OPINION) -> None:
    _open(page, instance, "/box/demo")
    page.fill("#opinion", text)
    page.click("button.main")


def _thread(page: Page, instance: Instance) -> None:
    _drop(page, instance)
    code = page.inner_text("[data-receipt-code]")
    _open(page, instance, "/receipt")
    page.fill("#code", code)
    page.click("main button")
    for summary in page.locator("main summary").all():  # in the large view one holds the others
        summary.click()


def _refused(page: Page, instance: Instance) -> None:
    _open(page, instance, "/box/demo")
    page.click("button.main")


def _enter(code: str) -> Way:
    def way(page: Page, instance: Instance) -> None:
        _open(page, instance, "/receipt")
        page.fill("#code", code)
        page.click("main button")

    return way


def _withdrawn(page: Page, instance: Instance) -> None:
    _thread(page, instance)
    page.check("form[action*='/withdraw'] input[type=checkbox]")
    page.click("form[action*='/withdraw'] button")


def _left(page: Page, instance: Instance) -> None:
    _open(page, instance, "/")
    page.click("form[action*='/leave'] button")


def _missing(page: Page, instance: Instance) -> None:
    _open(page, instance, "/box/nowhere")


def _slip(page: Page, instance: Instance, slip: str = "") -> None:
    drawn = (instance.data_dir / "demo-slips.txt").read_text("utf-8").split()
    _open(page, instance, "/slip")
    page.fill("#slip", slip or drawn[0])
    page.click("button.main")


def _voted(page: Page, instance: Instance) -> None:
    drawn = (instance.data_dir / "demo-slips.txt").read_text("utf-8").splitlines()
    left = [line.split()[0] for line in drawn if line.strip()]
    _slip(page, instance, left.pop())
    while not page.locator("[data-subject]").count():  # every tour uses one up
        _slip(page, instance, left.pop())
    page.click("button.main")


WAYS: dict[str, Way] = {
    "slip mistyped": lambda page, instance: _slip(page, instance, "1234"),
    "ballot": _slip,
    "ballot counted": _voted,
    "receipt taken": _drop,
    "warning": lambda page, instance: _drop(page, instance, TELLING),
    "thread": _thread,
    "form refused": _refused,
    "code mistyped": _enter("1234-1234-1234-1234-1234-12"),
    "code unknown": _enter("0000-0000-0000-0000-0000-01"),
    "withdrawn": _withdrawn,
    "left": _left,
    "not found": _missing,
}


def _case(page: Page, instance: Instance, standing: str = "waiting") -> None:
    _open(page, instance, f"/desk/queue?state={standing}")
    page.locator("[data-case] a").first.click()


def _accepted(page: Page, instance: Instance) -> None:
    _case(page, instance)
    page.click("form[action*='/accept'] button")


def _answering(page: Page, instance: Instance) -> None:
    _case(page, instance, "accepted")
    page.fill("#answer", "已经修好了，**谢谢**您。")
    page.fill("#summary", "路灯坏了")
    page.click("form[action*='/draft'] button")


def _new_bulletin(page: Page, instance: Instance) -> None:
    _open(page, instance, "/desk/bulletins")
    page.click("form[action*='/bulletins/new'] button")


def _new_round(page: Page, instance: Instance) -> None:
    _open(page, instance, "/desk/rounds")
    page.click("form[action*='/rounds/new'] button")


DESK_WAYS: dict[str, Way] = {
    "/desk/rounds/new": _new_round,
    "/desk/bulletins/new": _new_bulletin,
    "case waiting": _case,
    "case accepted": _accepted,
    "case with a draft": _answering,
}


# --- pages that links lead to ---------------------------------------------------------------------


def rule_of(app: Flask, address: str) -> str | None:
    """The rule of the URL map that answers an address; None where it isn't a page of ours."""
    try:
        endpoint, _ = app.url_map.bind("").match(urlsplit(address).path)
    except HTTPException:
        return None
    rules = [r.rule for r in app.url_map.iter_rules(endpoint) if "GET" in (r.methods or ())]
    return rules[0] if rules else None


def walk(app: Flask, page: Page, start: str) -> Iterator[str]:
    """The rules that links lead to from `start`, one page each; it stands in the browser."""
    waiting, seen = [start], set[str]()
    while waiting:
        address = waiting.pop(0)
        rule = rule_of(app, address)
        if rule is None or rule in seen:
            continue
        seen.add(rule)
        if not _is_page(page, address):
            continue
        page.goto(address)
        found = page.locator("a[href]").evaluate_all("all => all.map(a => a.href)")
        yield rule
        here = urlsplit(start).netloc
        waiting += [
            urldefrag(urljoin(address, link)).url for link in found if urlsplit(link).netloc == here
        ]


def _is_page(page: Page, address: str) -> bool:
    """Downloads and feeds are looked at elsewhere."""
    answer = page.context.request.get(address, max_redirects=0)
    return answer.status == 200 and answer.headers["content-type"].startswith("text/html")


def stops(
    app: Flask, instance: Instance, browser: Browser, query: str = "", **context: Any
) -> Iterator[Stop]:
    """Every page: the public's, those behind the road's forms, and each role's desk.

    `query` is kept by every link; `context` is the browser's (width, theme).
    """
    yield from public_stops(app, instance, browser, query, **context)
    instance.command("open-boxes", "--now")
    done: set[str] = set()
    for account in instance.accounts:
        page = _new_page(browser, context, query)
        sign_in(page, instance, account)
        for rule in walk(app, page, f"{instance.base}/desk/queue{query}"):
            if rule.startswith("/desk") and rule not in done:
                done.add(rule)
                yield Stop(rule, page)
        if account["unit"] == "demo" and not done >= set(DESK_WAYS):
            for name, way in DESK_WAYS.items():
                done.add(name)
                way(page, instance)
                page.wait_for_load_state()
                yield Stop(name, page)
        page.context.close()


def stop_at(instance: Instance, browser: Browser, role: str, address: str) -> Stop:
    """One page of somebody of the county who has this role."""
    page = _new_page(browser, {}, "")
    sign_in(page, instance, next(each for each in instance.accounts if each["role"] == role))
    page.goto(f"{instance.base}{address}")
    return Stop(f"{address}, {role}", page)


def public_stops(
    app: Flask, instance: Instance, browser: Browser, query: str = "", **context: Any
) -> Iterator[Stop]:
    """The pages that need no account, by links and behind the road's forms."""
    public = _new_page(browser, context, query)
    for rule in walk(app, public, f"{instance.base}/{query}"):
        yield Stop(rule, public)
    for name, way in WAYS.items():
        way(public, instance)
        public.wait_for_load_state()
        yield Stop(name, public)
    public.goto(f"{instance.base}/desk/sign-in{query}")
    yield Stop("/desk/sign-in", public)
    public.context.close()
