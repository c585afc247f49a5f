"""Which node loses its power, and what is waited for elsewhere: a pod that has a volume waits for its node, and clients with it."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from conductor import capstones
from conductor.cluster import nodes
from conductor.cluster.nodes import Power
from conductor.drills import node_loss
from conductor.errors import DrillFailed, Refused

READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
PAIR = Power("true", "true")


def pod(name: str, node: str, *, claims: bool = False, ready: bool = True) -> dict[str, Any]:
    volumes = [{"persistentVolumeClaim": {"claimName": f"data-{name}"}}] if claims else []
    status = {"phase": "Running", "conditions": [READY] if ready else []}
    return {"metadata": {"name": name}, "spec": {"nodeName": node, "volumes": volumes}, "status": status}


class Cluster:
    """Nodes `a` and `b`; the pods of these pools, of the platform, and a judge. Stands for kubectl, for the runtime and for the session.

    While `b` has no power, pods without a volume come to `a`: at once where there is room, else once the scheduler has said why not.
    """

    def __init__(
        self, capstone: str, engine: str, *, stores: str = "a", judge: str = "a", power: Power = PAIR, room: bool = True
    ) -> None:
        self.capstone = capstones.named(capstone)
        self.power, self.runtime, self.kubectl = power, self, self
        self.own = {"api": [pod("api-1", "b")], "engine": [pod("engine-0", engine, claims=True)]}
        self.platform = [pod("postgres-0", stores, claims=True)]
        self.judge = [pod("judge-1", judge)]
        self.told: list[str] = []
        self.reporter = SimpleNamespace(tell=self.told.append)
        self.progressed = self.away = 0
        self.room = room

    def __call__(self, *arguments: str) -> str:
        if arguments[:2] == ("get", "node"):
            return json.dumps({"metadata": {}, "spec": {}})
        status = {"conditions": [READY]}
        return json.dumps({"items": [{"metadata": {"name": name}, "spec": {}, "status": status} for name in "ab"]})

    def pools(self) -> dict[str, list[dict[str, Any]]]:
        return self.own

    def pods(self, asked: str) -> list[dict[str, Any]]:
        if asked in self.own:
            return self.own[asked]
        return self.judge if asked == nodes.JUDGE else [*self.platform, *self.own["api"], *self.own["engine"]]

    @contextmanager
    def without_power(self, kubectl: object, node: str, power: Power) -> Iterator[None]:
        assert "b" == node
        self.own["api"] = [pod("api-2", "a")] if self.room else []
        yield

    def homeless(self) -> list[str]:
        self.own["api"] = [pod("api-2", "a")]
        return ["api-2: 0/2 nodes are available: 1 Insufficient cpu"]

    def load(self) -> AbstractContextManager[None]:
        return nullcontext()

    def at_least(self, *_: object) -> AbstractContextManager[None]:
        return nullcontext()

    def fault(self, *_: object) -> AbstractContextManager[None]:
        return nullcontext()

    def await_loaded(self) -> int:
        return 7

    def await_progress(self) -> None:
        self.progressed += 1

    def away_after(self, fault: Callable[[], None]) -> float:
        fault()
        self.away += 1
        return 101.5

    def wait_ready(self) -> None:
        """They are."""

    def wait_for(self, holds: Callable[[], bool], what: object, within_seconds: float) -> None:
        assert holds() or holds()

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            raise DrillFailed(what)


def played(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    session: Any = cluster
    monkeypatch.setattr(nodes, "powered_off", cluster.without_power)
    node_loss.play(session)
    return cluster


def refusal(cluster: Cluster) -> str:
    runtime: Any = cluster
    with pytest.raises(Refused) as refused:
        node_loss.DRILL.prerequisite(runtime)
    return str(refused.value)


def test_a_shard_s_pod_waits_for_its_node_and_it_is_told_for_how_long_no_request_was_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = played(Cluster("trading", "b"), monkeypatch)

    assert ["a holds the volumes of postgres-0", "b holds the volumes of engine-0"] == cluster.told[:2]
    assert any(line.startswith("api has api-2 after") for line in cluster.told)
    assert "engine waited for b: no request was answered for 101.5 s" == cluster.told[-1]
    assert (1, 1) == (cluster.away, cluster.progressed)  # nothing progresses before the node is back


def test_a_shard_that_is_on_another_node_answers_all_the_while(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = played(Cluster("trading", "a"), monkeypatch)

    assert (0, 2) == (cluster.away, cluster.progressed)


def test_a_pool_that_no_other_node_takes_in_time_is_told_with_the_scheduler_s_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_loss, "AWAY_SECONDS", -1.0)

    with pytest.raises(DrillFailed, match=r"without a ready pod: \{'api': .*\}; api-2: 0/2 nodes .* Insufficient cpu$"):
        played(Cluster("trading", "a", room=False), monkeypatch)


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (Cluster("trading", "b", stores="b", judge="a"), "every node that takes pods has stores or the judge: a, b"),
        (Cluster("trading", "a", judge="b"), "every node that takes pods has stores or the judge: a, b"),
        (Cluster("trading", "b", power=Power("halt", None)), "how is b powered off"),
    ],
    ids=["stores on one and the judge on the other", "the judge on the other", "nobody knows how"],
)
def test_a_node_that_cannot_be_spared_keeps_its_power(cluster: Cluster, why: str) -> None:
    assert refusal(cluster).startswith(why)
