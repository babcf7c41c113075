"""The cluster as `deploy/cluster` sets it: etcd, Patroni, two web processes, nginx before them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.attack.stack import Stack
from tests.cluster.machines import DATABASE, FRONT, NOBODY, PRIVATE, Machine, plug_in_networks

APPLICATIONS = (1, 2)
SLIPS = 400
LEAST_FREE = 64  # MiB; the machines' disks are small
REST, SOCKETS = 8008, "run"
DEMO = f"""
from app import create_app
from app.cli import prepare
from app.demo import county, rounds
from app.web import clock, config
rounds._OPEN_SLIPS = {{"党员": {SLIPS // 2}, "群众": {SLIPS // 2}}}
with create_app().app_context():
    prepare()
    county.make_county(config(), clock(), small=True)
"""


def changed(text: str, changes: dict[str, str]) -> str:
    """A template with its places filled in; each must be there."""
    for old, new in changes.items():
        if old not in text:
            raise AssertionError(f"the template has no {old!r}")
        text = text.replace(old, new)
    return text


def until(what: str, seconds: float, ready: Callable[[], object]) -> float:
    """Wait for something; how long it took. Raises AssertionError when it doesn't come."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if ready():
            return time.monotonic() - began
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class Cluster(Stack):
    """Three machines, and a front that leads to the web processes of two of them."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        super().__init__(folder, "postgresql")
        folder.chmod(0o755)  # nobody's processes look for their own below it
        folder.parent.chmod(0o755)
        self._binaries = binaries
        self._passwords = {
            f"SECRET-{name}": secrets.token_hex(12)
            for name in ("REST", "REPLICATION", "REWIND", "YANLU")
        }
        settings = read_settings(self.tree / "deploy/cluster/yanlu.env")
        self.url = changed(
            settings["DATABASE_URL"], {"SECRET-YANLU": self._passwords["SECRET-YANLU"]}
        )
        plug_in_networks()
        self.machines = [Machine(folder, number) for number in (1, 2, 3)]

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> Self:
        """Everything up, the demo county in it."""
        for machine in self.machines:
            self.start_etcd(machine)
        for machine in self.machines:
            self.start_patroni(machine)
            self.start_disk_watch(machine)
        until("a leader and two that follow", 180, self.is_whole)
        self._make_database()
        self._make_county()
        for machine in self.applications:
            shutil.copytree(self.data, machine.folder / "data")
            _own(machine.folder / "data")
            self.start_application(machine)
        self._start_balancer()
        self.start_front()
        self.wait()
        return self

    def stop(self) -> None:
        """Everything down."""
        super().stop()
        for machine in self.machines:
            machine.switch_off()

    def start_etcd(self, machine: Machine) -> None:
        """The machine's vote on who leads."""
        settings = read_settings(self.tree / "deploy/cluster/etcd")
        for name, value in settings.items():
            if name != "ETCD_INITIAL_CLUSTER":
                settings[name] = value.replace(self.machines[0].address, machine.address)
        settings |= {"ETCD_NAME": machine.name, "ETCD_DATA_DIR": str(machine.disk / "etcd")}
        machine.start("etcd", "etcd", cwd=machine.folder, environ=_plain() | settings)

    def start_patroni(self, machine: Machine) -> None:
        """The machine's database, led or following."""
        sockets = machine.folder / SOCKETS
        sockets.mkdir(exist_ok=True)
        os.chown(sockets, NOBODY, NOBODY)
        template = (self.tree / "deploy/cluster/patroni.yml").read_text("utf-8")
        marked = {
            f"{self.machines[0].address}:{port}  # CHANGE": f"{machine.address}:{port}"
            for port in (REST, 5432)
        }
        own = {
            **marked, "name: db1  # CHANGE": f"name: {machine.name}",
            **{k: v for k, v in self._passwords.items() if k != "SECRET-YANLU"},
            "/var/lib/postgresql/yanlu": str(machine.disk / DATABASE),
            "/usr/lib/postgresql/15/bin": str(self._binaries),
            "/etc/yanlu/postgresql.conf": str(self.tree / "deploy/postgresql.conf"),
            "/run/yanlu-patroni": str(sockets),
            "local all postgres peer": "local all postgres trust",  # all here run as nobody
        }  # fmt: skip
        path = machine.folder / "patroni.yml"
        path.write_text(changed(template, own), "utf-8")
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o600)
        words = (sys.executable, "-m", "patroni", str(path))
        machine.start("patroni", *words, cwd=machine.folder, environ=_plain())

    def start_disk_watch(self, machine: Machine) -> None:
        """What hands the lead over when the machine's disk is nearly full."""
        own = {
            "/etc/yanlu/patroni.yml": str(machine.folder / "patroni.yml"),
            "LEAST=1024": f"LEAST={LEAST_FREE}",
            "/opt/patroni/bin/patronictl": str(Path(sys.executable).parent / "patronictl"),
        }
        path = machine.folder / "yanlu-disk"
        path.write_text(changed((self.tree / "deploy/cluster/yanlu-disk").read_text(), own))
        words = ("/bin/sh", str(path))
        machine.start("disk", *words, cwd=machine.folder, environ=_plain() | {"LANG": "C.UTF-8"})

    def start_application(self, machine: Machine) -> None:
        """Web processes and worker."""
        conf = str(self.tree / "deploy/gunicorn.conf.py")
        environ = self._environ_of(machine)
        flask = (sys.executable, "-m", "flask", "--app", "app", "worker")
        web = (sys.executable, "-m", "gunicorn", "-c", conf, "app:create_app()")
        machine.start("web", *web, cwd=self.tree, environ=environ)
        machine.start("worker", *flask, cwd=self.tree, environ=environ)

    def _make_database(self) -> None:
        with self.local(self.leader(), "postgres") as connection:
            password = self._passwords["SECRET-YANLU"]
            connection.execute(f"CREATE ROLE yanlu LOGIN PASSWORD '{password}'")
            connection.execute("CREATE DATABASE yanlu OWNER yanlu TEMPLATE template0")

    def _make_county(self) -> None:
        _own(self.data)
        environ = self._environ_of(self.machines[0]) | {"DATA_DIR": str(self.data)}
        done = self.machines[0].call(
            sys.executable, "-c", DEMO, cwd=self.tree, environ=environ
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(done.stderr[-2000:])

    def _environ_of(self, machine: Machine) -> dict[str, str]:
        temp = machine.folder / "tmp"
        temp.mkdir(exist_ok=True)
        os.chown(temp, NOBODY, NOBODY)
        return self._environ() | {
            "DATA_DIR": str(machine.folder / "data"), "TMPDIR": str(temp), "HOST": machine.front,
            "PORT": "8000", "LIMITS": "on", "HOME": str(machine.folder),
        }  # fmt: skip

    def _start_balancer(self) -> None:
        """HAProxy with deploy/cluster/haproxy.cfg; the front is a network of its own here.

        So visitors reach the web processes of a machine that is cut off from the other two.
        """
        template = (self.tree / "deploy/cluster/haproxy.cfg").read_text("utf-8")
        own = {
            "    user haproxy\n    group haproxy\n": "",
            "127.0.0.1:8001": f"127.0.0.1:{self.app_port}",
            PRIVATE: FRONT,
            "/opt/yanlu/": f"{self.tree}/",
        }
        (self.folder / "haproxy.cfg").write_text(changed(template, own), "utf-8")
        self._run("haproxy", "haproxy", "-db", "-f", str(self.folder / "haproxy.cfg"))

    # --- looking ------------------------------------------------------------------------------

    @property
    def applications(self) -> list[Machine]:
        """The machines with web processes."""
        return [self.machines[number - 1] for number in APPLICATIONS]

    def members(self) -> list[dict[str, Any]]:
        """What Patroni says of all three, by whichever knows a leader; empty when none does."""
        for machine in self.machines:
            with contextlib.suppress(OSError, ValueError):
                where = f"http://{machine.address}:{REST}/cluster"
                with urllib.request.urlopen(where, timeout=2) as answer:
                    found: list[dict[str, Any]] = json.load(answer)["members"]
                if any(member["role"] == "leader" for member in found):
                    return found
        return []

    def is_whole(self) -> bool:
        """A leader, one that surely follows, and a third that follows, too."""
        found = {member["role"]: member["state"] for member in self.members()}
        wanted = {"leader": "running", "sync_standby": "streaming", "replica": "streaming"}
        return found == wanted

    def leader(self) -> Machine:
        """The machine that leads."""
        name = next(m["name"] for m in self.members() if m["role"] == "leader")
        return next(machine for machine in self.machines if machine.name == name)

    def hand_over(self, leader: Machine) -> None:
        """`patronictl switchover`: let the one that surely has everything lead from now on."""
        said = f"patroni:{self._passwords['SECRET-REST']}".encode()
        asked = urllib.request.Request(
            f"http://{leader.address}:{REST}/switchover",
            json.dumps({"leader": leader.name}).encode(),
            {"Authorization": f"Basic {b64encode(said).decode()}"},
        )
        with urllib.request.urlopen(asked, timeout=90):
            pass

    @contextlib.contextmanager
    def local(self, machine: Machine, database: str = "yanlu") -> Iterator[Any]:
        """The database of one machine, by its socket."""
        host = str(machine.folder / SOCKETS)
        with psycopg.connect(
            host=host, user="postgres", dbname=database, autocommit=True
        ) as connection:
            yield connection

    def flask(self, machine: Machine, *words: str) -> str:
        """Run a command of the instance on a machine; its output. Raises AssertionError."""
        command = (sys.executable, "-m", "flask", "--app", "app", *words)
        done = machine.call(*command, cwd=self.tree, environ=self._environ_of(machine))
        if done.returncode:
            raise AssertionError(done.stderr[-2000:])
        return done.stdout


def _plain() -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG")}
    return inherited | {"PYTHONDONTWRITEBYTECODE": "1"}


def read_settings(path: Path) -> dict[str, str]:
    """A file of settings as systemd reads it."""
    lines = path.read_text("utf-8").splitlines()
    parts = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in parts}


def _own(path: Path) -> None:
    for one in (path, *path.rglob("*")):
        os.chown(one, NOBODY, NOBODY)
