"""What the exporter says over HTTP while its database is away; what it counts is asked of a real one in the cluster."""

import threading
import urllib.request
from collections.abc import Iterator

import pytest

from conductor import capstones
from conductor.exporter import Exporter, serve
from servers import end_serving


@pytest.fixture
def address() -> Iterator[str]:
    """An exporter whose database does not answer."""
    server = serve(Exporter(capstones.named("orders"), "postgresql://nobody@127.0.0.1:1/none"), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    end_serving(server)


def said(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_a_database_that_does_not_answer_is_told_without_stale_numbers(address: str) -> None:
    text = said(f"{address}/metrics")

    assert 'chassis_database_up{capstone="orders"} 0.0\n' in text
    assert "orders_orders" not in text


def test_whether_it_is_there_asks_no_database(address: str) -> None:
    assert "well\n" == said(f"{address}/health")
