"""What a process says to its operator: one line each, in words or, with LOG_FORMAT=json, as JSON.

No line holds a text, a code, an address, an agent or an id of anybody; nor a time: whoever collects
the lines has a clock, and what a fault of a speaker's page keeps of its second is theirs to bound.
"""

from __future__ import annotations

import json
import sys

_form = {"json": False}


def use(log_format: str) -> None:
    """Say everything in this form from now on: `text` or `json`."""
    _form["json"] = log_format == "json"


def say(event: str, words: str, **parts: str | int) -> None:
    """One line on stderr: an event's name with its sentence and its parts, names and numbers."""
    line = words
    if _form["json"]:
        line = json.dumps({"event": event, "words": words, **parts}, ensure_ascii=False)
    print(line, file=sys.stderr, flush=True)  # noqa: T201
