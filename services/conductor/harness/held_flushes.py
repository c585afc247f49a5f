"""Keeps a worker of batches in its flush from the side of the store, where nobody can stop the worker's own process: a pod of a cluster.

While writes are paused (CLIENT PAUSE), a flush waits at the store. The store never carries out what a client sent that went away meanwhile.
So who is killed in that time is killed before its flush, with all that it holds unacknowledged. A pause ends by itself, whatever becomes of
who asked for it.
"""

import time
from collections.abc import Mapping, Sequence

from conductor.redis_client import connected
from conductor.waiting import until

PAUSE_SECONDS = 60.0
"""Longer than a flush and the end of a pod are waited for together."""

FLUSH_SECONDS = 10.0
"""How long a flush is waited for: a worker that consumes flushes several times in it."""

GONE_SECONDS = 40.0
"""How long a pod that was killed by force is waited for."""

LOOK_SECONDS = 0.05


class HeldFlushes:
    """The flushes of one store, which is one server or several."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self._nodes = nodes
        self._ends = 0.0

    def hold(self, command: str, address: str) -> bool:
        """Pause writes until a client at this address waits in this command. False, without a pause, when none comes to it.

        Raises StoreUnreachable.
        """
        self._ends = time.monotonic() + PAUSE_SECONDS
        for node in self._nodes:
            with connected(node) as store:
                store.client_pause(round(PAUSE_SECONDS * 1000), all=False)
        held = until(lambda: self._waits(command, address), within_seconds=FLUSH_SECONDS, every_seconds=LOOK_SECONDS)
        if not held:
            self._resume()
        return held

    def release(self, address: str) -> bool:
        """Have writes go on when no client at this address is left; whether the pause lasted until then. Raises StoreUnreachable."""
        gone = until(lambda: not self._clients(address), within_seconds=GONE_SECONDS, every_seconds=LOOK_SECONDS)
        in_time = time.monotonic() < self._ends
        self._resume()
        return gone and in_time

    def _resume(self) -> None:
        for node in self._nodes:
            with connected(node) as store:
                store.client_unpause()

    def _waits(self, command: str, address: str) -> bool:
        return any(client["cmd"] == command and "b" in client["flags"] for client in self._clients(address))

    def _clients(self, address: str) -> list[Mapping[str, str]]:
        found: list[Mapping[str, str]] = []
        for node in self._nodes:
            with connected(node) as store:
                found += [one for one in store.client_list() if one["addr"].rpartition(":")[0] == address]
        return found
