"""Servers of Redis or Valkey that become one cluster: on a laptop, and as `python -m conductor.redis_cluster HOST …` by a Job in a cluster.

Whatever was interrupted midway is ended by the next call; `redis-cli --cluster create` begins with empty servers only.
"""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from conductor.errors import Refused, StoreUnreachable
from conductor.redis_client import connected
from conductor.waiting import until

SLOTS = 16384

PORT, BUS_ABOVE = 6379, 10000
"""The port of a server in a pod, and how far above it the nodes speak to each other."""

WITHOUT_SLOTS = 8
"""Fields of a server in `CLUSTER NODES` that has no slots."""

FORMING_SECONDS = 30.0
ANSWERED_SECONDS = 240.0
"""How long servers that are still being started may take until all answer."""


@dataclass(frozen=True, slots=True)
class Node:
    """One server: its URL, the port of its clients, that by which the nodes speak to each other, and its host's name or address."""

    url: str
    port: int
    bus: int
    host: str = "127.0.0.1"


def form(nodes: Sequence[Node], primaries: int) -> None:
    """Make servers a cluster: the first `primaries` have as many slots each, and the others are replicas of them in turn.

    Servers that are a cluster already stay as they are, and what was begun is ended. Returns when all agree. Raises StoreUnreachable;
    TimeoutError when they do not agree; Refused when one of them was in a cluster with a server that is none of them.
    """
    if strangers(nodes):
        _refuse_others(nodes)
        for index, node in enumerate(nodes):
            if _info(node)["cluster_my_epoch"] == "0":
                _ask(node, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if index < primaries and _has_nothing(node):
                first, end = index * SLOTS // primaries, (index + 1) * SLOTS // primaries
                _ask(node, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in nodes[1:]:
            _ask(nodes[0], "CLUSTER", "MEET", socket.gethostbyname(node.host), node.port, node.bus)
        _wait(lambda: not strangers(nodes), "know each other")
    for index, node in enumerate(nodes[primaries:]):
        if _has_nothing(node):
            _ask(node, "CLUSTER", "REPLICATE", _text(_ask(nodes[index % primaries], "CLUSTER", "MYID")))
    _wait(lambda: all(healthy(node) for node in nodes), "are a cluster")
    _wait(lambda: all(_linked(node) for node in nodes), "replicate")


def _refuse_others(nodes: Sequence[Node]) -> None:
    """A server that lost its data has another id: it would take its slots again, and what it had in them would be gone without a word."""
    ids = {_text(_ask(node, "CLUSTER", "MYID")) for node in nodes}
    for node in nodes:
        for known, _, flags, *_ in _known(node):
            # One that it is just being introduced to has no id of its own yet.
            if known not in ids and "handshake" not in flags:
                raise Refused(
                    f"{node.host}:{node.port} knows a server that is none of these {len(nodes)}, with the id {known}: "
                    "a server that lost its data is not taken in by itself"
                )


def strangers(nodes: Sequence[Node]) -> bool:
    """Whether a node does not know all others yet. Raises StoreUnreachable."""
    return any(int(_info(node)["cluster_known_nodes"]) < len(nodes) for node in nodes)


def healthy(node: Node) -> bool:
    """Whether a node says that it and the others are a cluster with every slot. Raises StoreUnreachable."""
    found = _info(node)
    return found["cluster_state"] == "ok" and int(found["cluster_slots_ok"]) == SLOTS


def is_ok(node: Node) -> bool:
    """Whether a node says that it serves its slots. Raises StoreUnreachable."""
    return _info(node)["cluster_state"] == "ok"


def _has_nothing(node: Node) -> bool:
    """Whether it is neither a primary with slots nor a replica."""
    (own,) = [line for line in _known(node) if "myself" in line[2]]
    return "master" in own[2] and len(own) == WITHOUT_SLOTS


def _known(node: Node) -> list[list[str]]:
    """The servers that a node knows: each its id, address, flags and so on, and then its slots."""
    return [line.split() for line in _text(_ask(node, "CLUSTER", "NODES")).splitlines()]


def _linked(node: Node) -> bool:
    with connected(node.url) as client:
        found: Any = client.info("replication")
    return bool(found["role"] == "master" or found["master_link_status"] == "up")


def info(client: Any) -> dict[str, str]:
    """What the node that a client of redis-py speaks to says of its cluster."""
    told: dict[str, str] = client.execute_command("CLUSTER INFO")
    return told


def _info(node: Node) -> dict[str, str]:
    with connected(node.url) as client:
        return info(client)


def _ask(node: Node, *command: Any) -> Any:
    with connected(node.url) as client:
        client.response_callbacks.clear()
        told: Any = client  # redis-py has no types for it
        return told.execute_command(*command)


def _text(told: bytes | str) -> str:
    return told.decode() if isinstance(told, bytes) else told


def _answers(node: Node) -> bool:
    try:
        return bool(_info(node))
    except StoreUnreachable:
        return False


def _wait(condition: Callable[[], bool], what: str, within_seconds: float = FORMING_SECONDS) -> None:
    if not until(condition, within_seconds=within_seconds, every_seconds=0.05):
        raise TimeoutError(f"the nodes do not {what} after {within_seconds:g} s")


def main(hosts: Sequence[str]) -> int:
    """The exit status of the Job: 1 when it should be tried again, with the reason on stderr."""
    password = quote(os.environ["REDIS_PASSWORD"], safe="")
    nodes = [Node(f"redis://:{password}@{host}:{PORT}/0", PORT, PORT + BUS_ABOVE, host) for host in hosts]
    try:
        _wait(lambda: all(map(_answers, nodes)), "all answer", ANSWERED_SECONDS)
        form(nodes, len(nodes))
    except (StoreUnreachable, TimeoutError, Refused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
