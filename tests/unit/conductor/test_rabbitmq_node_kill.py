"""A drill that kills a broker's node is refused where that node may have the only member of a queue, and nothing is killed."""

from typing import Any

import pytest

from conductor.cluster import quorum_queues
from conductor.cluster.quorum_queues import QuorumQueue
from conductor.drills import rabbitmq_node_kill
from conductor.errors import Refused

A, B, C = (f"rabbit@rabbitmq-{number}.rabbitmq-nodes.capstones.svc.cluster.local" for number in range(3))
WHOLE = QuorumQueue("orders", "orders.saga", A, (A, B, C), (A, B, C))


class Untouched:
    """A session on which nothing may happen but a look at the cluster."""

    class runtime:
        kubectl = None


def refusal(monkeypatch: pytest.MonkeyPatch, nodes: int, *queues: QuorumQueue) -> str:
    monkeypatch.setattr(quorum_queues, "nodes", lambda kubectl: nodes)
    monkeypatch.setattr(quorum_queues, "look", lambda kubectl: list(queues))
    session: Any = Untouched()
    with pytest.raises(Refused) as error:
        rabbitmq_node_kill.play(session)
    return str(error.value)


def test_a_queue_with_one_member_is_named_before_the_drill_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    old = QuorumQueue("orders", "orders.payments", B, (B,), (B,))

    assert "the queue orders.payments of orders has 1 of 3 members: rabbitmq-1" == refusal(monkeypatch, 3, WHOLE, old)


def test_a_queue_whose_member_is_away_is_named_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    away = QuorumQueue("orders", "orders.saga", A, (A, B, C), (A, B))

    assert "has 2 of 3 members that run" in refusal(monkeypatch, 3, away)


def test_one_broker_is_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "the broker has 1 nodes: k8s/overlays/ha brings 3" == refusal(monkeypatch, 1, WHOLE)
