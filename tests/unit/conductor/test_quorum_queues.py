"""Which quorum queues could not bear the loss of a node, and which node leads most."""

from typing import Any, cast

from conductor.cluster import quorum_queues
from conductor.cluster.kubectl import Kubectl
from conductor.cluster.quorum_queues import QuorumQueue

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
