"""Machines made of namespaces: each with a network, a disk and processes of its own.

Everything happens inside namespaces that one `unshare` made: when it ends, in whatever way, the
kernel ends every process, mount and interface with it, and nothing of this machine was touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

PRIVATE, FRONT = "10.77.0", "10.78.0"
OBSERVER = 254
NOBODY = 65534
DISK = 768 * 1024 * 1024
DATABASE = "postgresql"
_INSIDE = "YANLU_CLUSTER_INSIDE"


def enter() -> None:
    """Go on inside namespaces of one's own. Raises CalledProcessError where they aren't allowed."""
    if os.environ.get(_INSIDE):
        _leave_orphans_to_a_parent()
        run("ip", "link", "set", "lo", "up")
        Path("/run/netns").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        return
    words = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    run(*words, "true")
    again = [sys.executable, "-m", "tests.cluster", *sys.argv[1:]]
    os.execvpe(words[0], [*words, *again], os.environ | {_INSIDE: "yes"})


def _leave_orphans_to_a_parent() -> None:
    """Go on in a child: the first process of a namespace has to bury what nobody else does."""
    if (child := os.fork()) == 0:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child hears it, too, and cleans up
    while True:
        ended, status = os.wait()
        if ended == child:
            os._exit(os.waitstatus_to_exitcode(status))


def run(*words: str) -> str:
    """Run a command to its end; its output. Raises CalledProcessError."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def plug_in_networks() -> None:
    """The private network of the three machines, and the front by which visitors come."""
    for name, net in (("private", PRIVATE), ("front", FRONT)):
        run("ip", "link", "add", name, "type", "bridge")
        run("ip", "address", "add", f"{net}.{OBSERVER}/24", "dev", name)
        run("ip", "link", "set", name, "up")


class Machine:
    """One of the three: a place on both networks, a disk that can fill up, processes."""

    def __init__(self, folder: Path, number: int) -> None:
        self.name = f"db{number}"
        self.address = f"{PRIVATE}.{number}"
        self.front = f"{FRONT}.{number}"
        self.folder = folder / self.name
        self.disk = self.folder / "disk"
        self.logs = self.folder / "logs"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for made in (self.folder, self.disk, self.logs):
            made.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0755", "tmpfs", str(self.disk))
        for path in (self.folder, self.disk, self.logs):
            os.chown(path, NOBODY, NOBODY)
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        for net, address in (("private", self.address), ("front", self.front)):
            cable, end = f"{self.name}-{net}", ("name", net, "netns", self.name)
            run("ip", "link", "add", cable, "type", "veth", "peer", *end)
            run("ip", "-n", self.name, "address", "add", f"{address}/24", "dev", net)
            run("ip", "-n", self.name, "link", "set", net, "up")
            run("ip", "link", "set", cable, "master", net, "up")

    # --- its processes ------------------------------------------------------------------------

    def start(self, name: str, *words: str, cwd: Path, environ: Mapping[str, str]) -> None:
        """Start a process on this machine, as nobody."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*self._inside(), *words], cwd=cwd, env=dict(environ),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def call(
        self, *words: str, cwd: Path, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on this machine to its end, as nobody."""
        return subprocess.run(
            [*self._inside(), *words], cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def _inside(self) -> list[str]:
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        # The interpreter may lie in a folder that only root may enter.
        look = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return ["ip", "netns", "exec", self.name, *user, *look]

    def runs(self, name: str) -> bool:
        """Whether a process that was started is still there."""
        return self._processes[name].poll() is None

    def kill(self, *names: str) -> None:
        """SIGKILL for these, whatever they started, and the database where Patroni is one of them.

        No time to say anything to anybody.
        """
        roots = [self._processes[name].pid for name in names]
        postmaster = self.disk / DATABASE / "postmaster.pid"
        if "patroni" in names and postmaster.exists():
            roots.append(int(postmaster.read_text().split()[0]))
        victims = []
        for root in roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(root)
                victims += [parent, *parent.children(recursive=True)]
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)
        for name in names:
            self._processes[name].wait()

    def switch_off(self) -> None:
        """Everything down, and its disk gone."""
        self.kill(*self._processes)
        run("umount", "--lazy", str(self.disk))

    # --- its network and its disk -------------------------------------------------------------

    def cut_off(self) -> None:
        """Pull its cable to the other machines; visitors still reach it."""
        run("ip", "link", "set", f"{self.name}-private", "nomaster")

    def plug_in(self) -> None:
        """Put the cable back."""
        run("ip", "link", "set", f"{self.name}-private", "master", "private")

    def fill_disk(self) -> None:
        """Write until nothing fits any more."""
        with (self.disk / "filler").open("wb", 0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))

    def empty_disk(self) -> None:
        """What the operator would do: find what filled it, and delete that."""
        (self.disk / "filler").unlink()
