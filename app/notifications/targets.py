"""Where our server may connect to: never into its own network by somebody's say-so.

Threat: a robot's URL typed at a desk that leads to the database, to a metadata service, or to a
name that turns private between the check and the connection.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 5.0, 10.0, 20.0
_UNICAST = ipaddress.IPv6Network("2000::/3")


class PrivateTargetError(Exception):
    """The name leads to an address that isn't public."""


def public_address(host: str, port: int) -> str:
    """An address of the host that is public; raises PrivateTargetError, OSError.

    One private address among several is enough to refuse: a resolver may be in somebody's hand.
    """
    found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    if not all(_is_public(str(text).split("%")[0]) for text in found):
        raise PrivateTargetError
    return str(sorted(found)[0])


def _is_public(text: str) -> bool:
    """Whether an address is everybody's; one that wraps another (6to4, NAT64) leads to that one."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_global and address in _UNICAST and address.sixtofour is None
    return address.is_global and not address.is_multicast


@contextmanager
def pool(*, allow_private: bool) -> Iterator[urllib3.PoolManager]:
    """Connections for one delivery: no redirect is followed, nothing is retried by itself.

    The address that was checked is the one connected to: no second look-up in between. After
    WHOLE_SECONDS every connection is cut, however slowly the other side drips its bytes.
    """
    opened: list[socket.socket] = []

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, opened, allow_private=allow_private)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, opened, allow_private=allow_private)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    manager = urllib3.PoolManager(timeout=timeout, retries=False)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    end = threading.Timer(WHOLE_SECONDS, _cut, [opened])
    end.daemon = True
    end.start()
    try:
        with manager:
            yield manager
    finally:
        end.cancel()
        for handle in opened:
            handle.close()


def _connect(
    connection: HTTPConnection, opened: list[socket.socket], *, allow_private: bool
) -> socket.socket:
    host, port = connection.host, connection.port
    try:
        address = host if allow_private else public_address(host, port)
        made = create_connection((address, port), CONNECT_SECONDS)
    except OSError as error:
        raise NewConnectionError(connection, type(error).__name__) from None
    opened.append(made.dup())  # a handle of our own: TLS takes the socket over
    return made


def _cut(opened: list[socket.socket]) -> None:
    for handle in opened:
        with suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)
