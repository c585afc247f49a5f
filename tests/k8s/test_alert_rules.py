"""The rules that are checked in: what the registry says, valid, each seen to fire and to stay silent by Prometheus' own engine."""

from pathlib import Path
from typing import Any

import yaml

import promtool
from conductor import capstones, pools
from conductor.observability import rules
from conductor.observability.registry import load, metrics_of, runbook
from conductor.run_directory import values

CHECKOUT = Path(__file__).resolve().parents[2]
CASES = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())
REGISTRY = load()
ALERTS = ["ErrorBudgetBurn", *REGISTRY.alerts]


def test_the_rules_are_those_of_the_registry() -> None:
    assert rules.text() == rules.FILE.read_text(), "`make rules` writes them anew"


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_must_not() -> None:
    assert set(ALERTS) == CASES.keys()
    assert [] == [name for name, case in CASES.items() if not case["fires"]]
    assert ["Watchdog"] == [name for name, case in CASES.items() if not case["silent"]]


def group(alert: str, case: dict[str, Any], *, fires: bool) -> dict[str, Any]:
    expr = f'count by (alertname) (ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0'
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if fires else []
    return {
        "interval": "30s",
        "input_series": [{"series": name, "values": str(values)} for name, values in case["series"].items()],
        "promql_expr_test": [{"expr": expr, "eval_time": case.get("at", "10m"), "exp_samples": samples}],
    }


def test_every_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    groups = [group(alert, one, fires=True) for alert, case in CASES.items() for one in case["fires"]]
    groups += [group(alert, one, fires=False) for alert, case in CASES.items() for one in case["silent"]]

    assert "" == promtool.tested(rules.FILE, groups, tmp_path)


def test_a_drill_divides_every_window_and_wait_and_nothing_else(tmp_path: Path) -> None:
    divided = tmp_path / "rules.yaml"
    divided.write_text(rules.text(divide=20))
    stalled = CASES["QueueStalled"]["fires"][0]

    assert 0 == promtool.run("check", "rules", divided).returncode
    assert "for: 1500ms" in divided.read_text()  # 30 s
    assert "[15s]" in divided.read_text()  # five minutes
    assert "> 3\n" in divided.read_text()  # a minute
    assert 'le="30.0"' in divided.read_text()
    assert "" == promtool.tested(divided, [group("QueueStalled", {**stalled, "at": "1m"}, fires=True)], tmp_path)


def test_every_alert_says_what_to_read_and_which_command_comes_first() -> None:
    made = [rule for one in rules.document(REGISTRY)["groups"] for rule in one["rules"] if "alert" in rule]

    assert [] == [rule["alert"] for rule in made if not (CHECKOUT / rule["annotations"]["runbook"]).is_file()]
    assert ["Watchdog"] == [rule["alert"] for rule in made if "next" not in rule["annotations"]]


def test_every_rule_asks_only_for_metrics_of_the_registry() -> None:
    made = [rule["expr"] for one in rules.document(REGISTRY)["groups"] for rule in one["rules"]]
    asked = {name for expr in made for name in metrics_of(expr)}

    assert set() == asked - REGISTRY.metrics.keys()
    assert {"up", "chassis_outbox_oldest_due_seconds", "orders_decided_seconds"} < asked


def test_the_pools_and_queues_of_the_registry_are_those_of_the_charts() -> None:
    found = [pool for name in capstones.names() for pool in pools.load(values(name)).values()]

    assert {pool.name for pool in found} == set(REGISTRY.values["pools"])
    assert {queue for pool in found for queue in pool.queues} == set(REGISTRY.values["queues"])
    assert set(capstones.names()) == set(REGISTRY.values["capstones"])


def test_no_rule_takes_what_is_unknown_for_nothing() -> None:
    assert "or vector(" not in rules.FILE.read_text()


def test_every_runbook_is_an_alerts() -> None:
    known = {runbook(alert) for alert in ALERTS}

    assert known == {file.name for file in (CHECKOUT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
