"""The real thing: web server and worker as `make run` starts them, on a fresh instance."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Locator, sync_playwright
from playwright.sync_api import Page as BrowserPage

from tests.visitor import Page, Visitor

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r"\d{4}(?:-\d{4}){4}-\d{2}")  # a receipt's, as it is shown
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Instance:
    """A running instance, its accounts, and the environment of its commands."""

    base: str
    data_dir: Path
    environ: dict[str, str]
    log: list[str]

    @property
    def accounts(self) -> list[dict[str, str]]:
        """The demo accounts."""
        content: list[dict[str, str]] = json.loads(
            (self.data_dir / "demo-accounts.json").read_text()
        )
        return content

    def account(self, role: str, unit: str, number: int = 0) -> dict[str, str]:
        """A demo account by its role and unit."""
        return [a for a in self.accounts if (a["role"], a["unit"]) == (role, unit)][number]

    def command(self, *words: str) -> str:
        """Run a command of the instance; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", *words],
            cwd=ROOT, env=self.environ, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def sign_in(self, account: dict[str, str]) -> tuple[Visitor, Page]:
        """Somebody of the staff at their desk."""
        visitor = Visitor(self.base)
        page = visitor.get("/desk/sign-in")
        form = page.form("/desk/sign-in")
        page = visitor.send(form, username=account["username"], password=account["password"])
        code = pyotp.TOTP(account["totp_secret"]).now()
        return visitor, visitor.send(page.form("/desk/second-factor"), totp=code)


def wait_for(base: str) -> None:
    """Until a server is ready; within a minute."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{base}/readyz", timeout=5).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"{base} isn't ready after a minute")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    data_dir: Path, *, small: bool = True, **more: str
) -> tuple[subprocess.Popen[str], Instance]:
    """Start `serve --demo`, by default with its small county, and wait for its `ready`."""
    port = str(free_port())
    environ = {
        **os.environ, "DATA_DIR": str(data_dir), "PORT": port, "LIMITS": "off", **more
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "app", "serve", "--demo",
         *(["--small"] if small else [])],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        for line in process.stdout or []:
            lines.append(line.rstrip())
            if line.startswith("ready http://"):
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(180 if small else 400) or process.poll() is not None:
        process.terminate()
        raise AssertionError("not `ready` in time:\n" + "\n".join(lines))
    return process, Instance(f"http://127.0.0.1:{port}", data_dir, environ, lines)


def stop(process: subprocess.Popen[str]) -> None:
    """End it as an operator would."""
    process.terminate()
    process.wait(30)
    if process.stdout:
        process.stdout.close()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A fresh demo instance, limits off, on SQLite."""
    process, running = start(tmp_path_factory.mktemp("instance"))
    yield running
    stop(process)


@pytest.fixture(scope="session", autouse=True)
def _whole_pages() -> Iterator[None]:
    """A click returns once the next page has begun: under load, looking then sees half of it."""

    def waiting(act: Callable[..., None]) -> Callable[..., None]:
        def acted(self: Any, *words: Any, **more: Any) -> None:
            act(self, *words, **more)
            page = self.page if isinstance(self, Locator) else self
            page.wait_for_load_state()

        return acted

    with pytest.MonkeyPatch.context() as patch:
        for kind in (BrowserPage, Locator):
            for name in ("click", "press"):
                patch.setattr(kind, name, waiting(getattr(kind, name)))
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium: tests/provision.py should have installed it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


def phone(browser: Browser, **more: Any) -> Any:
    """A phone 360 px wide with JavaScript off."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, java_script_enabled=False, **more
    )
    return context.new_page()
