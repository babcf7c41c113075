"""A batch as it was typed: rows of the page, each somebody's words, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from flask import request

from app import crypto
from app.cases.models import Channel
from app.errors import N_, Invalid
from app.intake.service import MOST_ENTRIES, Destination, Entry
from app.submissions import service as submissions
from app.submissions.models import SpeakerGroup
from app.submissions.self_identification import check
from app.submissions.service import About, Publish, Recipient
from app.text import clean, printable

FIRST_ROWS, MORE_ROWS = 5, 5
_Choice = TypeVar("_Choice", bound=StrEnum)


@dataclass(frozen=True)
class Row:
    """One row, to be shown again as it was typed."""

    opinion: str = ""
    speaker: str = SpeakerGroup.UNSAID
    about: str = About.UNSAID
    publish: str = Publish.SUMMARY
    recipient: str = Recipient.BRANCH
    code: str = field(default="", repr=False)


NAMES = ("opinion", "speaker", "about", "publish", "recipient", "code")


@dataclass(frozen=True)
class Boxes:
    """Where a row can go: the branch's own box, and the supervision group's past it."""

    branch: Destination
    superior: Destination | None = None


def blank(channel: Channel) -> list[Row]:
    """The rows of a page that was just opened: a caller is one, a pile of paper is many."""
    return [Row()] * (1 if channel is Channel.PHONE else FIRST_ROWS)


def typed() -> list[Row]:
    """The rows of the page that was sent."""
    columns = [request.form.getlist(name)[:MOST_ENTRIES] for name in NAMES]
    most = max(map(len, columns))
    padded = [column + [""] * (most - len(column)) for column in columns]
    return [Row(*row) for row in zip(*padded, strict=True)]


def shown(rows: Sequence[Row]) -> list[Row]:
    """The same as a page can show them."""
    return [replace(row, opinion=printable(row.opinion), code=printable(row.code)) for row in rows]


def with_more(rows: Sequence[Row]) -> list[Row]:
    """The same with a few empty rows below, up to the most that a batch holds."""
    return [*rows, *[Row()] * min(MORE_ROWS, MOST_ENTRIES - len(rows))]


def entries(rows: Sequence[Row], boxes: Boxes, channel: Channel) -> list[Entry | None]:
    """What the rows say; None for an empty one, so that each keeps its number. Raises Invalid."""
    made = [_entry(number, row, boxes, channel) for number, row in enumerate(rows, start=1)]
    if not any(made):
        raise Invalid(N_("还没有写字，什么都没有存下。请写好再录。"), field="opinion")
    return made


def _entry(number: int, row: Row, boxes: Boxes, channel: Channel) -> Entry | None:
    text = clean(row.opinion, field="opinion", at_most=submissions.MAX_OPINION)
    if not text.strip():
        if row.code.strip():
            raise Invalid(
                N_("第 %(number)d 份只有号码，没有文字，一份也没有存。请补上文字，或删去号码。"),
                field="code",
                number=number,
            )
        return None
    if crypto.contains_code(text):
        raise Invalid(
            N_("第 %(number)d 份的文字里好像有一个回执码，一份也没有存。请删去它再录。"),
            field="opinion",
            number=number,
        )
    to = boxes.superior if row.recipient == Recipient.SUPERIOR else boxes.branch
    if to is None:
        raise Invalid(N_("监督组的意见箱现在没有人保管，一份也没有存。请先留着纸，过几天再录。"))
    return Entry(
        to=to,
        text=text,
        speaker=_choice(SpeakerGroup, row.speaker),
        about=_choice(About, row.about),
        publish=_choice(Publish, row.publish),
        code=_code(number, row.code) if channel is Channel.PAPER and row.code.strip() else "",
    )


def _choice(kind: type[_Choice], value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise Invalid(N_("有一项选的不在列出来的里面，一份也没有存。请重新选一次。")) from None


def _code(number: int, text: str) -> str:
    try:
        return crypto.parse_code(text)
    except crypto.MistypedCodeError:
        raise Invalid(
            N_("第 %(number)d 份的号码有一位不对，一份也没有存。请对着纸再看一遍。"),
            field="code",
            number=number,
        ) from None


# --- what would give a speaker away ---------------------------------------------------------------


def masked(made: Sequence[Entry | None]) -> list[Entry | None]:
    """The same with what would give the speakers away masked."""
    return [entry and replace(entry, text=check.mask(entry.text)) for entry in made]


def telling(made: Sequence[Entry | None]) -> list[tuple[int, tuple[check.Piece, ...]]]:
    """The rows, by number, whose words would give their speakers away."""
    return [
        (number, check.excerpt(entry.text))
        for number, entry in enumerate(made, start=1)
        if entry and check.find(entry.text)
    ]


def again() -> list[tuple[str, str]]:
    """Everything that was sent, to be sent once more; not what was decided or read back."""
    left_out = ("csrf_token", "decision", "more", "read_back")
    return [
        (name, printable(value))
        for name, value in request.form.items(multi=True)
        if name not in left_out
    ]
