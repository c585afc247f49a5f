"""The outside's servers, one of each for all contract tests; a test that sets faults uses the healed fixture of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests import `outside_servers` by name

import outside_servers
from outside_servers import OutsideServer


def _running(server: OutsideServer) -> Iterator[OutsideServer]:
    server.start()
    yield server
    server.crash()


@pytest.fixture(scope="session")
def payments_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    """A running payment provider."""
    yield from _running(outside_servers.payments(tmp_path_factory.mktemp("payments")))


@pytest.fixture(scope="session")
def carrier_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    """A running carrier that nobody listens to."""
    yield from _running(outside_servers.carrier(tmp_path_factory.mktemp("carrier")))


@pytest.fixture(scope="session")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    """A running mail server."""
    yield from _running(outside_servers.mail(tmp_path_factory.mktemp("mail")))
