"""The application server, an opener and the database on loopback, to be killed at any instant."""

from __future__ import annotations

import compileall
import contextlib
import html
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pyotp

from tests.attack.stack import Answer, Stack

AWAY = (OSError, http.client.HTTPException)
# In the copied tree the demo round gets as many slips as a hundred crashes use up.
_FEW, _MANY = '"党员": 8, "群众": 12', '"党员": 600, "群众": 600'


@dataclass
class Caller:
    """Somebody over plain HTTP, each request on a connection of its own and sent once."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self._ask("GET", path, None)

    def post(self, path: str, **fields: str) -> Answer:
        """Send a form."""
        return self._ask("POST", path, urlencode(fields).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        if path.startswith("/desk"):
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        began = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return Answer(answer.status, answer.getheaders(), text, time.perf_counter() - began)


def said(page: Answer, author: str = "speaker") -> list[str]:
    """The exact words of somebody on a thread page."""
    found = re.findall(rf'data-message="{author}" data-user-text>(.*?)</div>', page.body, re.DOTALL)
    return [html.unescape(text) for text in found]


def state(page: Answer) -> str:
    """Where a thread stands; empty when the code opens nothing."""
    found = re.search(r'data-state="([a-z]+)"', page.body)
    return found[1] if found else ""


class Instance(Stack):
    """One instance of two web processes, without the proxy."""

    def __init__(self, folder: Path, database: str) -> None:
        super().__init__(folder, database)
        self.app = "app:create_app()"
        rounds = self.tree / "app/demo/rounds.py"
        text = rounds.read_text("utf-8")
        if _FEW not in text:
            raise AssertionError("the demo round has other slips now")
        rounds.write_text(text.replace(_FEW, _MANY), "utf-8")
        shutil.copy(Path(__file__).parent / "opener.py", self.tree / "opener.py")
        compileall.compile_dir(self.tree, quiet=2)  # it starts a hundred times

    def start(self) -> Instance:
        """Database, small demo county, web processes."""
        if self.database == "postgresql":
            self._start_postgresql()
        made = self.probe(
            "from app import cli\nwith app.app_context():\n"
            "    cli.prepare()\n    cli.make_demo_county(small=True)\n    print('made')",
            timeout=900,
        )
        if "made\n" not in made:
            raise AssertionError(made[-2000:])
        self.start_app()
        self.wait()
        return self

    def start_app(self) -> None:
        """The web processes alone, imported once: the opener takes the worker's part."""
        conf = str(self.tree / "deploy/gunicorn.conf.py")
        self._run("gunicorn", sys.executable, "-m", "gunicorn", "--preload", "-c", conf, self.app)

    def _run(self, name: str, *words: str) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                words, cwd=self.tree, env=self._environ(), stderr=log,
                stdout=subprocess.PIPE if name == "opener" else log,
                stdin=subprocess.PIPE if name == "opener" else subprocess.DEVNULL,
                start_new_session=True, text=False,
            )  # fmt: skip

    def wait(self) -> None:
        """Until a web process answers for its database."""
        end = time.monotonic() + 180
        while time.monotonic() < end:
            with contextlib.suppress(*AWAY):
                if self.caller().get("/readyz").status == 200:
                    return
            if self._processes["gunicorn"].poll() is not None:
                raise AssertionError((self.logs / "gunicorn.log").read_text()[-2000:])
            time.sleep(0.05)
        raise AssertionError("no answer within three minutes")

    def caller(self) -> Caller:
        """Somebody who comes without the proxy."""
        return Caller(self.app_port)

    def kill_app(self) -> None:
        """SIGKILL for whole process groups, one right after the other."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes.values():
            self._kill(process)
        self._processes.clear()

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def stop(self) -> None:
        """Everything down."""
        self.kill_app()
        super().stop()

    # --- the opening --------------------------------------------------------------------------

    def start_opener(self) -> None:
        """A process that opens the boxes when told to."""
        self._run("opener", sys.executable, "opener.py")
        self._line()

    def _line(self) -> str:
        out = self._processes["opener"].stdout
        line = out.readline().decode().strip() if out else ""
        if not line:
            raise AssertionError((self.logs / "opener.log").read_text()[-2000:])
        return line

    def begin_opening(self) -> None:
        """Let it open the boxes now; don't wait."""
        pipe = self._processes["opener"].stdin
        if pipe:
            pipe.write(b"\n")
            pipe.flush()

    def has_opener(self) -> bool:
        """Whether one runs."""
        return "opener" in self._processes

    def stop_opener(self) -> None:
        """Whatever it is doing."""
        if self.has_opener():
            self._kill(self._processes.pop("opener"))

    def open_boxes(self) -> None:
        """Open the boxes and log it, to the end."""
        if not self.has_opener():
            self.start_opener()
        self.begin_opening()
        self._line()

    # --- the database -------------------------------------------------------------------------

    def kill_postgresql(self) -> None:
        """SIGKILL for the postmaster and all its children."""
        family = [self._postgresql.get_pid()]
        for process_id in family:  # grows as it goes
            for path in Path(f"/proc/{process_id}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    family += [int(word) for word in path.read_text().split()]
        for process_id in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        while any(map(_lives, family)):
            time.sleep(0.01)
        # Where nobody reaps the dead their numbers look taken, and it would not start again.
        for lock in (self.folder / "pg").glob(".s.PGSQL.*.lock"):
            lock.unlink()
        (self.folder / "pg/postmaster.pid").unlink()

    def restart_postgresql(self) -> None:
        """Start it again: it recovers from its log, for longer than is waited for at once."""
        for _ in range(120):
            try:
                self._postgresql.ensure_postgres_running()
            except (subprocess.SubprocessError, OSError, AssertionError):
                time.sleep(1)
            else:
                return
        raise AssertionError((self.folder / "pg/log").read_text()[-2000:])

    def disk(self) -> Path:
        """The folder that the database lies in; there before it does."""
        if self.database == "sqlite":
            return self.data
        (self.folder / "pg").mkdir()
        return self.folder / "pg"

    def is_up(self) -> bool:
        """Whether the web server runs at all."""
        return all(process.poll() is None for process in self._processes.values())

    def shut_down(self) -> None:
        """Application and database down in order."""
        self.kill_app()
        if self._postgresql is not None:
            self._postgresql.stop()

    def mend(self) -> None:
        """Everything that was killed up again, and answering."""
        if self.database == "postgresql":
            self.restart_postgresql()
        if "gunicorn" not in self._processes:
            self.start_app()
        self.wait()

    # --- people -------------------------------------------------------------------------------

    def slips(self) -> list[str]:
        """The slips of the demo round."""
        lines = (self.data / "demo-slips.txt").read_text("utf-8").splitlines()
        return [line.split()[0] for line in lines if line.strip()]

    def keeper(self, number: int) -> Caller:
        """A keeper of the demo box at an unlocked desk."""
        accounts = json.loads((self.data / "demo-accounts.json").read_text("utf-8"))
        account = next(a for a in accounts if a["username"] == f"demo-keeper-{number}")
        keeper = self.caller()
        names = {"username": account["username"], "password": account["password"]}
        keeper.post("/desk/sign-in", **_hidden(keeper.get("/desk/sign-in")), **names)
        page = keeper.get("/desk/second-factor")
        totp = pyotp.TOTP(account["totp_secret"]).now()
        done = keeper.post("/desk/second-factor", **_hidden(page), totp=totp)
        if done.status != 303:
            raise AssertionError(f"no way in for a keeper: {done.status}")
        return keeper

    def answer(self, number: int) -> None:
        """Have so many of the waiting cases of the demo box answered."""
        one, two = self.keeper(1), self.keeper(2)
        for case in _waiting(one, number):
            path = f"/desk/cases/{case}"
            _press(one, path, "accept")
            _press(one, path, "draft", answer="已经办了。", summary="有人反映一件事。")
            if _press(one, path, "approve").status != 303:
                _press(two, path, "approve")


def _lives(process_id: int) -> bool:
    """Whether it still holds anything; what nobody waits for stays as a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False


def _hidden(page: Answer) -> dict[str, str]:
    return {"csrf_token": page.first(r'name="csrf_token"[^>]*value="([^"]+)"')}


def _waiting(keeper: Caller, number: int) -> Iterator[str]:
    found: list[str] = []
    path: str | None = "/desk/queue"
    while path and len(found) < number:
        page = keeper.get(path)
        found += re.findall(r'data-case="([0-9a-f]+)"', page.body)
        following = re.search(r'<a[^>]*rel="next"[^>]*>', page.body)
        link = re.search(r'href="([^"]+)"', following[0]) if following else None
        path = html.unescape(link[1]) if link else None
    for case in dict.fromkeys(found):
        if number and state(keeper.get(f"/desk/cases/{case}")) == "waiting":
            number -= 1
            yield case


def _press(keeper: Caller, path: str, move: str, **fields: str) -> Answer:
    page = keeper.get(path)
    form = re.search(rf'<form[^>]*action="[^"]*/{move}[^"]*".*?</form>', page.body, re.DOTALL)
    if form is None:
        return Answer(404, [], "", 0)
    hidden = {
        name: html.unescape(value)
        for name, value in re.findall(
            r'<input type="hidden" name="([^"]+)"[^>]*value="([^"]*)"', form[0]
        )
    }
    return keeper.post(f"{path}/{move}", **{**hidden, **fields})
