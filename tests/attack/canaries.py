"""What must be found nowhere, in every spelling in which a file could hold it."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import stat
import urllib.parse
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ADDRESS = "127.77.66.55"  # where the canary speaker really comes from
CLAIMED = "203.0.113.77"  # what it claims in X-Forwarded-For
AGENT = "CanaryAgent/7.31"
LANGUAGE = "x-canary-lang"
REFERER = "https://canary-referer.example/came-from"
COOKIE = "canary=c00k1ec4n4ry"
IDENTITY = (ADDRESS, CLAIMED, AGENT, LANGUAGE, "canary-referer.example", "c00k1ec4n4ry")
HEADERS = {
    "User-Agent": AGENT,
    "Accept-Language": LANGUAGE,
    "Referer": REFERER,
    "X-Forwarded-For": CLAIMED,
    "Cookie": COOKIE,
}
WORDS = "只有我知道的这一句话"
MARK = "canarytext91"  # stands in every canary opinion beside the Chinese words
_MOST_INFLATED = 4 * 1024 * 1024


def spellings(secret: str) -> set[bytes]:
    """Raw, UTF-16, base64 (at each alignment), hex, percent, JSON and Python escapes."""
    raw = secret.encode()
    found = {raw, secret.encode("utf-16-le"), secret.encode("utf-16-be")}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        inner = coded[-(-shift * 8 // 6) : len(raw + b"\0" * shift) * 8 // 6]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    found |= {raw.hex().encode(), raw.hex().upper().encode()}
    found |= {urllib.parse.quote(secret).encode(), json.dumps(secret)[1:-1].encode()}
    found.add(repr(raw)[2:-1].encode())
    return {spelling for spelling in found if len(spelling) >= 8}


@dataclass(frozen=True)
class Hunt:
    """A search for several secrets at once."""

    secrets: tuple[str, ...]

    def hits(self, contents: Iterable[tuple[str, bytes]]) -> list[str]:
        """Where something was found."""
        every = {spelling for secret in self.secrets for spelling in spellings(secret)}
        return [
            name
            for name, content in contents
            if any(s in part for part in (content, *inflated(content)) for s in every)
        ]


def inflated(content: bytes) -> Iterator[bytes]:
    """Whatever in it is a zlib or gzip stream, unpacked."""
    view = memoryview(content)
    for start in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", content):
        piece = view[start.start() : start.start() + _MOST_INFLATED]
        try:
            unpacked = zlib.decompressobj(47).decompress(piece, _MOST_INFLATED)
        except zlib.error:
            continue
        if len(unpacked) >= 8:
            yield unpacked


def files_below(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every regular file there, by name."""
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                path = Path(parent) / name
                try:
                    if stat.S_ISREG(path.lstat().st_mode):
                        yield str(path), path.read_bytes()
                except OSError:  # a file of the database that went while we looked
                    continue


def open_files(process_ids: Iterable[int], *besides: Path) -> Iterator[tuple[str, bytes]]:
    """Every regular file that these processes hold open: without a name, or not below `besides`."""
    seen = set()
    for process_id in process_ids:
        folder = Path(f"/proc/{process_id}/fd")
        try:
            descriptors = list(folder.iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                state, name = descriptor.stat(), os.readlink(descriptor)
                named = state.st_nlink and any(name.startswith(f"{place}/") for place in besides)
                inode = (state.st_dev, state.st_ino)
                if not stat.S_ISREG(state.st_mode) or named or inode in seen:
                    continue
                seen.add(inode)
                yield f"{process_id}: {name}", descriptor.read_bytes()
            except OSError:
                continue


def self_test() -> None:
    """A hunt that finds nothing anywhere proves nothing: it must find what is planted."""
    hunt = Hunt((WORDS, "4821-9043"))
    planted = [
        WORDS.encode(), WORDS.encode("utf-16-le"), WORDS.encode().hex().encode(),
        *(base64.b64encode(b"x" * n + WORDS.encode() + b"y" * n) for n in range(4)),
        zlib.compress(b"before" + WORDS.encode()), gzip.compress(WORDS.encode()),
        b"noise" + zlib.compress(b"4821-9043" * 3), repr(WORDS.encode()).encode(),
    ]  # fmt: skip
    missed = [n for n, content in enumerate(planted) if not hunt.hits([("planted", content)])]
    if missed or hunt.hits([("clean", os.urandom(65536))]):
        raise AssertionError(f"the hunt is blind to planted canaries {missed}")
