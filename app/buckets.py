"""Limits without identity: token buckets in the memory of one process, kept nowhere."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading

from app.clock import Clock


class Buckets:
    """Token buckets in memory, loose, keyed by HMAC(salt of this hour, network).

    The salt lives in memory for an hour, so a key can't be turned back into an address later, and
    nothing is kept anywhere else. One village may share one address: the bucket is generous.
    """

    CAPACITY = 300.0
    PER_SECOND = 1.0
    MOST = 50_000

    def __init__(self, hand: Clock) -> None:
        self._clock = hand
        self._lock = threading.Lock()
        self._hour = -1
        self._salt = b""
        self._buckets: dict[bytes, tuple[float, float]] = {}

    def take(self, name: str, address: str | None, cost: float = 1.0) -> bool:
        """Whether there is still a token for this network; takes it."""
        now = self._clock.now().timestamp()
        with self._lock:
            if int(now // 3600) != self._hour or len(self._buckets) > self.MOST:
                self._hour, self._salt = int(now // 3600), secrets.token_bytes(32)
                self._buckets = {}
            message = f"{name} {_network(address)}".encode()
            key = hmac.digest(self._salt, message, "sha256")
            tokens, at = self._buckets.get(key, (self.CAPACITY, now))
            tokens = min(self.CAPACITY, tokens + (now - at) * self.PER_SECOND)
            enough = tokens >= cost
            self._buckets[key] = (tokens - cost if enough else tokens, now)
            return enough


def _network(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    prefix = 32 if parsed.version == 4 else 64
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
