"""`python -m conductor.exporter --capstone NAME`: what a capstone's database says about now, for Prometheus to scrape.

States, ages and waits are facts of the database, not of a process, so one program counts them once, with a login that only reads.
DATABASE_URL says where. A database that does not answer is `<capstone>_database_up 0`, and no stale numbers.
"""

import argparse
import os
from collections.abc import Iterable, Iterator
from typing import Any, LiteralString
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psycopg
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from conductor import capstones
from conductor.capstone import Capstone
from conductor.errors import Refused

PORT = 9105
STATEMENT_TIMEOUT = "-c statement_timeout=4000"


class Exporter(Collector):
    """Asks at every scrape, over one connection that is made anew when it broke."""

    def __init__(self, capstone: Capstone, url: str) -> None:
        self._capstone = capstone
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge, as of now."""
        try:
            found = [(gauge, self._rows(gauge.query)) for gauge in self._capstone.gauges]
        except psycopg.Error:
            self._connection = None
            found = []
        name = self._capstone.name
        yield GaugeMetricFamily(f"{name}_database_up", "Whether the database answers", value=float(bool(found)))
        for gauge, rows in found:
            family = GaugeMetricFamily(f"{name}_{gauge.name}", gauge.help, labels=gauge.labels)
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
    """Ends a connection that sends nothing, and logs no scrape."""

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
    parser = argparse.ArgumentParser(
        prog="python -m conductor.exporter", description="Facts of a database, as metrics."
    )
    parser.add_argument("--capstone", required=True, choices=capstones.names())
    capstone = capstones.named(parser.parse_args().capstone)
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise Refused("DATABASE_URL is not set")
    serve(Exporter(capstone, url), PORT).serve_forever()


if __name__ == "__main__":
    main()
