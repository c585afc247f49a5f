"""What a deploy leaves where it is: objects of the wanted overlay, and those that a capstone which is not deployed now may stand on.

And for which capstones it fills in what requests refer to.
"""

import contextlib
import json
from typing import Any

import pytest
import typer.testing

from conductor.cluster import install, log_collector, overlays, removal
from conductor.cluster.installation import PLATFORM, Installation
from conductor.cluster.names import OVERLAYS, Names
from conductor.commands import cluster
from conductor.errors import ClusterFailed, Refused

ANALYTICS = Names("analytics")
SHARDED = ANALYTICS.platform_of("sharded")


def test_a_deploy_of_another_capstone_leaves_the_counters_of_every_overlay() -> None:
    found = overlays.sources(Installation(overlay="ha"), ["orders"])

    assert {OVERLAYS / "ha", ANALYTICS.own_platform, SHARDED} <= {*found}


def test_a_deploy_of_the_analytics_leaves_the_counters_of_its_overlay_alone() -> None:
    found = {overlay: overlays.sources(Installation(overlay=overlay), ["analytics"]) for overlay in ("kind", "sharded")}

    assert [ANALYTICS.own_platform in found["kind"], SHARDED in found["kind"]] == [True, False]
    assert [ANALYTICS.own_platform in found["sharded"], SHARDED in found["sharded"]] == [False, True]


def workload(kind: str, name: str, **pod: Any) -> dict[str, Any]:
    template = {"template": {"spec": {"containers": [], **pod}}}
    spec = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    return {
        "apiVersion": "batch/v1" if "Job" in kind else "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


OF_THE_ANALYTICS = [
    workload(
        "StatefulSet",
        "counters",
        serviceAccountName="counters-account",
        volumes=[
            {"configMap": {"name": "counters-1"}},
            {"projected": {"sources": [{"configMap": {"name": "part-1"}}]}},
        ],
    ),
    workload("Deployment", "pages", containers=[{"envFrom": [{"configMapRef": {"name": "variables-1"}}]}]),
    workload("CronJob", "clock", initContainers=[{"env": [{"valueFrom": {"configMapKeyRef": {"name": "one-1"}}}]}]),
]
"""As an older checkout made them."""


class Cluster:
    """kubectl for a namespace with these workloads, and with objects that no overlay of this checkout brings."""

    namespace = "here"

    def __init__(self, *workloads: dict[str, Any]) -> None:
        self._workloads = workloads
        named = ("counters-1", "part-1", "variables-1", "one-1", "left-1")
        self.objects = [*(f"configmap/{name}" for name in named), "serviceaccount/counters-account", "service/left"]
        self.objects += [f"{one['kind'].lower()}.apps/{one['metadata']['name']}" for one in workloads[:1]]
        self.rights = {f"clusterrole/{name}-kubelets" for name in ("capstones", "there")}
        self.deleted: list[str] = []

    def __call__(self, *arguments: str, given: str = "") -> str:
        if arguments[0] == "delete":
            self.deleted += arguments[1:-1]
            return ""
        if arguments[-1] == "json":
            return json.dumps({"items": self._workloads})
        if "--filename" in arguments:
            return given
        return "\n".join(self.objects if "--selector" in arguments else self.rights & {*arguments})


def pruned(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, *kept: str) -> list[str]:
    """What a deploy of the orders removes where this checkout brings what is `kept`."""
    monkeypatch.setattr(Installation, "kubectl", property(lambda self: cluster))
    monkeypatch.setattr(overlays, "rendered", lambda wanted, source: "\n".join(kept))
    left = overlays.prune(Installation(), ["orders"])
    assert left == cluster.deleted
    return left


def test_what_pods_of_another_capstone_cannot_start_without_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left = pruned(Cluster(*OF_THE_ANALYTICS), monkeypatch, "statefulset.apps/counters")

    assert ["configmap/left-1", "service/left", "clusterrole/capstones-kubelets"] == left


def test_what_only_a_workload_needs_that_goes_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left = pruned(Cluster(*OF_THE_ANALYTICS), monkeypatch)

    assert {"statefulset.apps/counters", "configmap/counters-1", "serviceaccount/counters-account"} <= {*left}
    assert {"configmap/variables-1", "configmap/one-1"}.isdisjoint(left)


@pytest.mark.parametrize("platform", [True, False])
def test_what_is_in_no_namespace_goes_with_the_platform(monkeypatch: pytest.MonkeyPatch, platform: bool) -> None:
    cluster = Cluster()
    cluster.rights = {
        f"{kind}/{name}-kubelets" for kind in ("clusterrole", "clusterrolebinding") for name in ("shop", "there")
    }
    monkeypatch.setattr(Installation, "kubectl", property(lambda self: cluster))
    monkeypatch.setattr(log_collector, "remove", lambda wanted: None)
    removal.undeploy(Installation(namespace="shop"), [], lambda _: None, platform=platform, volumes=False)

    gone = {name for name in cluster.deleted if name.endswith("-kubelets")}
    assert gone == ({"clusterrole/shop-kubelets", "clusterrolebinding/shop-kubelets"} if platform else set())


@pytest.mark.parametrize(("said", "made"), [("Error from server (Forbidden): clusterroles …", []), ("no route", None)])
def test_who_may_not_ask_for_what_is_in_no_namespace_made_none(
    monkeypatch: pytest.MonkeyPatch, said: str, made: list[str] | None
) -> None:
    def refuses(*_: str) -> str:
        raise ClusterFailed(said)

    monkeypatch.setattr(Installation, "kubectl", property(lambda self: refuses))
    with contextlib.nullcontext() if made is not None else pytest.raises(ClusterFailed, match=said):
        assert made == overlays.rights(Installation())


@pytest.mark.parametrize(("capstone", "job"), [("orders", True), ("trading", True), ("analytics", False)])
def test_a_job_fills_in_what_requests_refer_to_only_where_they_refer_to_something(capstone: str, job: bool) -> None:
    assert job == install.refers(Names(capstone))


def test_a_namespace_of_somebody_else_is_not_taken_for_that_of_the_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(log_collector, "run", asked.extend)
    log_collector.remove(Installation(namespace="shop"))

    assert f"kubernetes.io/metadata.name=shop-logs,{PLATFORM}" == asked[asked.index("--selector") + 1]


def test_a_word_that_helm_does_not_take_is_named_before_anything_is_asked_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(install, "reachable", lambda: pytest.fail("a cluster was asked"))
    with pytest.raises(Refused, match='"orders" is no option of helm upgrade'):
        typer.testing.CliRunner().invoke(
            cluster.commands, ["deploy", "orders", "--tag", "e2e"], catch_exceptions=False, standalone_mode=False
        )
