"""A drill that kills a broker's node is refused where that node may have the only member of a queue, and nothing is killed.

Played, it fails when a confirmed message is gone, when none was confirmed for long, and when the kill did not meet the publisher.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from conductor.cluster import quorum_queues
from conductor.cluster.quorum_queues import QuorumQueue
from conductor.cluster.runtime import KubernetesRuntime
from conductor.drills import rabbitmq_node_kill
from conductor.errors import DrillFailed, Refused
from conductor.harness import questions

A, B, C = (f"rabbit@rabbitmq-{number}.rabbitmq-nodes.capstones.svc.cluster.local" for number in range(3))
WHOLE = QuorumQueue("orders", "orders.saga", A, (A, B, C), (A, B, C))


class Untouched:
    """A session on which nothing may happen but a look at the cluster."""

    class runtime:
        kubectl = None


def refusal(monkeypatch: pytest.MonkeyPatch, *queues: QuorumQueue) -> str:
    monkeypatch.setattr(quorum_queues, "look", lambda kubectl: list(queues))
    session: Any = Untouched()
    with pytest.raises(Refused) as error:
        rabbitmq_node_kill.play(session)
    return str(error.value)


def test_a_queue_with_one_member_is_named_before_the_drill_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    old = QuorumQueue("orders", "orders.payments", B, (B,), (B,))

    assert "the queue orders.payments of orders has 1 of 3 members: rabbitmq-1" == refusal(monkeypatch, WHOLE, old)


def test_a_queue_whose_member_is_away_is_named_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    away = QuorumQueue("orders", "orders.saga", A, (A, B, C), (A, B))

    assert "has 2 of 3 members that run" in refusal(monkeypatch, away)


def test_one_broker_is_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorum_queues, "nodes", lambda kubectl: 1)

    with pytest.raises(Refused, match="of 3 RabbitMQ nodes there are 1: k8s/overlays/ha brings them"):
        rabbitmq_node_kill.DRILL.prerequisite(KubernetesRuntime(capstone="orders"))


class Played:
    """A session in which each node that is killed hands its queues over at once, and is back at once; `told` is of the confirmed stream."""

    capstone = SimpleNamespace(name="orders")
    reporter = SimpleNamespace(tell=lambda text: None)

    def __init__(self, **told: Any) -> None:
        self.runtime = self
        self.own = SimpleNamespace(vhost="orders")
        self._told = {"confirmed": 9, "missing": [], "longest": 1.0, "error": "reset by peer"} | told
        self.leaders, self.killed = [A, B], list[str]()

    def look(self, kubectl: object) -> list[QuorumQueue]:
        return [QuorumQueue("orders", "orders.saga", self.leaders[0], (A, B, C), (A, B, C))]

    def kubectl(self, *arguments: str) -> str:
        return "uid"

    def kill_pod(self, name: str) -> None:
        self.killed.append(name)
        self.leaders = [*self.leaders[1:], C]

    def ask(self, question: questions.Question) -> dict[str, Any]:
        return self._told if isinstance(question, questions.Confirmed) else {}

    def await_loaded(self) -> int:
        return 1

    def await_progress(self) -> None:
        """Made."""

    @contextmanager
    def load(self) -> Iterator[None]:
        yield

    @contextmanager
    def fault(self, *_: object) -> Iterator[None]:
        yield

    def wait_for(self, holds: Callable[[], bool], what: object, within_seconds: float) -> None:
        assert holds()

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            raise DrillFailed(what)


def played(monkeypatch: pytest.MonkeyPatch, **told: Any) -> list[str]:
    session: Any = Played(**told)
    monkeypatch.setattr(quorum_queues, "look", session.look)
    monkeypatch.setattr(rabbitmq_node_kill, "_is_back", lambda *_: True)
    rabbitmq_node_kill.play(session)
    return list(session.killed)


def test_the_node_that_leads_is_killed_and_then_the_one_that_leads_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ["rabbitmq-0", "rabbitmq-1"] == played(monkeypatch)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"missing": [4]}, "1 messages were confirmed and are gone"),
        ({"longest": 31.0}, "nothing was confirmed for 31.0 s"),
        ({"error": ""}, "was never cut off"),
    ],
)
def test_what_the_stream_lost_or_could_not_see_fails_it(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], said: str
) -> None:
    with pytest.raises(DrillFailed, match=said):
        played(monkeypatch, **told)
