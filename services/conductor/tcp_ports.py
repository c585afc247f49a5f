"""Which port each server takes: its usual one, or the next free one when somebody else holds it.

A port is free when it can be bound on loopback; between that and the server's own bind somebody may still take it, which
ends the start with that server's log.
"""

import socket
from collections.abc import Iterable, Mapping

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


def choose(names: Iterable[str], stored: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the stored one first, then the usual one, then the next free one above it."""
    taken: dict[str, int] = {}
    for name in names:
        candidates = [stored[name]] if name in stored else []
        taken[name] = _first_free([*candidates, *range(USUAL[name], 65536)], set(taken.values()))
    return taken


def _first_free(candidates: Iterable[int], taken: set[int]) -> int:
    return next(port for port in candidates if port not in taken and free(port))
