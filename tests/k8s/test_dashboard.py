"""The dashboard shows what somebody measures, and its parts find each other."""

import json
import re
from pathlib import Path

import yaml

from conductor.capstones.orders.gauges import GAUGES

CHECKOUT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((CHECKOUT / "observability" / "dashboards" / "orders.json").read_text())
SOURCES = yaml.safe_load((CHECKOUT / "observability" / "sources.yaml").read_text())["datasources"]
EXPORTED = {f"orders_{gauge.name}" for gauge in GAUGES}
SERVICES = {
    "chassis_tasks_total",
    "chassis_tasks_started_total",
    "chassis_commands_total",
    "chassis_parked_total",
    "chassis_task_seconds_bucket",
    "orders_http_requests_total",
    "orders_http_request_seconds_bucket",
    "rabbitmq_queue_messages",
}


def test_every_metric_in_a_panel_is_one_that_somebody_exposes() -> None:
    text = " ".join(target.get("expr", "") for panel in DASHBOARD["panels"] for target in panel["targets"])
    asked = set(re.findall(r"\b(?:chassis|orders|rabbitmq)_[a-z_]+", text))

    assert asked <= SERVICES | EXPORTED


def test_the_dashboard_shows_everything_that_the_exporter_counts() -> None:
    text = json.dumps(DASHBOARD)

    assert [] == [name for name in EXPORTED if name not in text]


def test_every_panel_asks_a_source_that_is_provisioned() -> None:
    known = {source["uid"] for source in SOURCES}

    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} <= known


def test_every_panel_says_what_it_means() -> None:
    assert [] == [panel["title"] for panel in DASHBOARD["panels"] if not panel["description"]]


def test_no_two_panels_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))


def test_a_span_leads_to_the_numbers_of_its_pool() -> None:
    tempo = next(source for source in SOURCES if source["type"] == "tempo")

    assert "prometheus" == tempo["jsonData"]["tracesToMetrics"]["datasourceUid"]
