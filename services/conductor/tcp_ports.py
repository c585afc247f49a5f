"""Which port each server takes: its usual one, or the next free one when somebody else holds it.

Between the choice and the server's own bind seconds may pass; for that time the port is reserved against other starts on this
machine by a UDP socket on the same number, which no TCP server minds.
"""

import contextlib
import socket
from collections.abc import Iterable, Iterator, Mapping

USUAL = {
    "api": 8000,
    "postgres": 5432,
    "valkey": 6379,
    "rabbitmq": 5672,
    "epmd": 4369,
    "erlang": 25672,
    "payments": 8101,
    "carrier": 8102,
    "mail": 8103,
    "smtp": 8025,
    "supervisor": 9001,
}
"""The first port to try, by name."""

OF_RABBITMQ = ("rabbitmq", "epmd", "erlang")
"""Needed only by a RabbitMQ node of our own."""


def free(port: int) -> bool:
    """Whether nobody holds the port on this machine's loopback address."""
    with socket.socket() as probe:
        # As a server does: a connection of the last run that is still closing is no owner.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def reserved(names: Iterable[str], stored: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """A free port for each name: the stored one first, then the usual one, then the next free one above it.

    Nobody who chooses this way gets the same ones until the block ends.
    """
    with contextlib.ExitStack() as held:
        yield {name: _first_free(_candidates(name, stored), held) for name in names}


def _candidates(name: str, stored: Mapping[str, int]) -> Iterator[int]:
    if name in stored:
        yield stored[name]
    yield from range(USUAL[name], 65536)


def _first_free(candidates: Iterable[int], held: contextlib.ExitStack) -> int:
    for port in candidates:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        held.enter_context(reservation)
        if free(port):
            return port
    raise OSError("no free port is left on 127.0.0.1")
