"""The ledgers, read with the token that opens them; one that cannot be read proves nothing, and is said by name."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from conductor.capstones.orders import evidence
from conductor.errors import DrillFailed, Refused
from conductor.harness import dependency_faults
from servers import end_serving


@dataclass
class Outside:
    """A server of the outside that answers `body`; the one of every name."""

    address: str
    body: bytes = b"[]"
    token: str | None = None

    def addresses(self) -> Mapping[str, str]:
        return dict.fromkeys(("payments", "carrier", "mail"), self.address)

    def tokens(self) -> Mapping[str, str]:
        return {"outside": "secret"}


@pytest.fixture
def outside() -> Iterator[Outside]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.token = self.headers["Authorization"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Outside(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield found
    end_serving(server)


def test_a_ledger_is_read_with_the_token_of_the_outside(outside: Outside) -> None:
    outside.body = b'[{"id": 1}]'

    with evidence.ledgers(outside) as ledgers:
        ledgers.read("mail")

    assert ("Bearer secret", [{"id": 1}]) == (outside.token, ledgers.entries["mail"])


def test_a_ledger_that_is_no_json_is_one_that_cannot_be_read(outside: Outside) -> None:
    outside.body = b"<html>"

    with evidence.ledgers(outside) as ledgers, pytest.raises(DrillFailed, match="the ledger of mail cannot be read"):
        ledgers.read("mail")


def test_a_fault_is_set_with_the_token_and_an_answer_that_is_no_json_is_said(outside: Outside) -> None:
    outside.body = b"<html>"

    with pytest.raises(Refused, match=r"mail answers at .* what is no JSON"):
        dependency_faults.call(outside, "GET", "mail", "faults")
    assert "Bearer secret" == outside.token
