"""Text at the edge: bytes decoded without loss, typed text checked, Markdown made safe."""

from __future__ import annotations

import binascii
import datetime as dt
import re
from typing import IO

import bleach
from markdown_it import MarkdownIt
from markupsafe import Markup
from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser

from app.errors import N_, Invalid


class StrictFormParser(FormDataParser):
    """Forms decoded without loss: bytes that aren't UTF-8 become lone surrogates, not lookalikes.

    Werkzeug replaces them (multipart) or leaves them percent-encoded; both would store something
    else than what was sent, without a word.
    """

    def _parse_urlencoded(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        body = stream.read()
        if self.max_form_memory_size is not None and len(body) > self.max_form_memory_size:
            raise RequestEntityTooLarge
        pairs = (part.partition(b"=") for part in body.split(b"&") if part)
        fields = [(_form_text(name), _form_text(value)) for name, _, value in pairs]
        return stream, self.cls(fields), self.cls()

    def _parse_multipart(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        parser = _ByteExactParser(
            stream_factory=self.stream_factory,
            max_form_memory_size=self.max_form_memory_size,
            max_form_parts=self.max_form_parts,
            cls=self.cls,
        )
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("missing boundary")
        form, files = parser.parse(stream, boundary, content_length)
        fields = [(name, _utf8(value.encode("latin-1"))) for name, value in form.items(multi=True)]
        return stream, self.cls(fields), files


class _ByteExactParser(MultiPartParser):
    def get_part_charset(self, headers: Headers) -> str:
        return "iso-8859-1"  # one character a byte: nothing is replaced before we look


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


# A character of Chinese is three of these: a run of them is taken at once.
_ESCAPED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


def _form_text(raw: bytes) -> str:
    return _utf8(_ESCAPED.sub(_unescaped, raw.replace(b"+", b" ")))


def _unescaped(run: re.Match[bytes]) -> bytes:
    return binascii.unhexlify(run[0].replace(b"%", b""))


# No text: control characters (Cc) but for tabs and line ends, and halves of a surrogate pair (Cs).
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str, *, field: str, at_most: int) -> str:
    """What somebody typed, its line ends made LF; nothing else is changed.

    Tabs, line breaks, bidi and zero-width characters stay. Raises Invalid for control characters,
    for bytes that are no text, and over `at_most` characters.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _NO_TEXT.search(text):
        raise Invalid(
            N_(
                "您写的字里夹着看不见的或坏了的字，什么都没有存下。"
                "您写的还在下面：请删去或重打那一处，再交一次。"
            ),
            field=field,
        )
    if len(text) > at_most:
        raise Invalid(
            N_(
                "一共写了 %(length)d 个字，最多 %(limit)d 个字。您写的还在下面，一个字也没有丢："
                "请删短一些，或分成几次来写。"
            ),
            field=field,
            length=len(text),
            limit=at_most,
        )
    return text


def printable(text: str) -> str:
    """Typed text that was refused, fit to be shown again: what is no text becomes U+FFFD."""
    return _NO_TEXT.sub("\ufffd", text)


# A small Markdown: paragraphs, line breaks, emphasis, bullets, links. Numbers at the start of a
# line stay as they were typed: offices number their points, and a list would count them anew.
# So do runs of asterisks: they mask names and plates.
_MARKDOWN = MarkdownIt("zero", {"html": False, "breaks": True}).enable(
    ["emphasis", "list", "link", "newline", "escape"]
)
_NUMBERED = re.compile(r"^([ \t]*\d{1,9})([.)])", re.MULTILINE)
_MASK = re.compile(r"[*_]{3,}|_")
_TAGS = frozenset({"p", "br", "strong", "em", "ul", "li", "a"})


def rich_text(text: str) -> Markup:
    """The desk's Markdown as safe HTML: a renderer with raw HTML off, then bleach over its output.

    Only what the desk writes passes here; speakers' words are plain text everywhere.
    """
    literal = _MASK.sub(lambda run: "".join(f"\\{c}" for c in run[0]), text)
    html = _MARKDOWN.render(_NUMBERED.sub(r"\1\\\2", literal))
    return Markup(  # noqa: S704 (cleaned on this very line)
        bleach.clean(
            html,
            tags=_TAGS,
            attributes={"a": ["href"]},
            protocols={"http", "https", "mailto", "tel"},
            strip=True,
        )
    )


def letter(text: str) -> Markup | None:
    """The desk's words to a speaker as HTML where they hold markup, else None: shown exactly."""
    html = rich_text(text)
    return None if "".join(html.striptags().split()) == "".join(text.split()) else html


_BREAKS = re.compile(r"<br\s*/?>|</p>|</li>|</ul>")


def plain_lines(text: str) -> list[str]:
    """The desk's Markdown as lines without markup, for paper; an empty one between paragraphs."""
    html = str(rich_text(text)).replace("\n", "").replace("<li>", "· ")
    html = (
        html.replace("</p>", "</p><br>").replace("</ul>", "</ul><br>").replace("</p></li>", "</li>")
    )
    lines = [str(Markup(part).striptags()) for part in _BREAKS.sub("\x00", html).split("\x00")]  # noqa: S704 (tags are taken out, nothing is shown as HTML)
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return kept[:-1] if kept and not kept[-1] else kept


def date_of(text: str) -> dt.date | None:
    """A date as a form sends it, 2026-11-30; None when it is none."""
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        return None
