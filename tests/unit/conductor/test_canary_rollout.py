"""A version on trial: promoted when it does as well as the others, and withdrawn whatever else happens."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from conductor.cluster import canary_rollout
from conductor.cluster.blue_green import Installed, Values
from conductor.cluster.canary_rollout import Outcome, Trial
from conductor.cluster.names import Names
from conductor.errors import ClusterFailed, Refused

OWN = Names("orders")
BEFORE = {"image": {"tag": "1"}, "pools": {"payments": {"replicas": 3}}}
TRIAL = Trial("payments", "2", enough=100, within_seconds=0.5)

Act = Callable[[], object]


def nothing() -> None:
    pass


@dataclass
class Cluster:
    """Stands for the releases and for kubectl: a pod each of the canary and of the others, with counters that grow by every look."""

    canary_fails: int = 0
    commands: int = 30
    when_installed: Act = nothing
    when_looked: Act = nothing
    restarts: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=lambda: dict(BEFORE))
    installed_values: list[Values] = field(default_factory=list)
    when_installed_with: dict[str, Act] = field(default_factory=dict)
    looks: int = 0
    own: Names = OWN

    @property
    def kubectl(self) -> "Cluster":
        return self

    def __call__(self, verb: str, pod: str, *_: str) -> str:
        self.when_looked()
        self.looks += 1
        failed = self.canary_fails * self.looks if pod == "canary" else 0
        done = self.commands * self.looks - failed
        return f'chassis_commands_total{{outcome="done"}} {done}\nchassis_commands_total{{outcome="park"}} {failed}\n'

    def installed(self, release: str) -> Installed | None:
        return Installed(self.values) if release == OWN.release else None

    def install(self, release: str, values: Values, *, migrate: bool) -> None:
        self.values = dict(values)
        self.installed_values.append(values)
        if len(self.installed_values) == 1:
            self.when_installed()
        self.when_installed_with.get(values["image"]["tag"], nothing)()

    def await_gone(self, release: str, which: Callable[[Any], bool]) -> None:
        assert not [pod for pod in self.pods(release) if which(pod)]

    def pods(self, release: str, *, component: str | None = None) -> list[dict[str, Any]]:
        tracks = ["stable", *(["canary"] if self.values["pools"]["payments"].get("canary") else [])]
        return [pod(track, self.restarts.get(track, 0) if self.looks > 1 else 0) for track in tracks]


def pod(track: str, restarts: int) -> dict[str, Any]:
    return {
        "metadata": {"name": track, "labels": {"track": track, "app.kubernetes.io/component": "payments"}},
        "spec": {"containers": [{"name": "worker"}]},
        "status": {"phase": "Running", "containerStatuses": [{"restartCount": restarts}]},
    }


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_rollout, "LOOK_SECONDS", 0.0)


def held(cluster: Cluster, trial: Trial = TRIAL) -> Outcome:
    return canary_rollout.hold(cluster, trial, lambda text: None)  # type: ignore[arg-type]


def fail(error: BaseException) -> Act:
    def act() -> None:
        raise error

    return act


def test_a_good_one_is_promoted_to_every_pool_and_its_canary_goes() -> None:
    cluster = Cluster()

    outcome = held(cluster)

    assert outcome.promoted
    assert {**BEFORE, "image": {"tag": "2"}} == cluster.values


def test_the_workers_are_promoted_before_who_only_sends_them_work() -> None:
    cluster = Cluster()

    held(cluster)

    assert [{"tag": "1"}, {"tag": "2", "producersTag": "1"}, {"tag": "2"}] == [
        values["image"] for values in cluster.installed_values
    ]


def test_a_promotion_that_fails_is_withdrawn() -> None:
    cluster = Cluster()
    cluster.when_installed_with["2"] = fail(ClusterFailed("a pool did not get ready"))

    with pytest.raises(ClusterFailed, match="a pool did not get ready"):
        held(cluster)

    assert BEFORE == cluster.values


def test_a_faulty_one_is_withdrawn_and_leaves_no_trace() -> None:
    cluster = Cluster(canary_fails=10)

    outcome = held(cluster)

    assert (False, BEFORE) == (outcome.promoted, cluster.values)
    assert outcome.why.startswith("worse: of the canary's commands")


def test_one_that_does_not_get_ready_is_withdrawn() -> None:
    cluster = Cluster(when_installed=fail(ClusterFailed("timed out waiting for the condition")))

    outcome = held(cluster)

    assert (False, BEFORE) == (outcome.promoted, cluster.values)
    assert "did not get ready: timed out" in outcome.why


def test_one_that_is_restarted_is_withdrawn_however_few_its_errors() -> None:
    cluster = Cluster(restarts={"canary": 1})

    assert "was restarted" in held(cluster).why
    assert BEFORE == cluster.values


def test_where_the_others_are_restarted_as_often_it_is_the_node_s_fault() -> None:
    assert held(Cluster(restarts={"canary": 1, "stable": 1})).promoted


def test_without_enough_work_in_time_it_is_withdrawn() -> None:
    cluster = Cluster(commands=0)

    assert "no judgement within 0 s and 100 commands each" in held(cluster).why
    assert BEFORE == cluster.values


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")])
def test_a_trial_that_is_interrupted_is_withdrawn(error: BaseException) -> None:
    cluster = Cluster(when_installed=fail(error))

    with pytest.raises(type(error)):
        held(cluster)

    assert BEFORE == cluster.values


def test_a_pod_that_cannot_be_asked_is_asked_again() -> None:
    cluster = Cluster()
    once = iter([fail(ClusterFailed("the connection broke"))])
    cluster.when_looked = lambda: next(once, nothing)()

    assert held(cluster).promoted


def test_a_canary_that_was_left_behind_is_no_part_of_what_comes_back() -> None:
    cluster = Cluster(canary_fails=10)
    cluster.values = canary_rollout.with_canary(BEFORE, Trial("payments", "0"))

    held(cluster)

    assert BEFORE == cluster.values


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        (Trial("beat", "2"), '"beat" is no pool of workers of orders; there are payments'),
        (Trial("payments", "1"), "payments runs 1 already"),
    ],
    ids=["no workers", "the same version"],
)
def test_what_makes_no_sense_is_refused_before_anything_changes(trial: Trial, why: str) -> None:
    cluster = Cluster()

    with pytest.raises(Refused, match=why):
        held(cluster, trial)

    assert not cluster.installed_values


def test_values_without_a_canary_stay_as_they_are() -> None:
    for values in ({}, {"image": {"tag": "1"}}, BEFORE):
        assert values == canary_rollout.without_canary(values, "payments")


def test_a_pool_that_said_nothing_but_its_canary_says_nothing_after_it() -> None:
    values = {"image": {"tag": "1"}}

    assert values == canary_rollout.without_canary(canary_rollout.with_canary(values, TRIAL), "payments")
