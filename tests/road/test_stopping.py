"""A stop in the middle of the day: whoever was asked still answers, whoever works finishes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest

from app import crypto
from tests.road.conftest import free_port, wait_for

ROOT = Path(__file__).parent.parent.parent
VISITORS = 8


def begin(tmp_path: Path, *command: str) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    environ = os.environ | {"DATA_DIR": str(tmp_path), "PORT": str(port), "LIMITS": "off"}
    flask = [sys.executable, "-m", "flask", "--app", "app"]
    subprocess.run([*flask, "init"], cwd=ROOT, env=environ, check=True, capture_output=True)
    whole = [sys.executable, "-m", *command]
    return subprocess.Popen(whole, cwd=ROOT, env=environ), port


@pytest.mark.long
def test_requests_in_flight_are_answered_after_the_signal(tmp_path: Path) -> None:
    """A looked-up code waits for its tenth of a second: the signal comes in between."""
    server, port = begin(tmp_path, "gunicorn", "-c", "deploy/gunicorn.conf.py", "app:create_app()")
    base, said = f"http://127.0.0.1:{port}", []
    wait_for(base)

    def ask(number: int) -> None:
        body = urlencode({"code": crypto.format_code(number)}).encode()
        with urllib.request.urlopen(f"{base}/receipt", body, timeout=60) as answer:
            said.append((answer.status, b'data-error="unknown"' in answer.read()))

    visitors = [threading.Thread(target=ask, args=(number,)) for number in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    time.sleep(0.08)
    server.send_signal(signal.SIGTERM)
    for visitor in visitors:
        visitor.join()
    assert server.wait(40) == 0
    assert said == [(200, True)] * VISITORS


@pytest.mark.long
def test_a_worker_ends_by_itself_after_the_signal(tmp_path: Path) -> None:
    worker, _ = begin(tmp_path, "flask", "--app", "app", "worker")
    time.sleep(6)
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
