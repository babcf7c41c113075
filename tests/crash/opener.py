"""The opening and the log's run, as the worker does them, when a line comes in; beside `app`."""

from __future__ import annotations

import sys

from app import cli, create_app
from app import worker as jobs
from app.web import clock, config

app = create_app()
with app.app_context():
    print("ready", flush=True)
    for _ in sys.stdin:
        opened = cli.run_opening(now=True)
        jobs.run_log(config(), clock())
        print(opened.drops if opened else 0, flush=True)
