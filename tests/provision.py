"""Finds what browser tests and the attack need, else installs it from Debian where possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"chromium": "chromium", "w3m": "w3m", "lynx": "lynx", "nginx": "nginx-light"}
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
# The Nu HTML checker, for the long tests: npm's package, run by Debian's Java.
ROOT = Path(__file__).parent.parent
VALIDATOR = ROOT / ".venv" / "validator" / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
CLUSTER_PACKAGES = {"etcd": "etcd-server", "haproxy": "haproxy", "ip": "iproute2"}
# Their packages start a server; the tests want the program alone.
SERVERS = {"nginx-light": "nginx", "etcd-server": "etcd", "haproxy": "haproxy"}
LONG_PACKAGES = {"java": "default-jre-headless"}
FONT = ("fonts-noto-cjk", Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"))


def missing(needed: dict[str, str]) -> list[str]:
    """The Debian packages whose programs aren't here."""
    wanted = [
        package for program, package in needed.items() if shutil.which(program, path=PATH) is None
    ]
    return wanted + ([] if FONT[1].exists() else [FONT[0]])


def fetch_validator() -> None:
    """Have npm bring the pinned checker, by the hash in its lock file."""
    folder = VALIDATOR.parents[4]
    shutil.copytree(ROOT / "tests" / "validator", folder, dirs_exist_ok=True)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(words, cwd=folder, check=True)


def main(*, long: bool = False, cluster: bool = False) -> int:
    """0 when everything is here or was installed."""
    if long and not VALIDATOR.exists():
        fetch_validator()
    more = (LONG_PACKAGES if long else {}) | (CLUSTER_PACKAGES if cluster else {})
    packages = missing(PACKAGES | more)
    if not packages:
        return 0
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        print(f"== installing {' '.join(packages)}", flush=True)
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [apt, "-qq", *words], env=environ, stdout=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                break
        started = [SERVERS[package] for package in packages if package in SERVERS]
        if started and Path("/run/systemd/system").exists():
            subprocess.run(["systemctl", "disable", "--now", *started], check=False)
        packages = missing(PACKAGES | more)
    if packages:
        print(f"SKIPPED: the tests that need {' '.join(packages)}, which can't be installed here")
        return 1 if os.environ.get("CI") == "true" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(long="--long" in sys.argv, cluster="--cluster" in sys.argv))
