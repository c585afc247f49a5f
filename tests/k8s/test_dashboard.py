"""The dashboards are what their script writes, Grafana's own models can read them, and every query asks for something that is shown."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

import promtool
from conductor import capstones
from conductor.observability import rules
from conductor.observability.registry import load, metrics_of

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "scripts"))

import dashboards  # noqa: E402

FOLDER = CHECKOUT / "observability" / "dashboards"
BOARDS: dict[str, Any] = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
SOURCES = yaml.safe_load((CHECKOUT / "observability" / "sources.yaml").read_text())["datasources"]
PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]
QUERIES = [(f"{name}: {panel['title']}", target["expr"]) for name, panel in PANELS for target in panel["targets"]]
ONLY_IN_RULES = {
    "chassis_outbox_oldest_unpublished_seconds",
    "chassis_relay_round_timestamp_seconds",
    "chassis_start_timestamp_seconds",
    "kube_pod_labels",
}


def test_the_files_are_what_the_script_writes() -> None:
    assert set(dashboards.BOARDS) == set(BOARDS)
    assert [] == [name for name in BOARDS if dashboards.text(name) != (FOLDER / f"{name}.json").read_text()]


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_survives_the_round_trip_through_grafanas_models(name: str) -> None:
    read = Dashboard.from_json(BOARDS[name])

    assert BOARDS[name] == json.loads(JSONEncoder().encode(read))


def test_every_query_is_one_that_prometheus_can_read(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    made = [expr.replace("$__rate_interval", "5m").replace("$__interval", "1m") for _, expr in QUERIES]
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(made)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = promtool.run("check", "rules", file)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_query_asks_for_metrics_of_the_registry_and_every_metric_is_asked_for() -> None:
    known = load().metrics.keys()
    asked = {name for _, expr in QUERIES for name in metrics_of(expr)}

    assert [] == [(where, name) for where, expr in QUERIES for name in metrics_of(expr) if name not in known]
    assert ONLY_IN_RULES == known - asked


def test_no_panel_takes_what_is_unknown_for_nothing() -> None:
    assert [] == [where for where, expr in QUERIES if "vector(" in expr]
    assert {"no data"} == {panel["fieldConfig"]["defaults"]["noValue"] for _, panel in PANELS}


def test_a_capstones_dashboard_shows_no_zero_while_only_another_ones_exporter_answers(tmp_path: Path) -> None:
    others = [{"series": f'chassis_database_up{{capstone="{name}"}}', "values": "1x20"} for name in capstones.names()]
    groups = [
        {
            "input_series": [one for one in others if f'"{name}"' not in one["series"]],
            "promql_expr_test": [
                {"expr": target["expr"].replace("$__rate_interval", "5m"), "eval_time": "5m", "exp_samples": []}
                for board, panel in PANELS
                for target in panel["targets"]
                if board == name
            ],
        }
        for name in capstones.names()
    ]

    assert "" == promtool.tested(rules.FILE, groups, tmp_path)


def test_a_rate_is_over_the_interval_that_grafana_chooses() -> None:
    assert [] == [where for where, expr in QUERIES if "rate(" in expr and "[$__rate_interval]" not in expr]


def test_every_panel_says_what_it_means_in_which_unit_and_asks_a_source_that_is_provisioned() -> None:
    known = {source["uid"] for source in SOURCES}

    assert [] == [panel["title"] for _, panel in PANELS if not panel["description"]]
    assert [] == [panel["title"] for _, panel in PANELS if not panel["fieldConfig"]["defaults"]["unit"]]
    assert {panel["datasource"]["uid"] for _, panel in PANELS} <= known


@pytest.mark.parametrize("name", BOARDS)
def test_no_two_panels_lie_on_each_other(name: str) -> None:
    cells = [
        (x, y)
        for panel in BOARDS[name]["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))


def test_every_dashboard_is_given_to_grafana() -> None:
    made = yaml.safe_load((CHECKOUT / "observability" / "kustomization.yaml").read_text())["configMapGenerator"]
    given = next(one["files"] for one in made if one["name"] == "grafana-dashboards")

    assert sorted(f"dashboards/{name}.json" for name in BOARDS) == sorted(given)


def test_a_span_leads_to_the_numbers_of_its_pool() -> None:
    tempo = next(source for source in SOURCES if source["type"] == "tempo")

    assert "prometheus" == tempo["jsonData"]["tracesToMetrics"]["datasourceUid"]
