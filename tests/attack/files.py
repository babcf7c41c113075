"""Point 9: files that carry something, or are made to take time and memory, sent to the stack."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from tests.attack.canaries import Hunt, files_below, open_files
from tests.attack.stack import BOX, Answer, Client, Stack
from tests.attack.verdicts import Verdict, zero
from tests.pictures import hostile
from tests.pictures.hostile import CANARY, Hostile
from tests.visitor import multipart

NAME = "canaryname58"  # stands in every file's name
MOST = 512 * 1024 * 1024


def attachments(stack: Stack, *, every: bool = True) -> list[Verdict]:
    """Every hostile file, or each fifth; what came of it, and what is left of it anywhere."""
    sent = hostile.every()[:: 1 if every else 5]
    client = stack.client()
    wrong: list[str] = []
    carried: list[str] = []
    slow = 0.0
    with Watch(stack) as watch:
        for file in sent:
            began = time.monotonic()
            answer = enclose(client, "附一个文件", (NAME + file.name, file.content))
            slow = max(slow, time.monotonic() - began)
            wrong += _wrong(file, answer)
            if answer.status == 200:
                carried += _carried(client, file, answer)
    stack.command("open-boxes", "--now")
    places = stack.places()
    seen = [*files_below(*places), *open_files(stack.process_ids(), *places)]
    taken = sum(file.taken for file in sent)
    return [
        zero(f"9 hostile files not met as they should be (of {len(sent)})", wrong),
        zero(f"9 metadata canaries in pictures and pages (of {taken} taken)", carried),
        zero("9 metadata and file names on disk", Hunt((CANARY, NAME)).hits(seen)),
        Verdict("9 the slowest answer to a file", f"{slow:.1f} s", "10 s", slow < 10),
        Verdict(
            f"9 the most memory that a file took ({watch.processes} processes seen)",
            f"{watch.memory / 1024 / 1024:.0f} MB", "512 MB",
            0 < watch.memory <= MOST if watch.processes else None,
        ),
    ]  # fmt: skip


def enclose(client: Client, text: str, *files: tuple[str, bytes]) -> Answer:
    """Load the form and send it with files."""
    fields = {"ticket": client.get(BOX).ticket, "opinion": text}
    return client.send(BOX, *multipart(fields, files))


def _wrong(file: Hostile, answer: Answer) -> list[str]:
    if file.taken:
        met = answer.status == 200 and "data-receipt-code" in answer.body
    else:
        met = answer.status in (413, 422) and 'role="alert"' in answer.body
    return [] if met else [f"{file.name}: {answer.status}"]


def _carried(client: Client, file: Hostile, answer: Answer) -> list[str]:
    """Where something of the file's metadata comes back to its reader."""
    thread = client.thread(answer.code)
    offered = re.findall(r'name="picture" value="([0-9a-f]+)"', thread.body)
    looked = [
        client.post("/receipt/picture", ticket=thread.ticket, picture=leaf) for leaf in offered
    ]
    pages = [answer, thread, *looked]
    if not looked or any(page.status != 200 for page in pages):
        return [f"{file.name}: no picture to look at"]
    wide = CANARY.encode("utf-16-le").decode()
    held = [p for p in pages if CANARY in p.body or wide in p.body or NAME in p.body]
    return [file.name] if held else []


class Watch:
    """Looks at the processes that open files while they live: the most memory that any held."""

    def __init__(self, stack: Stack) -> None:
        self.memory = 0
        self.processes = 0
        self._stack = stack
        self._seen: set[int] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.processes = len(self._seen)

    def _look(self) -> None:
        while not self._done.wait(0.02):
            for process_id in self._stack.process_ids("gunicorn"):
                try:
                    words = Path(f"/proc/{process_id}/cmdline").read_bytes()
                    status = Path(f"/proc/{process_id}/status").read_text()
                except OSError:
                    continue  # it ended while we looked
                held = re.search(r"VmHWM:\s+(\d+) kB", status)
                if b"darkroom.py" in words and held:
                    self._seen.add(process_id)
                    self.memory = max(self.memory, int(held[1]) * 1024)
