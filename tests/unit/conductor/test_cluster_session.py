"""A session in a cluster, with a judge that answers from here: questions asked again, statements quoted, verdicts brought back whole."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, cast

import pytest
from rich.console import Console

from conductor import capstones
from conductor.capstone import Patience, Size
from conductor.cluster import kubectl as kubectl_module
from conductor.cluster import pool_changes
from conductor.cluster.runtime import KubernetesRuntime
from conductor.errors import ClusterFailed, DrillFailed, Refused
from conductor.harness import questions
from conductor.harness.cluster_judge import TRIES
from conductor.harness.cluster_session import ClusterSession
from conductor.harness.reporter import Reporter
from conductor.verdict import Excused, Finding, Verdict

VERDICT = Verdict(
    7,
    5,
    [Finding("lost", "o-1", "never")],
    2,
    [Excused("o-2", "killed", {"kill": {"pool": "p"}})],
    {"compensated": 1},
)

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Cluster:
    """Stands for kubectl and for the runtime; `failures` are calls that break before one gets through."""

    def __init__(self, answer: Answer = lambda question: {}, failures: int = 0) -> None:
        self.answer, self.failures = answer, failures
        self.statements: list[str] = []

    def kubectl(self, *argv: str) -> str:
        if self.failures:
            self.failures -= 1
            raise ClusterFailed("the connection broke")
        return json.dumps(self.answer(json.loads(argv[-1])))

    def sql(self, statement: str) -> list[list[str]]:
        self.statements.append(statement)
        return [["3", "2"]]


def session(cluster: Cluster) -> ClusterSession:
    runtime = cast(KubernetesRuntime, cluster)
    return ClusterSession(capstones.named("orders"), runtime, Size(10), Reporter(Console(quiet=True)), Patience())


def test_a_question_is_asked_again_when_the_connection_breaks() -> None:
    cluster = Cluster(lambda question: {"in_flight": 9}, failures=TRIES - 1)

    assert 9 == session(cluster).await_loaded()


def test_a_judge_that_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(ClusterFailed):
        session(Cluster(failures=TRIES)).await_loaded()


def test_what_the_judge_could_not_do_fails_the_drill() -> None:
    with pytest.raises(DrillFailed, match="in vain"):
        session(Cluster(lambda question: {"failed": "waited in vain"})).await_progress()


def test_the_verdict_comes_back_as_it_was_made() -> None:
    def answer(question: Mapping[str, Any]) -> Mapping[str, Any]:
        return asdict(VERDICT) if questions.of_json(question) == questions.Judge() else {}

    assert VERDICT == session(Cluster(answer)).verdict()


def test_a_load_is_steered_during_a_block_also_when_that_fails() -> None:
    asked: list[questions.Question] = []

    def answer(question: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(questions.of_json(question))
        return {"counts": {"POSITION": 2}}

    with pytest.raises(DrillFailed), session(Cluster(answer)).steered("storm"):
        raise DrillFailed("in vain")
    counted = session(Cluster(answer)).counted()

    assert [questions.Steer("storm"), questions.Release("storm"), questions.Counts()] == asked
    assert (2, 0) == (counted["POSITION"], counted["RATE"])


@pytest.mark.parametrize(
    ("requests", "next_tag", "deploys"), [(300, None, 1), (300, "next", 2), (2000, None, 2), (2000, "next", 2)]
)
def test_a_second_deploy_is_played_where_it_is_another_one(requests: int, next_tag: str | None, deploys: int) -> None:
    runtime = KubernetesRuntime(next_tag=next_tag, capstone="orders")

    played = ClusterSession(
        capstones.named("orders"), runtime, Size(requests), Reporter(Console(quiet=True)), Patience()
    ).deploys

    assert deploys == played


class Kubectl:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []

    def __call__(self, *argv: str) -> str:
        self.said.append(argv)
        return ""

    def await_rolled_out(self, *workloads: str, within_seconds: int) -> None:
        self.said.append(("rolled out", *workloads))


def test_a_pool_is_told_settings_for_a_block_and_rolled_before_and_after_it() -> None:
    kubectl = Kubectl()

    with (
        pytest.raises(DrillFailed),
        pool_changes.settings(cast(kubectl_module.Kubectl, kubectl), "statefulset/t", {"A": "1", "B": "x"}),
    ):
        raise DrillFailed("in vain")

    told = [("set", "env", "statefulset/t", *change) for change in (("A=1", "B=x"), ("A-", "B-"))]
    assert [told[0], ("rolled out", "statefulset/t"), told[1], ("rolled out", "statefulset/t")] == kubectl.said


def trading(cluster: Cluster) -> ClusterSession:
    runtime = cast(KubernetesRuntime, cluster)
    return ClusterSession(capstones.named("trading"), runtime, Size(10), Reporter(Console(quiet=True)), Patience())


def test_how_long_a_shard_was_away_is_that_of_the_time_after_the_fault() -> None:
    asked: list[object] = []

    def answer(question: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(questions.of_json(question))
        return {"in_flight": 20, "times": 2, "away_seconds": 1.5}

    away = trading(Cluster(answer)).away_after(lambda: asked.append("fault"))

    assert 1.5 == away
    assert [questions.Hurry(), "fault", questions.AwaitBack(2)] == asked


def test_a_deploy_may_interrupt_the_clients_of_a_shard_and_of_nothing_else() -> None:
    told = {"asked_again": 2, "gave_up": 0, "away_seconds": [3.0, 4.0], "why": {}}
    ours, orders = trading(Cluster()), session(Cluster())
    ours.status = orders.status = told

    ours.expect_no_failed_request()
    with pytest.raises(DrillFailed, match="2 requests"):
        orders.expect_no_failed_request()
    ours.status = {**told, "gave_up": 1}
    with pytest.raises(DrillFailed, match="never answered"):
        ours.expect_no_failed_request()


def test_what_owns_no_shard_is_never_away() -> None:
    with pytest.raises(Refused, match="any process of a pool takes its orders"):
        session(Cluster()).away_after(lambda: None)


def test_values_of_a_statement_are_quoted() -> None:
    cluster = Cluster()

    rows = session(cluster).sql("SELECT %s, key = ANY(%s)", "it's", ["a", "b c"])

    assert ["SELECT 'it''s', key = ANY('{a,b c}')"] == [text.replace('"', "") for text in cluster.statements]
    assert [("3", "2")] == rows


def test_a_pool_that_calls_nobody_is_no_target_in_a_cluster() -> None:
    system = capstones.named("orders")

    assert [one for one in system.targets if one.server] == list(session(Cluster()).targets())


def test_a_pool_that_flushes_batches_is_a_target_in_a_cluster() -> None:
    analytics = capstones.named("analytics")
    runtime = cast(KubernetesRuntime, Cluster())

    found = ClusterSession(analytics, runtime, Size(10), Reporter(Console(quiet=True)), Patience()).targets()

    assert ["aggregate"] == [target.pool for target in found]
