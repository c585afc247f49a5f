"""`python -m conductor.exporter`: what the orders' database says about now, for Prometheus to scrape.

States, ages and waits are facts of the database, not of a process, so one program counts them once, with a login that only reads.
DATABASE_URL says where. A database that does not answer is `orders_database_up 0`, and no stale numbers.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any, LiteralString
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psycopg
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from conductor.errors import Refused

PORT = 9105
STATEMENT_TIMEOUT = "-c statement_timeout=4000"

GAUGES: tuple[tuple[str, str, tuple[str, ...], LiteralString], ...] = (
    ("orders_orders", "Orders by state", ("state",), "SELECT state, count(*) FROM orders GROUP BY state"),
    (
        "orders_oldest_open_seconds",
        "Age of the oldest order that is not final, by state",
        ("state",),
        "SELECT state, extract(epoch FROM now() - min(created_at)) FROM orders"
        " WHERE state NOT IN ('delivered', 'cancelled', 'failed') GROUP BY state",
    ),
    (
        "orders_needing_attention",
        "Orders that a person should look at",
        (),
        "SELECT count(*) FROM orders WHERE needs_attention IS NOT NULL AND state NOT IN ('delivered', 'cancelled', 'failed')",
    ),
    (
        "orders_commands_due",
        "Commands that should have begun by now",
        ("queue",),
        "SELECT queue, count(*) FROM outbox WHERE state = 'open' AND due_at <= now() GROUP BY queue",
    ),
    (
        "orders_commands_wait_seconds",
        "How long the oldest open command has waited",
        ("queue",),
        "SELECT queue, extract(epoch FROM now() - min(created_at)) FROM outbox WHERE state = 'open' GROUP BY queue",
    ),
    (
        "orders_oldest_transaction_seconds",
        "Age of the oldest open transaction: until it ends, no dead row of any table can be removed",
        (),
        "SELECT coalesce(extract(epoch FROM now() - min(began)), 0) FROM ("
        " SELECT xact_start FROM pg_stat_activity WHERE backend_xmin IS NOT NULL OR backend_xid IS NOT NULL"
        " UNION ALL SELECT prepared FROM pg_prepared_xacts) open (began)",
    ),
    (
        "orders_parked",
        "What waits for a person's decision, by the reason it was parked for",
        ("queue", "reason"),
        "SELECT queue, reason, count(*) FROM parked WHERE status = 'parked' GROUP BY queue, reason",
    ),
)


class Exporter(Collector):
    """Asks at every scrape, over one connection that is made anew when it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge, as of now."""
        try:
            found = [(gauge, self._rows(gauge[3])) for gauge in GAUGES]
        except psycopg.Error:
            self._connection = None
            found = []
        yield GaugeMetricFamily("orders_database_up", "Whether the database answers", value=float(bool(found)))
        for (name, says, labels, _), rows in found:
            family = GaugeMetricFamily(name, says, labels=labels)
            for *values, number in rows:
                family.add_metric([str(value) for value in values], float(number))
            yield family

    def _rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=3, options=STATEMENT_TIMEOUT, application_name="exporter"
            )
        return self._connection.execute(query).fetchall()


class Quiet(WSGIRequestHandler):
    """Drops who says nothing, and logs no scrape: it is not news."""

    timeout = 10

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def serve(exporter: Exporter, port: int) -> WSGIServer:
    """A server, not yet serving: /metrics, and at any other path only that it is well. One scrape at a time, having one connection."""
    registry = CollectorRegistry()
    registry.register(exporter)
    metrics = make_wsgi_app(registry)

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            told: Iterable[bytes] = metrics(environ, start_response)
            return told
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"well\n"]

    return make_server("", port, answer, handler_class=Quiet)


def main() -> None:
    """Serve until SIGTERM."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise Refused("DATABASE_URL is not set")
    serve(Exporter(url), PORT).serve_forever()


if __name__ == "__main__":
    main()
