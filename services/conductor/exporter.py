"""`python -m conductor.exporter`: what the orders' database says about now, for Prometheus to scrape.

States, ages and waits are facts of the database, not of a process, so one program counts them once, with a login that only reads.
DATABASE_URL says where. A database that does not answer is `orders_database_up 0`, and no stale numbers.
"""

import os
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, LiteralString

import psycopg

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
        "orders_parked",
        "What waits for a person's decision, by the reason it was parked for",
        ("queue", "reason"),
        "SELECT queue, reason, count(*) FROM parked WHERE status = 'parked' GROUP BY queue, reason",
    ),
)


class Exporter:
    """Asks at every scrape, over one connection that is made anew when it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def text(self) -> str:
        """Every gauge in Prometheus' text format."""
        try:
            found = [(gauge, self._rows(gauge[3])) for gauge in GAUGES]
        except psycopg.Error:
            self._connection = None
            return _gauge("orders_database_up", "Whether the database answers", (), [(0,)])
        told = [_gauge("orders_database_up", "Whether the database answers", (), [(1,)])]
        return "".join([*told, *(_gauge(name, says, labels, rows) for (name, says, labels, _), rows in found)])

    def _rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=3, options=STATEMENT_TIMEOUT, application_name="exporter"
            )
        return self._connection.execute(query).fetchall()


def _gauge(name: str, says: str, labels: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    lines = [f"# HELP {name} {says}", f"# TYPE {name} gauge"]
    for *values, number in rows:
        told = ",".join(f'{label}="{_escaped(str(value))}"' for label, value in zip(labels, values, strict=True))
        lines.append(f"{name}{{{told}}} {float(number)}" if told else f"{name} {float(number)}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def serve(exporter: Exporter, port: int) -> HTTPServer:
    """A server, not yet serving; one scrape at a time, since there is one connection."""

    class Answer(BaseHTTPRequestHandler):
        """/metrics, and whether the program is there at all."""

        timeout = 10

        def do_GET(self) -> None:
            """The gauges; at any other path only that it is well."""
            body = (exporter.text() if self.path == "/metrics" else "well\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """A scrape is not news."""

    return HTTPServer(("", port), Answer)


def main() -> None:
    """Serve until SIGTERM."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise Refused("DATABASE_URL is not set")
    serve(Exporter(url), PORT).serve_forever()


if __name__ == "__main__":
    main()
