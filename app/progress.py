"""Long work in a thread of its own, its progress told while it runs.

A page that is sent piece by piece waits for whoever reads it; the transaction of the work must not:
on SQLite everybody's drop would wait with it.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

# What is being done, how many of it are done, how many there are.
Step = tuple[str, int, int]
Progress = Callable[[str, int, int], None]
# Between two steps that are told, in seconds.
PAUSE = 0.3
_Done = TypeVar("_Done")


class Running(Generic[_Done]):
    """Work that has begun: iterate over its steps, then ask for its result."""

    def __init__(self, work: Callable[[Progress], _Done]) -> None:
        self._steps: queue.SimpleQueue[Step | None] = queue.SimpleQueue()
        self._told_at = time.monotonic()
        pool = ThreadPoolExecutor(max_workers=1)
        self._future = pool.submit(work, self._tell)
        self._future.add_done_callback(lambda _: self._steps.put(None))
        pool.shutdown(wait=False)

    def _tell(self, what: str, count: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told_at >= PAUSE:
            self._told_at = now
            self._steps.put((what, count, total))

    def __iter__(self) -> Iterator[Step]:
        """The steps as they happen, a few a second; ends with the work."""
        while (step := self._steps.get()) is not None:
            yield step

    def result(self) -> _Done:
        """What the work returned; raises what it raised."""
        return self._future.result()
