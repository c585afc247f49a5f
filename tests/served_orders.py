"""A process of the orders' API, and its event streams as a client reads them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from orders.settings import Settings
from servers import die_with_parent, free_port, listens, wait_until

Told = dict[str, Any]


@dataclass
class Served:
    """A process of the API."""

    process: subprocess.Popen[bytes]
    url: str
    metrics_url: str

    @contextmanager
    def stream(self, order_id: str, *, token: str = "ann-token", last: int | None = None) -> Iterator[Iterator[Told]]:
        """The events of an order as they come."""
        headers = {"Authorization": f"Bearer {token}"} | ({} if last is None else {"Last-Event-ID": str(last)})
        path = f"{self.url}/orders/{order_id}/events"
        with httpx.stream("GET", path, headers=headers, timeout=20, trust_env=False) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield events(answer.iter_lines())

    def stream_status(self, order_id: str, token: str) -> tuple[int, str | None]:
        """How an event stream that is asked for is answered: status and Retry-After; it is closed at once."""
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{self.url}/orders/{order_id}/events"
        with httpx.stream("GET", path, headers=headers, timeout=20, trust_env=False) as answer:
            return answer.status_code, answer.headers.get("retry-after")


def events(lines: Iterator[str]) -> Iterator[Told]:
    """Events as a browser reads them; a comment is `{"comment": …}`."""
    told: Told = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            told[name or "comment"] = value.strip()
        elif told:
            yield told
            told = {}


@contextmanager
def serving(settings: Settings, **environment: str) -> Iterator[Served]:
    """A process of the API over the shop's database."""
    port, metrics_port = free_port(), free_port()
    told = {
        "DATABASE_URL": settings.database_url,
        "BROKER_URL": settings.broker_url,
        "API_TOKENS": settings.tokens(),
        "PORT": str(port),
        "METRICS_PORT": str(metrics_port),
        **environment,
    }
    command = [sys.executable, "-m", "chassis.serve", "orders.app"]
    process = subprocess.Popen(command, env={**os.environ, **told}, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: listens(port), what="the API", seconds=60)
        yield Served(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics")
    finally:
        process.kill()
        process.wait()
