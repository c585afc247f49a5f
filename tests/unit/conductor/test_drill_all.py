"""`drill run all` in a cluster plays what can be played there, and says of each other drill why not; one that is named alone is refused."""

import json
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from conductor.cluster import install, nodes, quorum_queues
from conductor.cluster.runtime import KubernetesRuntime
from conductor.commands import drill
from conductor.errors import Refused
from conductor.harness import runner
from conductor.harness.runner import Played
from conductor.verdict import Verdict

WHY = {
    "bad-deploy": "--bad-tag names no image whose workers never get ready",
    "canary": "--faulty-tag names no image whose commands fail now and then",
    "mixed-versions": "--next-tag names no image of a newer version",
    "node-drain": "a drain needs two nodes that take pods, for the pods to go to; there is one",
    "node-loss": "who loses a node needs another one that takes pods; there is one",
    "pod-eviction": "orders: any process of a pool takes its orders, so none is waited for",
    "rabbitmq-node-kill": "of 3 RabbitMQ nodes there are 1: k8s/overlays/ha brings them",
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A cluster of one node with the orders and one broker, in which every drill that begins is sound."""
    sound = Verdict(9, 9, [], 0, [], {})
    monkeypatch.setattr(install, "chosen", lambda namespace, capstone: "orders")
    monkeypatch.setattr(quorum_queues, "nodes", lambda kubectl: 1)
    monkeypatch.setattr(nodes, "schedulable", lambda kubectl: ["one"])
    monkeypatch.setattr(runner, "play_on_cluster", lambda drill, *_: Played(drill.name, "rabbitmq", sound, None, 1.0))
    return monkeypatch


def run(*words: str) -> Result:
    return CliRunner().invoke(drill.commands, ["run", *words, "--runtime", "kubernetes"])


@pytest.mark.usefixtures("cluster")
def test_what_cannot_be_played_is_skipped_with_its_reason_and_told_again_in_the_end() -> None:
    told = run("all")

    lines = told.stdout.splitlines()
    every = [one for one in drill.known("orders").values() if "kubernetes" in one.runtimes]
    summary = lines[lines.index(f"{len(WHY)} of {len(every)} drills were not played") + 1 :]
    assert [f"  skipped  {name}, because {why}" for name, why in WHY.items()] == summary
    assert [f"{name}: skipped, because {why}" for name, why in WHY.items()] == [
        line for line in lines if ": skipped, because " in line
    ]
    assert 0 == told.exit_code


@pytest.mark.usefixtures("cluster")
def test_a_program_reads_what_was_skipped_and_what_was_played() -> None:
    records = [json.loads(line) for line in run("all", "--json").stdout.splitlines()]

    assert WHY == {one["drill"]: one["skipped"] for one in records if "skipped" in one}
    assert "worker-kill" in {one["drill"] for one in records if "skipped" not in one}


def test_where_nothing_could_be_played_nothing_was_sound(cluster: pytest.MonkeyPatch) -> None:
    cluster.setattr(drill, "lacking", lambda *_: "nothing fits")

    assert 1 == run("all").exit_code


def test_one_that_is_named_alone_is_refused_before_anything_begins() -> None:
    untouched: Any = None
    runtime = KubernetesRuntime(capstone="orders")
    named = drill.known("orders")["bad-deploy"]

    with pytest.raises(Refused, match="--bad-tag names no image"):
        runner.play_on_cluster(named, drill.capstones.named("orders"), runtime, untouched, untouched, untouched)
