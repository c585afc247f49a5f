"""A cluster of Valkey servers on this machine: what each is configured with, and how empty servers become one.

A dead node costs only its own slots (`cluster-require-full-coverage no`); by default every node would refuse every key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conductor.errors import StoreUnreachable
from conductor.laptop.servers.valkey import Store
from conductor.laptop.state import State
from conductor.redis_client import connected
from conductor.run_directory import RunDirectory
from conductor.waiting import until

SLOTS = 16384

CONFIGURATION = """\
cluster-enabled yes
cluster-config-file nodes.conf
cluster-port {bus}
cluster-announce-ip 127.0.0.1
cluster-node-timeout {timeout_ms}
cluster-require-full-coverage no
cluster-replica-validity-factor 0
primaryauth {password}
"""
"""Besides that of a single server. A replica takes over however old its data are: a store that stays away would not bring them back."""

NODE_TIMEOUT_MS = 5000
"""A node that has not answered for so long is taken for dead."""

FORMING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Node:
    """One server: its URL, the port of its clients, and that by which the nodes speak to each other."""

    url: str
    port: int
    bus: int


class ClusterNode(Store):
    """One node of a store that is a cluster. The first makes the cluster once all answer."""

    def __init__(
        self,
        name: str,
        names: Sequence[str],
        run: RunDirectory,
        state: State,
        environment: dict[str, str],
        password: str,
    ) -> None:
        """`names` are those of all nodes."""
        super().__init__(name, run, state, environment, password)
        self._first = name == names[0]
        self._members = [
            Node(f"redis://:{password}@127.0.0.1:{state.ports[one]}/0", state.ports[one], state.ports[f"{one}_bus"])
            for one in names
        ]
        self._own = self._members[names.index(name)]

    def _text(self) -> str:
        cluster = CONFIGURATION.format(bus=self._own.bus, timeout_ms=NODE_TIMEOUT_MS, password=self._password)
        return super()._text() + cluster

    def answers(self) -> bool:
        try:
            if self._first and _strangers(self._members):
                form(self._members, len(self._members))
            return _info(self._own)["cluster_state"] == "ok"
        except (StoreUnreachable, TimeoutError):
            return False


def form(nodes: Sequence[Node], primaries: int) -> None:
    """Make servers a cluster: the first `primaries` have as many slots each, and the others are replicas of them in turn.

    Servers that are a cluster already stay as they are, and what was begun is ended. Returns when all agree. Raises StoreUnreachable;
    TimeoutError when they do not agree.
    """
    if _strangers(nodes):
        for index, node in enumerate(nodes):
            known = _info(node)
            if known["cluster_my_epoch"] == "0":
                _ask(node, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if index < primaries and known["cluster_slots_assigned"] == "0":
                first, end = index * SLOTS // primaries, (index + 1) * SLOTS // primaries
                _ask(node, "CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in nodes[1:]:
            _ask(nodes[0], "CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        _wait(lambda: not _strangers(nodes), "know each other")
        for index, node in enumerate(nodes[primaries:]):
            _ask(node, "CLUSTER", "REPLICATE", _text(_ask(nodes[index % primaries], "CLUSTER", "MYID")))
    _wait(lambda: all(healthy(node) for node in nodes), "are a cluster")
    _wait(lambda: all(_linked(node) for node in nodes), "replicate")


def _strangers(nodes: Sequence[Node]) -> bool:
    """Whether a node does not know all others yet. Raises StoreUnreachable."""
    return any(int(_info(node)["cluster_known_nodes"]) < len(nodes) for node in nodes)


def healthy(node: Node) -> bool:
    """Whether a node says that it and the others are a cluster with every slot. Raises StoreUnreachable."""
    found = _info(node)
    return found["cluster_state"] == "ok" and int(found["cluster_slots_ok"]) == SLOTS


def _linked(node: Node) -> bool:
    with connected(node.url) as client:
        found: Any = client.info("replication")
    return bool(found["role"] == "master" or found["master_link_status"] == "up")


def _info(node: Node) -> dict[str, str]:
    told = _text(_ask(node, "CLUSTER", "INFO"))
    return dict(line.strip().split(":", 1) for line in told.splitlines() if ":" in line)


def _ask(node: Node, *command: Any) -> Any:
    with connected(node.url) as client:
        client.response_callbacks.clear()
        told: Any = client  # redis-py has no types for it
        return told.execute_command(*command)


def _text(told: bytes | str) -> str:
    return told.decode() if isinstance(told, bytes) else told


def _wait(condition: Any, what: str) -> None:
    if not until(condition, within_seconds=FORMING_SECONDS, every_seconds=0.05):
        raise TimeoutError(f"the nodes do not {what} after {FORMING_SECONDS:g} s")
