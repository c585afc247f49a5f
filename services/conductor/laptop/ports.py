"""Which port each server takes: its usual one, or the next free one when somebody else holds it.

Between the choice and the server's own bind seconds may pass; for that time the port is reserved against other starts on this
machine by a UDP socket on the same number, which no TCP server minds. A platform that runs keeps its ports in the same way: one whose
API is just being started again would share its port with another platform's, which got it meanwhile, and each get half of the requests.
"""

import contextlib
import socket
from collections.abc import Iterable, Iterator, Mapping

USUAL = {
    "postgres": 5432,
    "valkey": 6379,
    "rabbitmq": 5672,
    "epmd": 4369,
    "erlang": 25672,
    "supervisor": 9001,
}
"""The first port to try, by name; outside programs bring their own."""

TRACES = 4318
"""The first port to try for what keeps spans: the usual one of OTLP over HTTP."""

API = 8000
"""The first port to try for a capstone's API."""

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
def reserved(
    names: Iterable[str], stored: Mapping[str, int], usual: Mapping[str, int] = USUAL
) -> Iterator[dict[str, int]]:
    """A free port for each name: the stored one first, then the usual one, then the next free one above it.

    Nobody who chooses this way gets the same ones until the block ends.
    """
    with contextlib.ExitStack() as held:
        yield {name: _first_free(_candidates(name, stored, usual), held) for name in names}


class Kept:
    """The ports of a platform that runs, as far as nobody reserves them yet."""

    def __init__(self, ports: Iterable[int]) -> None:
        self._missing = set(ports)
        self._held = contextlib.ExitStack()

    def take(self) -> None:
        """Reserve what is not reserved yet; to be called again while the start that chose the ports may still hold them."""
        for port in sorted(self._missing):
            with contextlib.suppress(OSError):
                self._held.enter_context(_reservation(port))
                self._missing.remove(port)

    def close(self) -> None:
        """Let go of all."""
        self._held.close()


def _candidates(name: str, stored: Mapping[str, int], usual: Mapping[str, int]) -> Iterator[int]:
    if name in stored:
        yield stored[name]
    yield from range(usual[name], 65536)


def _first_free(candidates: Iterable[int], held: contextlib.ExitStack) -> int:
    for port in candidates:
        try:
            held.enter_context(_reservation(port))
        except OSError:
            continue
        if free(port):
            return port
    raise OSError("no free port is left on 127.0.0.1")


def _reservation(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        raise
    return found
