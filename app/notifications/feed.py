"""Atom feeds (RFC 4287) from plain values; a date and never an hour; pure."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

NAMESPACE = "http://www.w3.org/2005/Atom"
# What XML 1.0 can't say at all, escaped or not.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """Something that was published: `id` is 32 hex digits, `html` safe HTML."""

    id: str
    title: str
    on: dt.date
    html: str
    url: str
    changed_on: dt.date | None = None


def atom(
    *,
    own_url: str,
    page_url: str,
    title: str,
    author: str,
    zone: ZoneInfo,
    today: dt.date,
    entries: Sequence[Entry],
) -> bytes:
    """A feed of these entries; an empty one was last changed today."""
    root = ET.Element("feed", xmlns=NAMESPACE)
    _add(root, "id", uuid.uuid5(uuid.NAMESPACE_URL, own_url).urn)
    _add(root, "title", title)
    newest = max((entry.changed_on or entry.on for entry in entries), default=today)
    _add(root, "updated", _instant(newest, zone))
    _add(_add(root, "author"), "name", author)
    _add(root, "link", rel="self", type="application/atom+xml", href=own_url)
    _add(root, "link", rel="alternate", type="text/html", href=page_url)
    for entry in entries:
        node = _add(root, "entry")
        _add(node, "id", uuid.UUID(entry.id).urn)
        _add(node, "title", entry.title)
        _add(node, "published", _instant(entry.on, zone))
        _add(node, "updated", _instant(entry.changed_on or entry.on, zone))
        _add(node, "link", rel="alternate", type="text/html", href=entry.url)
        _add(node, "content", entry.html, type="html")
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, name, attributes)
    child.text = _NO_XML.sub("\ufffd", text) or None
    return child


def _instant(day: dt.date, zone: ZoneInfo) -> str:
    return dt.datetime.combine(day, dt.time(), zone).isoformat()
