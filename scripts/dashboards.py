"""Grafana's dashboards as tables of queries: `make dashboards` writes observability/dashboards/*.json anew.

A panel has no value where nobody knows it, and 0 only where somebody counted nothing: `counted` asks whether the exporter's database
answered. Rates are over `$__rate_interval`, so that no zoom shows gaps.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, DataSourceRef

FOLDER = Path(__file__).resolve().parents[1] / "observability" / "dashboards"
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
WIDTH, ROW_HEIGHT, STAT_HEIGHT = 24, 8, 4


@dataclass(frozen=True)
class Panel:
    """A graph, or one number when `number`. `queries` are PromQL by legend; `unit` is Grafana's.

    `traced` are labels of the recorded spans that lead from the graph to traces; most graphs have none. `every` is how often the series are
    scraped, where that is more seldom than the source says: a rate is over four of them.
    """

    title: str
    description: str
    unit: str
    queries: dict[str, str]
    number: bool = False
    traced: str = ""
    every: str = ""


def counted(metric: str, capstone: str, where: str = "") -> str:
    """A sum of what a capstone's exporter counts: 0 when it counted nothing, nothing when its database, or itself, did not answer."""
    of = f'capstone="{capstone}"'
    return f"sum ({metric}{{{', '.join(filter(None, (of, where)))}}}) or sum (chassis_database_up{{{of}}} == 1) * 0"


def counted_by_capstone(metric: str) -> str:
    """The same of each capstone: one whose exporter does not answer is missing, and not taken for one that has none."""
    return f"sum by (capstone) ({metric}) or sum by (capstone) (chassis_database_up == 1) * 0"


def rate(metric: str, by: str, where: str = "") -> str:
    """Of a counter, a second."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def quantile(q: float, metric: str, by: str, where: str = "") -> str:
    """Of a histogram."""
    within = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, sum by ({within}) (rate({metric}_bucket{{{where}}}[$__rate_interval])))"


def exemplars(where: str) -> str:
    """Of recorded spans. Grafana asks for the exemplars of the series that a query names, and draws none of these, because no count is
    negative: what they count is no rate, and no percentile."""
    return f"traces_span_metrics_duration_seconds_bucket{{{where}}} < 0"


KUBELET_EVERY = "15s"
"""As k8s/components/kubelets scrapes them."""

NO_KUBELETS = "No data: Prometheus does not ask the kubelets, as on a laptop"

TRACES = "A dot is one that was recorded, and leads to its trace."

OVERVIEW = [
    Panel(
        "Pages",
        "Alerts that wake somebody. No data: Prometheus evaluates nothing.",
        "short",
        {"firing": 'count(ALERTS{alertstate="firing", severity="page"}) or count(ALERTS{alertname="Watchdog"}) * 0'},
        number=True,
    ),
    Panel(
        "Tickets",
        "Alerts for the day.",
        "short",
        {"firing": 'count(ALERTS{alertstate="firing", severity="ticket"}) or count(ALERTS{alertname="Watchdog"}) * 0'},
        number=True,
    ),
    Panel(
        "Parked",
        "Messages that wait for a decision, by capstone. One is missing: its exporter does not answer.",
        "short",
        {"{{capstone}}": counted_by_capstone("chassis_parked_records")},
        number=True,
    ),
    Panel(
        "Processes that do not answer",
        "Of all that are to be scraped.",
        "short",
        {"down": "count(up) - sum(up)"},
        number=True,
    ),
    Panel(
        "Errors, last hour",
        "Share of bad events by promise; 1 burns the whole budget at once.",
        "percentunit",
        {"{{slo}}": "slo:error_ratio:3600s"},
    ),
    Panel("Errors, last six hours", "The same, slower.", "percentunit", {"{{slo}}": "slo:error_ratio:21600s"}),
    Panel(
        "Alerts that fire",
        "By name.",
        "short",
        {
            "{{alertname}} {{capstone}}": 'count by (alertname, capstone) (ALERTS{alertstate="firing", alertname!="Watchdog"})'
        },
    ),
    Panel(
        "Versions",
        "Processes by what runs.",
        "short",
        {"{{capstone}} {{version}}": "count by (capstone, version) (chassis_build_info)"},
    ),
]

ORDERS = [
    Panel(
        "Orders under way",
        "Not final yet.",
        "short",
        {"open": counted("orders_orders", "orders", 'state!~"delivered|cancelled|failed"')},
        number=True,
    ),
    Panel(
        "Oldest open order",
        "No data: none is open, or the database does not answer.",
        "s",
        {"oldest": "max(orders_oldest_open_seconds)"},
        number=True,
    ),
    Panel(
        "Parked",
        "Commands and messages that wait for a decision.",
        "short",
        {"parked": counted("chassis_parked_records", "orders")},
        number=True,
    ),
    Panel(
        "Need attention",
        "Orders that a person should look at.",
        "short",
        {"orders": "sum(orders_needing_attention)"},
        number=True,
    ),
    Panel(
        "Undecided and late",
        "Accepted 30 s to an hour ago, and neither paid nor refused: they count against the promise.",
        "short",
        {"orders": "sum(orders_undecided_late)"},
        number=True,
    ),
    Panel(
        "Orders taken",
        "POST /orders by status.",
        "reqps",
        {"{{status}}": rate("orders_http_requests_total", "status", 'method="POST", route="/orders"')},
    ),
    Panel(
        "Until paid or refused",
        "From acceptance, p50 and p99.",
        "s",
        {"p50": quantile(0.5, "orders_decided_seconds", ""), "p99": quantile(0.99, "orders_decided_seconds", "")},
    ),
    Panel("Orders by state", "As the database counts them.", "short", {"{{state}}": "max by (state) (orders_orders)"}),
    Panel(
        "Age of the oldest order",
        "By state, of those that are not final.",
        "s",
        {"{{state}}": "max by (state) (orders_oldest_open_seconds)"},
    ),
    Panel(
        "Time to the first byte, p95",
        f"By route. {TRACES}",
        "s",
        {"{{route}}": quantile(0.95, "orders_http_request_seconds", "route", 'route!~"/health/.*"')},
        traced='service_name="orders", pool="api"',
    ),
    Panel(
        "Requests that the server ended",
        "Before a route saw them.",
        "reqps",
        {"{{reason}}": rate("chassis_http_refused_total", "reason", 'capstone="orders"')},
    ),
    Panel(
        "Open circuits",
        "1 while an outside system is not called.",
        "short",
        {"{{system}}": 'max by (system) (chassis_breaker_open{capstone="orders"})'},
    ),
    Panel(
        "Retries",
        "By the kind of reason.",
        "ops",
        {"{{task}} {{reason}}": rate("chassis_retries_total", "task, reason", 'capstone="orders"')},
    ),
]

ANALYTICS = [
    Panel(
        "Events counted",
        "By how their time relates to their arrival.",
        "cps",
        {"{{timing}}": rate("analytics_events_total", "timing")},
    ),
    Panel(
        "Visible after",
        "From the publication of a batch until its events are counted.",
        "s",
        {"p50": quantile(0.5, "analytics_visible_seconds", ""), "p99": quantile(0.99, "analytics_visible_seconds", "")},
    ),
    Panel(
        "Batches",
        "By queue and outcome.",
        "ops",
        {"{{queue}} {{outcome}}": rate("chassis_batches_total", "queue, outcome")},
    ),
    Panel(
        "Batches held",
        "Not acknowledged.",
        "short",
        {"{{pool}}": 'sum by (pool) (chassis_messages_held{capstone="analytics"})'},
    ),
    Panel(
        "Batches that wait",
        "No aggregator has taken them.",
        "short",
        {"{{queue}}": "max by (queue) (analytics_waiting_batches)"},
    ),
    Panel(
        "Users that wait",
        "They have engagements that are not learned yet.",
        "short",
        {"users": "max(analytics_waiting_users)"},
    ),
    Panel(
        "Requests",
        "By route and status.",
        "reqps",
        {"{{route}} {{status}}": rate("analytics_http_requests_total", "route, status")},
    ),
    Panel(
        "Time to the first byte, p95",
        f"By route. {TRACES}",
        "s",
        {"{{route}}": quantile(0.95, "analytics_http_request_seconds", "route")},
        traced='service_name="analytics", pool="api"',
    ),
    Panel(
        "Parked batches",
        "Events that are not counted.",
        "short",
        {
            "all": counted("chassis_parked_records", "analytics"),
            "{{queue}} {{reason}}": 'sum by (queue, reason) (chassis_parked_records{capstone="analytics"})',
        },
    ),
]

TRADING = [
    Panel("Shards that take orders", "By shard.", "short", {"ready": "sum(trading_shard_ready)"}, number=True),
    Panel("Clients logged on", "Over FIX.", "short", {"sessions": "sum(trading_fix_sessions)"}, number=True),
    Panel(
        "Records behind",
        "Of the journal, that the broker has not confirmed.",
        "short",
        {"records": "max(trading_tail_lag_records)"},
        number=True,
    ),
    Panel(
        "Batches that wait",
        "For one before them, of the journal's, on their way into the positions; of all shards.",
        "short",
        {"batches": counted("trading_early_batches", "trading")},
        number=True,
    ),
    Panel(
        "Feed followed",
        "Whether it is read and kept.",
        "short",
        {"followed": "max(trading_feed_followed)"},
        number=True,
    ),
    Panel(
        "Engine, an input",
        "From taking it until its outcomes are handed over.",
        "s",
        {
            "p50": quantile(0.5, "trading_engine_input_duration_seconds", ""),
            "p99.9": quantile(0.999, "trading_engine_input_duration_seconds", ""),
        },
    ),
    Panel(
        "Messages", "Of FIX, by direction.", "ops", {"{{direction}}": rate("trading_fix_messages_total", "direction")}
    ),
    Panel(
        "Refused for want of room",
        "In the ring.",
        "reqps",
        {"refused": "sum(rate(trading_orders_refused_busy_total[$__rate_interval]))"},
    ),
    Panel(
        "Replaced",
        "Engines and gateways.",
        "ops",
        {"replaced": "sum(rate(trading_shard_replacements_total[$__rate_interval]))"},
    ),
    Panel(
        "Feed",
        "Gaps, and ticks that were not simply believed.",
        "ops",
        {
            "gaps": "sum(rate(trading_feed_gaps_total[$__rate_interval]))",
            "{{fate}}": rate("trading_feed_ticks_total", "fate"),
        },
    ),
    Panel(
        "Requests",
        "By route and status.",
        "reqps",
        {"{{route}} {{status}}": rate("trading_http_requests_total", "route, status")},
    ),
    Panel(
        "Time to the first byte, p95",
        f"By route. {TRACES}",
        "s",
        {"{{route}}": quantile(0.95, "trading_http_request_seconds", "route")},
        traced='service_name="trading", pool="api"',
    ),
]

POOLS = [
    Panel(
        "Tasks",
        "By pool and outcome.",
        "ops",
        {"{{capstone}} {{pool}} {{outcome}}": rate("chassis_tasks_total", "capstone, pool, outcome")},
    ),
    Panel(
        "Task seconds, p95",
        f"By pool. {TRACES}",
        "s",
        {"{{capstone}} {{pool}}": quantile(0.95, "chassis_task_seconds", "capstone, pool")},
        traced='pool!="api"',
    ),
    Panel(
        "Tasks in flight",
        "Begun and not ended.",
        "short",
        {
            "{{capstone}} {{pool}}": "sum by (capstone, pool) (chassis_tasks_started_total) - sum by (capstone, pool) (chassis_tasks_total)"
        },
    ),
    Panel(
        "Killed, and starts",
        "Tasks whose process was killed at its limit, or died; starts of main processes in their place.",
        "ops",
        {
            "{{pool}} {{task}} {{reason}}": rate("chassis_tasks_killed_total", "pool, task, reason"),
            "{{pool}} starts": rate("chassis_starts_total", "pool"),
        },
    ),
    Panel(
        "CPU",
        "Of each pool's processes and their children, in cores.",
        "short",
        {"{{capstone}} {{pool}}": rate("chassis_cpu_seconds_total", "capstone, pool")},
    ),
    Panel(
        "Memory",
        "Of each pool's process that uses most, with its children, and the most that it may use, where there is a limit.",
        "bytes",
        {
            "{{capstone}} {{pool}}": "max by (capstone, pool) (chassis_memory_bytes)",
            "{{capstone}} {{pool}} limit": "min by (capstone, pool) (chassis_memory_limit_bytes)",
        },
    ),
    Panel(
        "Since a container was killed for its memory",
        "Of pods that are still there, in a cluster. No data: none was.",
        "s",
        {
            "{{pod}} {{container}}": "time() - max by (pod, container) (kube_pod_container_status_last_terminated_timestamp "
            'and on (namespace, pod, container) kube_pod_container_status_last_terminated_reason{reason="OOMKilled"})'
        },
    ),
    Panel(
        "Memory of containers, of their limit",
        f"As the kernel counts it; at 1 it kills. Also of servers, which show none themselves. {NO_KUBELETS}.",
        "percentunit",
        {
            "{{pod}} {{container}}": "max by (pod, container) (container_memory_working_set_bytes "
            "/ (container_spec_memory_limit_bytes > 0))"
        },
    ),
    Panel(
        "CPU of containers",
        f"In cores. {NO_KUBELETS}.",
        "short",
        {"{{pod}} {{container}}": rate("container_cpu_usage_seconds_total", "pod, container")},
        every=KUBELET_EVERY,
    ),
    Panel(
        "CPU withheld",
        "Share of the periods in which a container had used up its limit of CPU, and had to wait. "
        f"{NO_KUBELETS}, or no container has such a limit.",
        "percentunit",
        {
            "{{pod}} {{container}}": f"{rate('container_cpu_cfs_throttled_periods_total', 'pod, container')}"
            f" / {rate('container_cpu_cfs_periods_total', 'pod, container')}"
        },
        every=KUBELET_EVERY,
    ),
    Panel(
        "Processes killed for memory",
        f"By the kernel, also where their container goes on. {NO_KUBELETS}.",
        "short",
        {"{{pod}} {{container}}": "sum by (pod, container) (increase(container_oom_events_total[$__rate_interval]))"},
        every=KUBELET_EVERY,
    ),
    Panel(
        "Commands by outcome",
        "Of the outbox.",
        "ops",
        {"{{queue}} {{outcome}}": rate("chassis_commands_total", "queue, outcome")},
    ),
    Panel(
        "Oldest command without an outcome",
        "Since it was due.",
        "s",
        {"{{queue}}": "max by (queue) (chassis_outbox_oldest_due_seconds)"},
    ),
    Panel("Commands due", "That should have begun.", "short", {"{{queue}}": "max by (queue) (chassis_outbox_due)"}),
    Panel(
        "Parked by reason",
        "As they are parked.",
        "ops",
        {"{{pool}} {{reason}}": rate("chassis_parked_total", "pool, reason")},
    ),
    Panel(
        "State",
        "Since when each process is in its state.",
        "s",
        {"{{capstone}} {{pool}} {{state}}": "max by (capstone, pool, state) (chassis_state_seconds)"},
    ),
    Panel(
        "Heartbeat age",
        "Above 30 s a process is taken for dead.",
        "s",
        {"{{capstone}} {{pool}}": "max by (capstone, pool) (chassis_heartbeat_age_seconds)"},
    ),
    Panel(
        "Relay",
        "Published and published again.",
        "ops",
        {
            "{{queue}}": rate("chassis_relay_published_total", "queue"),
            "{{queue}} again": rate("chassis_relay_reissued_total", "queue"),
        },
    ),
    Panel(
        "Relay's rounds, p95",
        "And how late the oldest command of a round was.",
        "s",
        {
            "round": quantile(0.95, "chassis_relay_round_seconds", "capstone"),
            "late": "max by (capstone) (chassis_relay_oldest_due_seconds)",
        },
    ),
    Panel(
        "Beat",
        "Since its last tick, and since each entry was sent.",
        "s",
        {
            "{{capstone}} tick": "time() - max by (capstone) (chassis_beat_tick_timestamp_seconds)",
            "{{capstone}} {{entry}}": "time() - max by (capstone, entry) (chassis_beat_run_timestamp_seconds)",
        },
    ),
]

BROKER = [
    Panel(
        "Queue depth",
        "Messages in RabbitMQ. Most work waits in the database, not here.",
        "short",
        {"{{queue}}": 'sum by (queue) (rabbitmq_detailed_queue_messages{queue!~".+[.]dead"})'},
    ),
    Panel(
        "Dead letters",
        "Collected into the database by a periodic task.",
        "short",
        {"{{queue}}": 'sum by (queue) (rabbitmq_detailed_queue_messages{queue=~".+[.]dead"})'},
    ),
    Panel(
        "Consumers",
        "Of each queue.",
        "short",
        {"{{queue}}": 'sum by (queue) (rabbitmq_detailed_queue_consumers{queue!~".+[.]dead"})'},
    ),
    Panel(
        "Processes that do not reach the broker",
        "By their own heartbeat.",
        "s",
        {"{{capstone}} {{pool}}": 'max by (capstone, pool) (chassis_state_seconds{state="unreachable"})'},
    ),
]

STORES = [
    Panel(
        "Database answers",
        "1, or 0; no data: its exporter does not answer.",
        "short",
        {"{{capstone}}": "min by (capstone) (chassis_database_up)"},
        number=True,
    ),
    Panel(
        "Stores answer",
        "1, or 0; no data: their exporter does not answer.",
        "short",
        {"{{capstone}} {{store}}": "min by (capstone, store) (chassis_store_up)"},
        number=True,
    ),
    Panel(
        "Oldest open transaction",
        "Until it ends, no dead row of any table can be removed.",
        "s",
        {"{{capstone}}": "max by (capstone) (chassis_oldest_transaction_seconds)"},
    ),
    Panel(
        "Connections",
        "Of clients to the database's server, all databases together, and the most that they may have.",
        "short",
        {
            "{{capstone}}": "max by (capstone) (chassis_database_connections)",
            "{{capstone}} limit": "min by (capstone) (chassis_database_connections_limit)",
        },
    ),
    Panel(
        "Standbys behind",
        "How much of the database's log each has not replayed. No data: there is none, as on a laptop.",
        "bytes",
        {"{{capstone}} {{standby}}": "max by (capstone, standby) (chassis_standby_behind_bytes)"},
    ),
    Panel(
        "Memory of stores",
        "What counts towards the limit, and the limit where there is one; of several servers the fullest. A full store refuses writes.",
        "bytes",
        {
            "{{capstone}} {{store}}": "max by (capstone, store) (chassis_store_memory_bytes)",
            "{{capstone}} {{store}} limit": "min by (capstone, store) (chassis_store_memory_limit_bytes)",
        },
    ),
    Panel(
        "Keys thrown away",
        "To make room, since the store was started. A store of ours throws none away: one that does forgets what it was told.",
        "short",
        {"{{capstone}} {{store}}": "max by (capstone, store) (chassis_store_evicted_keys_total)"},
    ),
    Panel(
        "Archiving fails",
        "1 while the last try to archive a segment of the database's log failed.",
        "short",
        {"{{capstone}}": "max by (capstone) (chassis_archive_failing)"},
    ),
    Panel("Free space", "Where a laptop's data lies.", "bytes", {"free": "min(conductor_disk_free_bytes)"}),
    Panel(
        "Age of the last base backup",
        "Of a laptop. No data: none was made.",
        "s",
        {"age": "time() - max(conductor_backup_timestamp_seconds)"},
    ),
    Panel(
        "Until certificates expire",
        "Of servers that are spoken to over TLS. No data: none is, or none was reached.",
        "s",
        {
            "{{capstone}} {{server}}": "min by (capstone, server) (conductor_certificate_expires_timestamp_seconds) - time()"
        },
    ),
]

TELEMETRY = [
    Panel(
        "Targets",
        "1 where a process of the pool answers a scrape.",
        "short",
        {"{{job}} {{capstone}} {{pool}}": "max by (job, capstone, pool) (up)"},
    ),
    Panel(
        "Samples of a scrape",
        "As far as they are kept. A healthy process shows some hundred; 5,000 are the limit.",
        "short",
        {"{{job}} {{capstone}} {{pool}}": "max by (job, capstone, pool) (scrape_samples_post_metric_relabeling)"},
    ),
    Panel("Series in memory", "Of Prometheus.", "short", {"series": "prometheus_tsdb_head_series"}),
    Panel(
        "Spans",
        "Recorded ones: taken by the collector, refused by it, or dropped because too many waited or their process ended.",
        "ops",
        {"{{capstone}} {{pool}} {{outcome}}": rate("chassis_spans_total", "capstone, pool, outcome")},
    ),
    Panel(
        "Clock offset",
        "From the database's clock.",
        "s",
        {"{{capstone}} {{pool}}": "max by (capstone, pool) (chassis_clock_offset_seconds)"},
    ),
]

BOARDS: dict[str, tuple[str, Sequence[Panel]]] = {
    "overview": ("Overview", OVERVIEW),
    "orders": ("Orders", ORDERS),
    "analytics": ("Analytics", ANALYTICS),
    "trading": ("Trading", TRADING),
    "pools": ("Pools and queues", POOLS),
    "broker": ("RabbitMQ", BROKER),
    "stores": ("PostgreSQL and Redis", STORES),
    "telemetry": ("Telemetry health", TELEMETRY),
}


def built(name: str) -> Any:
    """A dashboard of the SDK."""
    title, panels = BOARDS[name]
    board = (
        dashboard.Dashboard(title)
        .uid(name)
        .tags(["capstones"])
        .refresh("5s")
        .time("now-30m", "now")
        .timezone("browser")
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(dashboard.DashboardLink("Others").type(DashboardLinkType.DASHBOARDS).tags(["capstones"]).keep_time(True))
        .annotation(
            dashboard.AnnotationQuery()
            .name("Starts")
            .enable(True)
            .icon_color("blue")
            .datasource(PROMETHEUS)
            .expr("changes(chassis_start_timestamp_seconds[$__interval]) > 0")
        )
    )
    for panel, place in placed(panels):
        board = board.with_panel(_panel(panel, place))
    return board.build()


def placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, Any]]:
    """Each with its place: numbers in a row of their own, graphs two a row."""
    numbers, graphs = [p for p in panels if p.number], [p for p in panels if not p.number]
    from grafana_foundation_sdk.models.dashboard import GridPos

    for n, panel in enumerate(numbers):
        width = WIDTH // len(numbers)
        yield panel, GridPos(h=STAT_HEIGHT, w=width, x=n * width, y=0)
    top = STAT_HEIGHT if numbers else 0
    for n, panel in enumerate(graphs):
        yield panel, GridPos(h=ROW_HEIGHT, w=WIDTH // 2, x=n % 2 * WIDTH // 2, y=top + n // 2 * ROW_HEIGHT)


def _panel(panel: Panel, place: Any) -> Any:
    made: Any = stat.Panel().color_mode(BigValueColorMode.VALUE) if panel.number else timeseries.Panel()
    if not panel.number:
        made = made.legend(common.VizLegendOptions().show_legend(True)).fill_opacity(10)
    made = made.title(panel.title).description(panel.description).unit(panel.unit).no_value("no data")
    made = made.datasource(PROMETHEUS).grid_pos(place)
    for n, (legend, expr) in enumerate(panel.queries.items()):
        asked = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(ord("A") + n))
        made = made.with_target(asked.interval(panel.every) if panel.every else asked)
    if panel.traced:
        traces = prometheus.Dataquery().expr(exemplars(panel.traced)).exemplar(True)
        made = made.with_target(traces.legend_format("traces").ref_id("T"))
    return made


def text(name: str) -> str:
    """A dashboard as its file has it."""
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(built(name))), indent=1, sort_keys=True) + "\n"


def main() -> int:
    """Write all of them."""
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
