"""The outside's servers, one of each a test, on ports and data of their own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "contract"))  # tests import `outside_servers` by name
sys.path.insert(0, str(Path(__file__).parent))

import outside_servers
from outside_servers import OutsideServer


def _shared(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    server: OutsideServer = getattr(outside_servers, name)(tmp_path_factory.mktemp(name))
    yield server.start()
    server.crash()


@pytest.fixture(scope="session")
def shared_payments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    """The payment provider of all tests that let it run and use keys of their own."""
    yield from _shared("payments", tmp_path_factory)


@pytest.fixture(scope="session")
def shared_carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    """The carrier of all such tests; nobody listens to it."""
    yield from _shared("carrier", tmp_path_factory)


@pytest.fixture(scope="session")
def shared_mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OutsideServer]:
    """The mail server of all such tests."""
    yield from _shared("mail", tmp_path_factory)


@pytest.fixture
def healthy_payments(shared_payments: OutsideServer) -> OutsideServer:
    """The shared one, healed, its ledger read from here on."""
    return shared_payments.from_now_on()


@pytest.fixture
def healthy_carrier(shared_carrier: OutsideServer) -> OutsideServer:
    """The shared one, healed, its ledger read from here on."""
    return shared_carrier.from_now_on()


@pytest.fixture
def healthy_mail(shared_mail: OutsideServer) -> OutsideServer:
    """The shared one, healed, its ledger read from here on."""
    return shared_mail.from_now_on()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., OutsideServer]]:
    """Start the server of a name: payments, carrier or mail; arguments as in `outside_servers`. Killed at the end."""
    started: list[OutsideServer] = []

    def make(name: str, **options: Any) -> OutsideServer:
        server: OutsideServer = getattr(outside_servers, name)(tmp_path / name, **options)
        started.append(server)
        return server.start()

    yield make
    for server in started:
        server.crash()


@pytest.fixture
def payments(start: Callable[..., OutsideServer]) -> OutsideServer:
    """A running payment provider."""
    return start("payments")


@pytest.fixture
def carrier(start: Callable[..., OutsideServer]) -> OutsideServer:
    """A running carrier that nobody listens to."""
    return start("carrier")


@pytest.fixture
def mail(start: Callable[..., OutsideServer]) -> OutsideServer:
    """A running mail server."""
    return start("mail")
