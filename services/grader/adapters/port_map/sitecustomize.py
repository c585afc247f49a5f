"""Leads connections to a port of this machine to another one, as CAPSTONE_LAB_PORTS says: `6379:41873,5672:41911`. In a cluster they are
ports of CAPSTONE_LAB_HOST, an address.

The grader's servers take free ports, and an answer says `localhost:6379`. Every other address is refused, so that an answer does not find
by accident what else runs on this machine. It keeps nobody out who wants to get there.
"""

import errno
import os
import socket
from typing import Any

PORTS = {
    int(a): int(b) for a, _, b in (pair.partition(":") for pair in os.environ["CAPSTONE_LAB_PORTS"].split(",") if pair)
}
HOST = os.environ.get("CAPSTONE_LAB_HOST", "")
HERE = {"localhost", "127.0.0.1", "::1"}


def _led(family: int, address: Any) -> Any:
    """The address to connect to instead. Raises ConnectionRefusedError for one that is not the lab's.

    The servers listen on IPv4 alone, so that an IPv6 address is refused as well.
    """
    if family not in (socket.AF_INET, socket.AF_INET6):
        return address
    if family == socket.AF_INET and address[0] in HERE and address[1] in PORTS:
        return (HOST or address[0], PORTS[address[1]])
    raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _connect(self: socket.socket, address: Any) -> None:
    return _socket_connect(self, _led(self.family, address))


def _connect_ex(self: socket.socket, address: Any) -> int:
    try:
        return _socket_connect_ex(self, _led(self.family, address))
    except ConnectionRefusedError:
        return errno.ECONNREFUSED


_socket_connect, _socket_connect_ex = socket.socket.connect, socket.socket.connect_ex
socket.socket.connect = _connect  # type: ignore[method-assign,assignment]
socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign,assignment]
