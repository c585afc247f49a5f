"""Which quorum queues could not bear the loss of a node, which node leads most, and how a queue with too few members gets the others."""

from typing import Any, cast

import pytest

from conductor.cluster import quorum_queues
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.quorum_queues import QuorumQueue
from conductor.errors import ClusterFailed

A, B, C = (f"rabbit@rabbitmq-{number}.rabbitmq-nodes.capstones.svc.cluster.local" for number in range(3))
WHOLE = QuorumQueue("orders", "orders.saga", A, (A, B, C), (A, B, C))
OLD = QuorumQueue("orders", "orders.payments", A, (A,), (A,))
AWAY = QuorumQueue("orders", "orders.fulfilment", C, (A, B, C), (B, C))
HEADLESS = QuorumQueue("orders", "orders.notifications", None, (A, B, C), (B,))


def test_a_queue_that_is_older_than_the_other_nodes_is_named_with_where_it_is() -> None:
    assert ["the queue orders.payments of orders has 1 of 3 members: rabbitmq-0"] == quorum_queues.short(
        [WHOLE, OLD, AWAY], 3
    )


def test_a_member_that_is_away_and_a_leader_that_is_missing_are_told_besides() -> None:
    assert [
        "the queue orders.payments of orders has 1 of 3 members: rabbitmq-0",
        "the queue orders.fulfilment of orders has 2 of 3 members that run, and its leader is on rabbitmq-2",
        "the queue orders.notifications of orders has 1 of 3 members that run, and no leader",
    ] == quorum_queues.unsettled([WHOLE, OLD, AWAY, HEADLESS], 3)


def test_the_node_that_leads_most_is_found_among_all_or_but_one() -> None:
    queues = [WHOLE, OLD, AWAY, HEADLESS]

    assert A == quorum_queues.leading_most(queues)
    assert C == quorum_queues.leading_most(queues, but=A)
    assert quorum_queues.leading_most([HEADLESS]) is None


class Machines:
    """A cluster whose broker's pods are on these machines; None for one that waits for a place."""

    def __init__(self, *machines: str | None) -> None:
        self._machines = machines

    def __call__(self, *arguments: str) -> str:
        return str(len(self._machines))

    def pods(self, selector: str) -> list[dict[str, Any]]:
        return [{"spec": {"nodeName": machine} if machine else {}} for machine in self._machines]


def crowded(*machines: str | None) -> list[str]:
    return quorum_queues.crowded(cast(Kubectl, Machines(*machines)))


def test_a_machine_that_runs_two_of_three_nodes_is_named_and_pods_that_wait_are_on_none() -> None:
    assert ["2 of 3 nodes of rabbitmq are on one: without it no queue has a quorum"] == crowded("one", "two", "one")
    assert [[], []] == [crowded("one", "two", "three"), crowded("one", None, None)]


class Broker:
    """Three nodes, and a queue with a member on the first, which may be grown once. It refuses the looks and growths of these numbers."""

    namespace = "here"

    def __init__(self, *, looks: tuple[int, ...] = (), growths: tuple[int, ...] = ()) -> None:
        self._refused = {"look": looks, "grow": growths}
        self._asked = {"look": 0, "grow": 0}
        self.grown: list[str] = []
        self.told: list[str] = []

    def _refuse(self, what: str) -> None:
        self._asked[what] += 1
        if self._asked[what] in self._refused[what]:
            raise ClusterFailed(f"refused the {what}")

    def __call__(self, *arguments: str) -> str:
        if arguments[0] == "get":
            return "3"
        self._refuse("grow")
        self.grown.append(quorum_queues.host(arguments[-2]))
        return ""

    def look(self, kubectl: object) -> list[QuorumQueue]:
        self._refuse("look")
        return [OLD if len(self.grown) < 3 else WHOLE]

    def ensure_members(self) -> None:
        quorum_queues.ensure_members(cast(Kubectl, self), self.told.append)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(quorum_queues, "LOOK_SECONDS", 0.01)
    return monkeypatch


@pytest.mark.parametrize("refuses", [{"looks": (1, 3)}, {"growths": (1,)}, {"growths": (2, 3)}])
def test_a_broker_that_refuses_is_asked_again_until_every_queue_has_its_members(
    soon: pytest.MonkeyPatch, refuses: dict[str, Any]
) -> None:
    broker = Broker(**refuses)
    soon.setattr(quorum_queues, "look", broker.look)

    broker.ensure_members()

    assert ["rabbitmq-0", "rabbitmq-1", "rabbitmq-2"] == broker.grown
    assert ["the queue orders.payments of orders has 1 of 3 members: rabbitmq-0; it gets the others"] == broker.told


def test_a_broker_that_never_answers_ends_the_wait_with_what_it_said_last(soon: pytest.MonkeyPatch) -> None:
    broker = Broker(looks=tuple(range(1000)))
    soon.setattr(quorum_queues, "look", broker.look)
    soon.setattr(quorum_queues, "GROWN_SECONDS", 0.05)

    with pytest.raises(ClusterFailed, match=r"after 0 s refused the look"):
        broker.ensure_members()
