"""From a slow moment on a panel to the trace that took so long: as rendered, and in collector and Prometheus where they are installed."""

import contextlib
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from tests.k8s import installed_programs
from tests.k8s.conftest import CHECKOUT, Object
from tests.k8s.installed_programs import answers, of_here, program, runs

from conductor.observability import comparison
from conductor.observability.registry import load
from servers import free_port, wait_until

Render = Callable[[str], list[Object]]
COMPONENT = CHECKOUT / "k8s" / "components" / "observability"
METRIC = "traces_span_metrics_duration_seconds"
JOB = "exemplars"
BOARDS = [json.loads(file.read_text()) for file in (CHECKOUT / "observability" / "dashboards").glob("*.json")]
TARGETS = [target for board in BOARDS for panel in board["panels"] for target in panel["targets"]]
TRACED = sorted(target["expr"] for target in TARGETS if target.get("exemplar"))
SCRAPES = yaml.safe_load((COMPONENT / "prometheus-config.yaml").read_text())

overlays = pytest.mark.parametrize("overlay", ["observability", "observability-jaeger"])


def test_every_panel_of_times_that_spans_can_tell_leads_to_traces() -> None:
    timed = ("_http_request_seconds_bucket", "chassis_task_seconds_bucket")
    leads = [
        any(target.get("exemplar") for target in panel["targets"])
        for board in BOARDS
        for panel in board["panels"]
        if any(metric in target["expr"] for metric in timed for target in panel["targets"])
    ]

    assert leads
    assert all(leads)


def test_what_recorded_spans_count_is_drawn_nowhere_and_is_in_no_rule() -> None:
    asked = [target["expr"] for target in TARGETS if METRIC in target["expr"]]

    assert TRACED == sorted(asked)
    assert [] == [expr for expr in asked if not expr.endswith("} < 0") or "rate(" in expr]
    assert METRIC not in (CHECKOUT / "observability" / "rules" / "rules.yaml").read_text()


def test_an_exemplar_leads_to_where_the_traces_are() -> None:
    sources = yaml.safe_load((CHECKOUT / "observability" / "sources.yaml").read_text())["datasources"]
    asked = next(one for one in sources if one["type"] == "prometheus")
    (destination,) = asked["jsonData"]["exemplarTraceIdDestinations"]
    tempo = next(one["uid"] for one in sources if one["type"] == "tempo")

    assert {"name": "trace_id", "datasourceUid": tempo} == destination


@overlays
def test_prometheus_keeps_exemplars_finds_the_collectors_port_and_may_reach_it(rendered: Render, overlay: str) -> None:
    objects = rendered(overlay)
    collector, prometheus = (container(objects, name) for name in ("opentelemetry-collector", "prometheus"))
    told = yaml.safe_load((COMPONENT / "collector-config.yaml").read_text())["exporters"]["prometheus/exemplars"]
    (port,) = (one["containerPort"] for one in collector["ports"] if one["name"] == JOB)
    policies = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "NetworkPolicy"}

    assert "--enable-feature=exemplar-storage" in prometheus["args"]
    assert told["endpoint"] == f"0.0.0.0:{port}"
    assert {"port": port} in policies["metrics"]["egress"][0]["ports"]
    assert {"port": JOB} in policies["collector"]["ingress"][1]["ports"]


def container(objects: list[Object], deployment: str) -> Any:
    """The one container of a Deployment."""
    (found,) = next(
        one["spec"]["template"]["spec"]["containers"]
        for one in objects
        if one["kind"] == "Deployment" and one["metadata"]["name"] == deployment
    )
    return found


@dataclass(frozen=True)
class Watched:
    """A collector and a Prometheus with the overlay's configuration."""

    otlp: int
    shown: int
    prometheus: int

    def send(self, spans: Sequence[ReadableSpan]) -> None:
        """As the chassis sends them."""
        exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{self.otlp}/v1/traces")
        assert SpanExportResult.SUCCESS is exporter.export(spans)

    def told(self, path: str, **query: str) -> Any:
        """What Prometheus answers."""
        return installed_programs.told(self.prometheus, path, **query)

    def traces(self, expr: str) -> dict[str, float]:
        """The traces that a panel's query leads to, with the seconds that stand there."""
        now = time.time()
        found = self.told("query_exemplars", query=expr, start=str(now - 600), end=str(now + 60))
        return {one["labels"]["trace_id"]: float(one["value"]) for series in found for one in series["exemplars"]}

    def series(self) -> list[dict[str, str]]:
        """All that Prometheus has of the collector's, without what it adds to each scrape by itself."""
        found = self.told("series", **{"match[]": f'{{job="{JOB}", __name__=~"[^:]*_.*"}}'})
        return [one for one in found if not one["__name__"].startswith("scrape_")]


@pytest.fixture
def watched(rendered: Render, tmp_path: Path) -> Iterator[Watched]:
    otelcol, prometheus = program("otelcol-contrib"), program("prometheus")
    own = Watched(free_port(), free_port(), free_port())
    health = free_port()
    config = of_here(
        tmp_path / "collector-config.yaml",
        (COMPONENT / "collector-config.yaml").read_text(),
        {
            "0.0.0.0:13133": f"127.0.0.1:{health}",
            "0.0.0.0:4317": f"127.0.0.1:{free_port()}",
            "0.0.0.0:4318": f"127.0.0.1:{own.otlp}",
            "host: 0.0.0.0": "host: 127.0.0.1",
            "port: 8888": f"port: {free_port()}",
            "0.0.0.0:8889": f"127.0.0.1:{own.shown}",
        },
    )
    told = {**SCRAPES, "rule_files": [], "alerting": {}}
    del told["scrape_config_files"]  # which a Prometheus of Debian 12 does not know
    (job,) = (one for one in SCRAPES["scrape_configs"] if one["job_name"] == JOB)
    job = {key: value for key, value in job.items() if key not in ("kubernetes_sd_configs", "relabel_configs")}
    told["scrape_configs"] = [{**job, "static_configs": [{"targets": [f"127.0.0.1:{own.shown}"]}]}]
    scrapes = tmp_path / "prometheus-config.yaml"
    scrapes.write_text(yaml.safe_dump(told))
    places = {"--config.file": str(scrapes), "--storage.tsdb.path": str(tmp_path / "data")}
    given = [one.partition("=") for one in container(rendered("observability"), "prometheus")["args"]]
    argv = [f"{name}={places.get(name, value)}" for name, _, value in given]
    with (
        runs(tmp_path / "collector.log", otelcol, f"--config={config}"),
        runs(tmp_path / "prometheus.log", prometheus, *argv, f"--web.listen-address=127.0.0.1:{own.prometheus}"),
    ):
        wait_until(lambda: answers(f"http://127.0.0.1:{health}"), what="the collector")
        wait_until(lambda: answers(f"http://127.0.0.1:{own.prometheus}/-/ready"), what="Prometheus")
        yield own


def span(
    trace: int, service: str, pool: str, *, name: str, kind: SpanKind, seconds: float, process: int = 1
) -> ReadableSpan:
    """One that ended now."""
    now = time.time_ns()
    process_of = {"service.name": service, "service.instance.id": f"{pool}-{process}", "pool": pool}
    return ReadableSpan(
        name=name,
        context=SpanContext(trace, trace & (2**64 - 1) or 1, is_remote=False, trace_flags=TraceFlags(1)),
        resource=Resource({**process_of, "service.version": "1"}),
        kind=kind,
        attributes={"http.route": name, "http.request.method": name},
        start_time=now - int(seconds * 1e9),
        end_time=now,
    )


def test_the_collector_calls_nothing_of_its_configuration_by_a_name_of_yesterday(
    watched: Watched, tmp_path: Path
) -> None:
    said = (tmp_path / "collector.log").read_text()

    assert "deprecated" not in said, said


SLOW, CHARGED, READ, CALL = (number << 100 | 0xC0FFEE for number in (1, 2, 3, 4))


def test_a_panel_leads_to_the_trace_of_the_one_slow_request_and_of_the_work_and_names_from_outside_make_no_series(
    watched: Watched,
) -> None:
    quick = [
        span(1000 + n, "orders", "api", name=f"GET /{n}", kind=SpanKind.SERVER, seconds=0.003, process=n)
        for n in range(2000)
    ]
    slow = span(SLOW, "orders", "api", name="POST /orders", kind=SpanKind.SERVER, seconds=3.2)
    work = [
        span(CHARGED, "orders", "payments", name="process orders.take_payment", kind=SpanKind.CONSUMER, seconds=0.8),
        span(READ, "trading", "api", name="GET /positions", kind=SpanKind.SERVER, seconds=0.02),
        span(CALL, "orders", "payments", name="POST /charges", kind=SpanKind.CLIENT, seconds=0.7),
    ]
    for n in range(0, len(quick), 500):
        watched.send(quick[n : n + 500])
    watched.send([slow, *work])
    found: dict[str, dict[str, float]] = {}
    wanted = {f"{one:032x}" for one in (SLOW, CHARGED, READ)}

    def seen() -> bool:
        found.update({expr: watched.traces(expr) for expr in TRACED})
        return wanted <= {trace for traces in found.values() for trace in traces}

    wait_until(seen, what="exemplars", seconds=60)

    of_orders = found[next(expr for expr in TRACED if '"orders"' in expr)]
    assert 3.2 == pytest.approx(of_orders[f"{SLOW:032x}"], abs=0.01)
    assert {f"{SLOW:032x}"} == {trace for trace, seconds in of_orders.items() if seconds > 1}
    assert {f"{CHARGED:032x}"} == set(found[next(expr for expr in TRACED if '!="api"' in expr)])
    assert {f"{READ:032x}"} == set(found[next(expr for expr in TRACED if '"trading"' in expr)])
    assert [] == [expr for expr in TRACED if watched.told("query", query=expr)["result"]]
    series = watched.series()
    assert {("orders", "api"), ("orders", "payments"), ("trading", "api")} == {
        (one["service_name"], one["pool"]) for one in series
    }
    assert {f"{METRIC}_bucket"} == {one["__name__"] for one in series}
    assert len({one["le"] for one in series}) * 3 == len(series)
    with contextlib.closing(urllib.request.urlopen(f"http://127.0.0.1:{watched.shown}/metrics", timeout=10)) as answer:
        assert [] == comparison.undeclared(load(), [answer.read().decode()])
