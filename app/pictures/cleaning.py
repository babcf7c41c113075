"""Uploads taken in: developed anew in a process of its own, or refused with a kind sentence."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import N_, Invalid, TooMany

MOST_FILES = 5
MOST_BYTES = 10 * 1024 * 1024
SECONDS = 9.5  # with what starting and ending a process costs, ten
DARKROOM = Path(__file__).with_name("darkroom.py")
# No setting of this instance reaches the process that opens strangers' files.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
# At most so many forms at once in this process, each with up to 512 MB; the others wait their turn.
# Waiting and five slow files together end before the proxy's patience does (75 seconds).
_TURNS = threading.BoundedSemaphore(2)
_PATIENCE = 20.0
_HEAD = struct.Struct(">III")

# Office files (ZIP, OLE, RTF), archives, pages and drawings in markup, scripts and plain text.
_DOCUMENTS = re.compile(
    rb"PK\x03\x04|PK\x05\x06|PK\x07\x08|\xd0\xcf\x11\xe0|\{\\rtf|Rar!|7z\xbc\xaf|\x1f\x8b|BZh"
    rb"|\xfd7zXZ|(?:\xef\xbb\xbf)?\s*<|[\t\n\r\x20-\x7e\x80-\xff]{64}"
)
_PICTURES = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF....WEBP|....ftyp|\s*%PDF-", re.DOTALL)

_REASONS = {
    "empty": N_("第 %(number)d 个文件是空的，没有投进去。请重新选一个。"),
    "document": N_(
        "第 %(number)d 个文件不是照片，也不是 PDF，没有投进去。"
        "文档、表格、网页、压缩包里常常带着写的人的名字，所以不收：请把里面的字粘贴到上面。"
    ),
    "unknown": N_(
        "第 %(number)d 个文件认不出来，没有投进去。"
        "能附的是照片（JPEG、PNG、WebP、HEIC）和 PDF；别的请把字写在上面，或者拍成照片。"
    ),
    "pixels": N_("第 %(number)d 张图太大，没有投进去。请截取要紧的一块，或者用手机重新拍一张。"),
    "pages": N_("第 %(number)d 个文件超过二十页，没有投进去。请挑要紧的几页。"),
    "locked": N_("第 %(number)d 个文件上了密码，打不开，没有投进去。请去掉密码，或者拍成照片。"),
    "slow": N_("第 %(number)d 个文件处理得太久，没有投进去。请少选几页，或者拍成照片。"),
    "broken": N_("第 %(number)d 个文件损坏了，打不开，没有投进去。请重新选，或者再拍一张。"),
}


@dataclass(frozen=True)
class Picture:
    """A picture made anew: a JPEG that holds pixels and nothing else."""

    width: int
    height: int
    jpeg: bytes = field(repr=False)


Developed = tuple[Picture, ...]


def develop(files: Sequence[bytes]) -> tuple[Developed, ...]:
    """The pictures of each file: one of a photograph, one for each page of a PDF.

    The same file gives the same bytes. Raises Invalid (field `files`) for what can't be taken,
    TooMany when too many people send pictures at this moment.
    """
    if len(files) > MOST_FILES:
        raise Invalid(
            N_("一次最多附 %(limit)d 个文件，您选了 %(count)d 个，没有投进去。请挑要紧的几个。"),
            field="files",
            limit=MOST_FILES,
            count=len(files),
        )
    if sum(map(len, files)) > MOST_BYTES:
        raise Invalid(
            N_("附的文件加起来超过了 10 MB，没有投进去。请少选一两个，或者分几次投。"),
            field="files",
        )
    for number, content in enumerate(files, 1):
        if not content:
            raise _refusal("empty", number)
        if not _PICTURES.match(content) and _DOCUMENTS.match(content):
            raise _refusal("document", number)
    if not _TURNS.acquire(timeout=_PATIENCE):
        raise TooMany(N_("这会儿送照片的人多，没有排上，什么都没有投进去。请过几分钟再投一次。"))
    try:
        return tuple(_developed(content, number) for number, content in enumerate(files, 1))
    finally:
        _TURNS.release()


def _developed(content: bytes, number: int) -> Developed:
    try:
        made = subprocess.run(  # noqa: S603 (our own program; the file comes by a pipe)
            [sys.executable, "-I", "-B", str(DARKROOM)],
            input=content,
            capture_output=True,
            cwd="/",
            env=_ENVIRONMENT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refusal("slow", number) from None
    if made.returncode:
        raise _refusal(_reason(made.returncode, made.stderr), number)
    return _pictures(made.stdout)


def _reason(status: int, said: bytes) -> str:
    """Why a file wasn't developed: its word, or the end that its limits put to it."""
    if status in (-9, -24):  # SIGKILL and SIGXCPU: the processor's time is up
        return "slow"
    word = said.decode("ascii", "replace").rpartition("\n")[2]
    return word if status == 1 and word in _REASONS else "broken"


def _refusal(reason: str, number: int) -> Invalid:
    return Invalid(_REASONS[reason], field="files", number=number)


def _pictures(out: bytes) -> Developed:
    found = []
    at = 0
    while at < len(out):
        width, height, length = _HEAD.unpack_from(out, at)
        at += _HEAD.size
        found.append(Picture(width, height, out[at : at + length]))
        at += length
    return tuple(found)
