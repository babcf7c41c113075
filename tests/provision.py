"""Finds what browser tests and the attack need, else installs it from Debian where possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"chromium": "chromium", "w3m": "w3m", "nginx": "nginx-light"}
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
FONT = ("fonts-noto-cjk", Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"))


def missing() -> list[str]:
    """The Debian packages whose programs aren't here."""
    wanted = [
        package for program, package in PACKAGES.items() if shutil.which(program, path=PATH) is None
    ]
    return wanted + ([] if FONT[1].exists() else [FONT[0]])


def main() -> int:
    """0 when everything is here or was installed."""
    packages = missing()
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
        if "nginx-light" in packages and Path("/run/systemd/system").exists():
            # Its package starts a server for the public; the tests want the program alone.
            subprocess.run(["systemctl", "disable", "--now", "nginx"], check=False)
        packages = missing()
    if packages:
        print(f"SKIPPED: the tests that need {' '.join(packages)}, which can't be installed here")
        return 1 if os.environ.get("CI") == "true" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
