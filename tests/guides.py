"""`make pictures`, its second half: the screenshots that the guides show, the same each time.

The demo county in this process alone, its clock standing still and its dice loaded, so that who
takes the pictures anew changes only those whose pages have changed. Nothing on them is invented
for the picture: each is a page that the steps of its guide lead to.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import nacl.utils
import pyotp
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from app import cli, create_app, db
from app.clock import Clock
from config import Config
from tests.conftest import served
from tests.road.conftest import CHROMIUM_FLAGS

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
MONDAY = dt.datetime(2026, 11, 30, 1, 30, tzinfo=dt.UTC)  # half past nine in the county
PHONE = {"viewport": {"width": 360, "height": 700}, "device_scale_factor": 2}
DESK = {"viewport": {"width": 900, "height": 660}, "device_scale_factor": 1.5}
QUALITY = 62

LAMP = "桥头的路灯坏了半个月，晚上老人出门看不见路，请修一修。"
SAID = {
    "zh-Hans": LAMP,
    "zh-Hant": "橋頭的路燈壞了半個月，晚上老人出門看不見路，請修一修。",
    "en": "The lamp at the bridge has been out for two weeks; old people can’t see the road.",
}
TELLING = "我是三组的李四，桥头的路灯坏了半个月，修好了请打我电话13800138000。"
HALL = "办事大厅中午没有人，跑一趟要等一个多钟头，能不能轮流值班？"
RIVER = "有人往河里倒垃圾。"
ANSWER = "谢谢您。路灯我们今天去看过，是线断了，**12 月 4 日以前修好**。修好以后欢迎您再来评一评。"
PARAPHRASE = "桥头路灯不亮"


@dataclass
class Studio:
    """The instance, its browser, and where the pictures go."""

    app: Flask
    base: str
    browser: Browser
    accounts: list[dict[str, str]]
    sizes: dict[str, int]

    def sitting(self, look: dict[str, object]) -> Page:
        """A window of its own."""
        return self.browser.new_page(locale="zh-CN", **look)  # type: ignore[arg-type]

    def shoot(self, page: Page, name: str, upto: Locator | None = None) -> None:
        """What is in the window, or everything down to the end of an element."""
        size = page.viewport_size or {"width": 0, "height": 0}
        height = size["height"]
        if upto is not None:
            box = upto.bounding_box()
            if box is None:
                raise AssertionError(f"{name}: what it should show isn't there")
            height = int(box["y"] + box["height"] + page.evaluate("scrollY")) + 16
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height}
        raw = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
        with Image.open(io.BytesIO(raw)) as picture:
            picture.convert("RGB").save(FOLDER / f"{name}.webp", quality=QUALITY, method=6)
        self.sizes[name] = (FOLDER / f"{name}.webp").stat().st_size

    def sign_in(self, page: Page, role: str, unit: str, number: int = 0) -> None:
        """At the desk, second factor passed."""
        same = [a for a in self.accounts if (a["role"], a["unit"]) == (role, unit)]
        account = same[number]
        page.goto(f"{self.base}/desk/sign-in")
        page.fill("#username", account["username"])
        page.fill("#password", account["password"])
        page.click("button.main")
        page.fill("#totp", pyotp.TOTP(account["totp_secret"]).at(MONDAY))
        page.click("button.main")
        page.wait_for_url("**/desk/queue")

    def open_boxes(self) -> None:
        """The opening, now."""
        with self.app.app_context():
            cli.run_opening(now=True)


@contextmanager
def studio(browser: Browser, *, small: bool) -> Iterator[Studio]:
    """The demo county, served from a thread."""
    dice = random.Random(7)  # the same pictures each time, no secret
    loaded = mock.patch.multiple(nacl.utils, random=dice.randbytes)
    keys = mock.patch.multiple(secrets, token_hex=lambda n=32: dice.randbytes(n).hex())
    with tempfile.TemporaryDirectory(prefix="yanlu-guides-") as folder, loaded, keys:
        environ = {"DATA_DIR": folder, "LIMITS": "off"}
        clock = Clock(ZoneInfo("Asia/Shanghai"), lambda: MONDAY)
        app = create_app(Config.from_environ(environ), clock)
        with app.app_context():
            cli.prepare()
            cli.make_demo_county(small=small)
        app = create_app(Config.from_environ(environ), clock)  # now it knows that it is a demo
        accounts = json.loads((Path(folder) / "demo-accounts.json").read_text("utf-8"))
        try:
            with served(app) as base:
                yield Studio(app, base, browser, accounts, {})
        finally:
            db.close(app)


# --- the speaker ----------------------------------------------------------------------------------


def write(page: Page, at: Studio, text: str, query: str = "") -> None:
    """The form with words in it."""
    page.goto(f"{at.base}/box/demo{query}")
    page.fill("#opinion", text)


def drop(page: Page, at: Studio, text: str) -> str:
    """Drop an opinion; its receipt code."""
    write(page, at, text)
    page.click("button.main")
    return page.inner_text("[data-receipt-code]")


def speak(at: Studio) -> str:
    """Form, warning and receipt in the three languages; the code of the one to be answered."""
    page = at.sitting(PHONE)
    page.goto(at.base)
    at.shoot(page, "speaker-home")
    write(page, at, TELLING)
    page.click("button.main")
    at.shoot(page, "speaker-warning", page.locator("button[value=edit]"))
    codes = {}
    for language, text in SAID.items():
        mark = "" if language == "zh-Hans" else f"-{language}"
        query = f"?lang={language}" if mark else ""
        write(page, at, text, query)
        at.shoot(page, f"speaker-form{mark}")
        page.click("button.main")
        at.shoot(page, f"speaker-receipt{mark}", page.locator("[data-receipt-code]"))
        codes[language] = page.inner_text("[data-receipt-code]")
        if mark:  # one lamp is enough for the committee
            enter(page, at, codes[language])
            withdraw(page)
    page.context.close()
    return codes["zh-Hans"]


def enter(page: Page, at: Studio, code: str) -> None:
    """Come back with a receipt."""
    page.goto(f"{at.base}/receipt")
    page.fill("#code", code)
    page.click("main button")


def withdraw(page: Page) -> None:
    """Take the opinion back."""
    form = page.locator("form[action*='/withdraw']")
    form.locator("xpath=ancestor::details/summary").click()
    form.locator("input[type=checkbox]").check()
    form.locator("button").click()


def read(at: Studio, code: str) -> None:
    """The answer on the thread page, and the place to rate it."""
    page = at.sitting(PHONE)
    enter(page, at, code)
    at.shoot(page, "speaker-thread", page.locator("form[action*='/rate']"))
    page.goto(f"{at.base}/answers")
    at.shoot(page, "speaker-answers")
    page.context.close()


# --- the committee --------------------------------------------------------------------------------


def work(at: Studio) -> None:
    """A Monday: sign in, the queue, accept and answer one, ask about one, the other pages."""
    page = at.sitting(DESK)
    page.goto(f"{at.base}/desk/sign-in")
    at.shoot(page, "committee-sign-in", page.locator("button.main"))
    at.sign_in(page, "keeper", "demo")
    at.shoot(page, "committee-queue")
    case(page, at, LAMP)
    at.shoot(page, "committee-case", page.locator("form[action*='/accept']"))
    page.click("form[action*='/accept'] button")
    page.fill("#answer", ANSWER)
    page.fill("#summary", PARAPHRASE)
    at.shoot(page, "committee-answer", page.locator("form[action*='/draft']"))
    page.click("form[action*='/draft'] button")
    page.locator("form[action*='/approve']").wait_for()
    at.shoot(page, "committee-publish", page.locator("form[action*='/discard']"))
    page.click("form[action*='/approve'] button")
    page.locator("[data-state=answered]").first.wait_for()
    case(page, at, RIVER)
    form = page.locator("form[action*='/ask']")
    form.locator("xpath=ancestor::details/summary").click()
    form.locator("[name=message]").fill("在河的哪一段？大概是什么时候看见的？不用说您是谁。")
    at.shoot(page, "committee-ask", form)
    for name, address in (
        ("rounds", "rounds"), ("bulletins", "bulletins"), ("keys", "staff"), ("intake", "intake"),
    ):  # fmt: skip
        page.goto(f"{at.base}/desk/{address}")
        at.shoot(page, f"committee-{name}")
    page.context.close()


def case(page: Page, at: Studio, text: str) -> None:
    """Open a case of the queue by its words."""
    page.goto(f"{at.base}/desk/queue")
    page.locator("[data-case]", has_text=text[:12]).locator("a").first.click()
    page.locator("[data-opinion]").first.wait_for()


# --- who watches, who runs it ---------------------------------------------------------------------


def watch(at: Studio) -> None:
    """The board, the appeals, the look-back, the public's figures."""
    page = at.sitting(DESK)
    unit = next(a["unit"] for a in at.accounts if a["role"] == "supervisor")
    at.sign_in(page, "supervisor", unit)
    at.shoot(page, "supervisor-queue")
    for name in ("board", "look-back", "precedents"):
        page.goto(f"{at.base}/desk/{name}")
        at.shoot(page, f"supervisor-{name}")
    page.goto(f"{at.base}/figures")
    at.shoot(page, "supervisor-figures")
    page.context.close()


def run(at: Studio) -> None:
    """Units, recovery, the channels: what stands in the operator's book."""
    page = at.sitting(DESK)
    at.sign_in(page, "office", "county")
    for name, address in (
        ("import", "units/import"), ("recovery", "recovery"), ("outbox", "outbox"),
    ):  # fmt: skip
        page.goto(f"{at.base}/desk/{address}")
        at.shoot(page, f"operator-{name}")
    page.context.close()


def main() -> int:
    """All of them, into docs/pictures; their sizes at the end."""
    path = shutil.which("chromium")
    if path is None:
        print("chromium is missing: run `make test` once, or install it")
        return 2
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        with studio(browser, small="--small" in sys.argv) as at:
            code = speak(at)
            other = at.sitting(PHONE)
            for text in (HALL, RIVER):
                drop(other, at, text)
            other.context.close()
            at.open_boxes()
            work(at)
            read(at, code)
            watch(at)
            run(at)
        browser.close()
    for old in FOLDER.glob("*.webp"):
        if old.stem not in at.sizes:
            old.unlink()
    print(f"{len(at.sizes)} pictures, {sum(at.sizes.values()) // 1024} KiB, in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
