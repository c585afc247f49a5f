"""Every alert is raised by some fault that can be played, and what was measured of it is kept beside what was measured before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.servers import free_port

from conductor import capstones, pools
from conductor.errors import DrillFailed
from conductor.harness import alert_faults, alert_plays, alert_table
from conductor.harness.alert_plays import Expected, Measured, Play, Receiver
from conductor.observability.registry import load
from conductor.run_directory import CHECKOUT

UNPLAYED = {
    "OOMKilled": "a laptop has no containers; tests/k8s/alert_cases.yaml has when it fires, and when not",
    "Watchdog": "fires always; that it does is waited for before every play",
}


def plays(name: str, broker: str = "rabbitmq") -> list[Play]:
    platform = SimpleNamespace(name=name, capstone=capstones.named(name))
    found = pools.load(CHECKOUT / "charts" / name / "values.yaml")
    runtime: Any = SimpleNamespace(platform=platform, broker=broker, pools=lambda: found)
    return [*alert_faults.plays(runtime), *alert_faults.of_capstone(runtime)]


def test_every_alert_has_a_fault_that_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_faults.os, "geteuid", lambda: 0)
    raised = {one.alert for name in ("orders", "analytics", "trading") for play in plays(name) for one in play.expected}

    assert {*load().alerts, "ErrorBudgetBurn"} == raised | set(UNPLAYED)
    assert not raised & set(UNPLAYED)


def test_each_capstone_burns_its_error_budget() -> None:
    burning = {
        slo.capstone
        for slo in load().slos.values()
        if "ErrorBudgetBurn" in {one.alert for play in plays(slo.capstone) for one in play.expected}
    }

    assert {slo.capstone for slo in load().slos.values()} == burning


def test_without_rabbitmq_nothing_is_played_that_only_it_can_show() -> None:
    assert "NoConsumer" not in {one.alert for play in plays("orders", "valkey") for one in play.expected}


def test_a_prometheus_that_does_not_answer_fails_the_fault_that_was_to_be_played() -> None:
    state = SimpleNamespace(ports={"prometheus": free_port()})
    runtime: Any = SimpleNamespace(platform=SimpleNamespace(name="orders", state=state))
    play = Play("never begun", lambda runtime: pytest.fail("it began"), (Expected("BeatSilent", resolving_seconds=0),))

    with pytest.raises(DrillFailed, match="BeatSilent: still active, or not told"):
        alert_plays.measure(runtime, Receiver(), play, 20)


def test_a_row_takes_the_place_of_the_one_for_the_same_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "alerts.md"
    monkeypatch.setattr(alert_table, "DOCUMENT", document)
    document.write_text(f"before\n{alert_table.BEGIN}\n{alert_table.END}\nafter\n")
    for firing in (9.0, 4.25):
        alert_table.write([Measured("orders", "beat stopped", Expected("BeatSilent", 60), 20, firing, 1.0)])
    alert_table.write([Measured("orders", "provider out", Expected("A", 0, 30), 20, 1.0, 2.0)])

    assert [
        "before",
        alert_table.BEGIN,
        *alert_table.HEAD,
        "| orders | provider out | A | 0, and at most 30 | 1.0 | 2.0 |",
        "| orders | beat stopped | BeatSilent | 3 | 4.2 | 1.0 |",
        alert_table.END,
        "after",
    ] == document.read_text().splitlines()
