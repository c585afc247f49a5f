"""The quorum queues of a RabbitMQ of several nodes: who leads each, which nodes have a member of it, and which have too few.

A queue gets its members from the nodes that are there when it is declared. One that is older than the other nodes has a single member, and
goes away with that node, though there are three.

Source: https://www.rabbitmq.com/docs/quorum-queues#replica-management.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from conductor import http_client
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.port_forward import forwarded
from conductor.errors import ClusterFailed
from conductor.waiting import until

BROKER = "rabbitmq"
"""Its StatefulSet, its Service and its Secret."""

MEMBERS = 3
"""Of a queue at most: what RabbitMQ gives a new one by default, and what `target_group_size` of the overlay asks for."""

MANAGEMENT_PORT = 15672
ANSWER_SECONDS = 10.0
GROWN_SECONDS = 90.0
"""How long a queue may take to get its members, and the broker to answer."""
LOOK_SECONDS = 1.0
"""Between two looks at the queues."""


@dataclass(frozen=True, slots=True)
class QuorumQueue:
    """One queue. `members` and `online`, those of them that run, are RabbitMQ's node names; `leader` is None while there is none."""

    vhost: str
    name: str
    leader: str | None
    members: tuple[str, ...]
    online: tuple[str, ...]


def read(address: str, login: tuple[str, str]) -> list[QuorumQueue]:
    """Every quorum queue of every virtual host that the login sees, asked of the management API. Raises httpx.HTTPError."""
    answer = http_client.request(
        "GET",
        f"{address}/api/queues",
        # What the node itself knows, and not what its statistics knew some seconds ago.
        params={"disable_stats": "true", "enable_queue_totals": "true"},
        auth=login,
        timeout=ANSWER_SECONDS,
    )
    answer.raise_for_status()
    return [_of(told) for told in answer.json() if told["type"] == "quorum"]


def _of(told: Mapping[str, Any]) -> QuorumQueue:
    names = {key: tuple(told.get(key) or ()) for key in ("members", "online")}
    leader = told.get("leader")
    return QuorumQueue(told["vhost"], told["name"], leader if leader in names["online"] else None, **names)


def short(queues: Collection[QuorumQueue], wanted: int) -> list[str]:
    """A sentence for each queue with fewer than the wanted members."""
    return [
        f"the queue {queue.name} of {queue.vhost} has {len(queue.members)} of {wanted} members: {_hosts(queue.members)}"
        for queue in queues
        if len(queue.members) < wanted
    ]


def unsettled(queues: Collection[QuorumQueue], wanted: int) -> list[str]:
    """The same, and a sentence for each queue that has no leader or a member that is away: the next node to go may take it along."""
    away = [
        f"the queue {queue.name} of {queue.vhost} has {len(queue.online)} of {wanted} members that run, "
        f"and {'its leader is on ' + host(queue.leader) if queue.leader else 'no leader'}"
        for queue in queues
        if queue.leader is None or len(queue.online) < wanted <= len(queue.members)
    ]
    return [*short(queues, wanted), *away]


def host(node: str) -> str:
    """The pod of a node, by the name that RabbitMQ has for it."""
    return node.partition("@")[2].partition(".")[0]


def _hosts(nodes: Sequence[str]) -> str:
    return ", ".join(map(host, nodes)) or "none"


def leading_most(queues: Collection[QuorumQueue], *, but: str | None = None) -> str | None:
    """The node that leads most of these queues, `but` another one; None where none leads any."""
    led = Counter(queue.leader for queue in queues if queue.leader not in (None, but))
    return led.most_common(1)[0][0] if led else None


def nodes(kubectl: Kubectl) -> int:
    """How many nodes the broker should have; 0 where there is none."""
    told = kubectl("get", "statefulset", BROKER, "--ignore-not-found", "--output", "jsonpath={.spec.replicas}")
    return int(told or 0)


def wanted_members(kubectl: Kubectl) -> int:
    """How many members each queue should have."""
    return min(MEMBERS, nodes(kubectl))


def crowded(kubectl: Kubectl) -> list[str]:
    """A sentence when one machine runs so many of the nodes that its loss takes every queue's quorum along."""
    wanted = nodes(kubectl)
    if wanted < 2:
        return []
    pods = kubectl.pods(f"app.kubernetes.io/name={BROKER}")
    held = Counter(machine for pod in pods if (machine := pod["spec"].get("nodeName")))  # one that waits has none
    return [
        f"{count} of {wanted} nodes of {BROKER} are on {machine}: without it no queue has a quorum"
        for machine, count in held.items()
        if count > wanted - (wanted // 2 + 1)
    ]


def look(kubectl: Kubectl) -> list[QuorumQueue]:
    """Every quorum queue of the installation, by the administrator's login. Raises ClusterFailed when the broker does not answer."""
    secret = kubectl.secret(BROKER)
    if secret is None:
        raise ClusterFailed(f'the namespace "{kubectl.namespace}" has no Secret "{BROKER}": `make secrets` makes it')
    with forwarded(kubectl, BROKER, MANAGEMENT_PORT) as address:
        try:
            return read(address, ("admin", secret["admin-password"]))
        except httpx.HTTPError as error:
            raise ClusterFailed(f"the management API of {BROKER} did not tell its queues: {error}") from error


def ensure_members(kubectl: Kubectl, tell: Callable[[str], None]) -> None:
    """Give each queue that has too few members one on each node, and wait until it has them. One node alone has nothing to give.

    A broker that does not answer, or refuses, is asked again: its nodes have just started. Raises ClusterFailed when the time is over; that
    names a queue which has too few members, or says what the broker said last.
    """
    wanted = wanted_members(kubectl)
    if wanted < 2:
        return
    ungrown = [_node(kubectl, number) for number in range(nodes(kubectl))]
    told: list[str] = []
    left: list[str] = []

    def whole() -> bool:
        try:
            left[:] = short(look(kubectl), wanted)
            for said in left if not told else ():
                tell(f"{said}; it gets the others")
            told.extend(left)
            while left and ungrown:
                _grow(kubectl, ungrown[0])
                ungrown.pop(0)
        except ClusterFailed as error:
            left[:] = [str(error)]
        return not left

    if not until(whole, within_seconds=GROWN_SECONDS, every_seconds=LOOK_SECONDS):
        raise ClusterFailed(f"after {GROWN_SECONDS:.0f} s {left[0]}")


def _node(kubectl: Kubectl, number: int) -> str:
    return f"rabbit@{BROKER}-{number}.{BROKER}-nodes.{kubectl.namespace}.svc.cluster.local"


def _grow(kubectl: Kubectl, node: str) -> None:
    """Give every queue that has no member on this node one; those that have one are left as they are."""
    kubectl("exec", f"{BROKER}-0", "--container", BROKER, "--", "rabbitmq-queues", "--quiet", "grow", node, "all")
