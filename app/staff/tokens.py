"""Signed values that lapse: what the sign-in page and a trusted device carry; pure."""

from __future__ import annotations

import datetime as dt
import hashlib

from itsdangerous import BadData, URLSafeSerializer

from app.crypto import hkdf


def sign(instance_secret: bytes, purpose: str, values: dict[str, str], until: dt.datetime) -> str:
    """The values as a URL-safe signed string; each purpose has a key of its own.

    `until` is the UTC instant at which it lapses, to the second. It stands inside the signature:
    itsdangerous' own timed serializer reads the system's time, and time comes from `clock` alone.
    """
    body = {**values, "until": str(int(until.timestamp()))}
    return str(_serializer(instance_secret, purpose).dumps(body))


def read(
    instance_secret: bytes, purpose: str, token: str, now: dt.datetime
) -> dict[str, str] | None:
    """The values of a token that we signed for this purpose and that hasn't lapsed, else None."""
    try:
        body: dict[str, str] = _serializer(instance_secret, purpose).loads(token)
    except (BadData, UnicodeError):
        return None
    return body if now.timestamp() < int(body["until"]) else None


def _serializer(instance_secret: bytes, purpose: str) -> URLSafeSerializer:
    key = hkdf(instance_secret, purpose)
    return URLSafeSerializer(key, salt=purpose, signer_kwargs={"digest_method": hashlib.sha256})
