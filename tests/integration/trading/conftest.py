"""A shard as its owner runs it, and what drives it: tests import `driven_engine` and `fix_client` by name."""

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engine_pool import EnginePool
from fix_client import FixClient
from loadtests.trading.driven_engine import shard

from trading.adapters.control_client import ask
from trading.domain.terms import Input, Phase
from trading.processes.owner import Owner
from trading.processes.settings import ShardSettings

CLIENTS = 40
LEAVING = {2, 4}
"""Clients whose orders leave with their connection."""


def write_directory(path: Path) -> None:
    """Clients with the password `secret`, each with a symbol of its own number; all may trade for accounts 1 and 2."""
    password, numbers = hashlib.sha256(b"secret").hexdigest(), range(1, CLIENTS + 1)
    sessions = {
        f"CLIENT{at}": {
            "id": at,
            "password_sha256": password,
            "accounts": [1, 2],
            "cancel_on_disconnect": at in LEAVING,
        }
        for at in numbers
    }
    symbols = {f"SYM{at}": {"id": at, "tick": "0.01"} for at in numbers}
    path.write_text(json.dumps({"company": "VENUE", "symbols": symbols, "sessions": sessions}))


def open_market(settings: ShardSettings) -> None:
    """List all symbols around 10.00, open them, and let accounts 1 and 2 trade as they like."""
    control = settings.folder / "control"
    for symbol in range(1, CLIENTS + 1):
        ask(control, Input.LIST, symbol, 1, 5000)
        ask(control, Input.MARKET_DATA, symbol, 1000)
        ask(control, Input.PHASE, symbol, Phase.CONTINUOUS)
    for account in (1, 2):
        [[*_, proposal]] = ask(control, Input.PROPOSE_LIMITS, account, 1, 10**12, 10**12, 10**9, 10**15, 10**9)
        ask(control, Input.APPROVE_LIMITS, account, 2, proposal)


class OwnedShard:
    """A shard whose owner is this process; `until` looks after it while it waits."""

    def __init__(self, settings: ShardSettings) -> None:
        self.settings, self.owner = settings, Owner(settings)
        self._staying = iter(sorted({*range(1, CLIENTS + 1)} - LEAVING))
        self._leaving = iter(sorted(LEAVING))
        self.owner.start()
        self.until(lambda: self.owner.ready)

    def client(self, leaving: bool = False) -> FixClient:
        """A client that nobody was before; with `leaving` one whose orders leave with its connection."""
        return FixClient(self.owner.port, next(self._leaving if leaving else self._staying))

    def until(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        """Check the children until something is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.owner.why
            self.owner.check()
            time.sleep(0.01)


@contextlib.contextmanager
def traded(folder: Path, **changed: object) -> Iterator[OwnedShard]:
    """An open market, with these settings changed."""
    settings = shard(folder, **changed)
    write_directory(settings.sessions)
    owned = OwnedShard(settings)
    try:
        open_market(settings)
        yield owned
    finally:
        owned.owner.stop()


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[OwnedShard]:
    """A market that a test may break."""
    with traded(tmp_path) as owned:
        yield owned


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[OwnedShard]:
    """The same, whose owner waits long for a sign of life."""
    with traded(tmp_path, silent_seconds=30.0) as owned:
        yield owned


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedShard]:
    """A market that all tests of a module share."""
    with traded(tmp_path_factory.mktemp("shard")) as owned:
        yield owned


@contextlib.contextmanager
def trading_pool(folder: Path, redis_url: str, **environment: str) -> Iterator[EnginePool]:
    """A worker of the engine pool whose shard takes orders."""
    made = EnginePool(folder, redis_url, **environment)
    try:
        made.until(lambda: made.state == "idle")
        made.open_market()
        yield made
    finally:
        made.end()


@pytest.fixture
def pool(tmp_path: Path, redis_url: str) -> Iterator[EnginePool]:
    """One as it comes."""
    with trading_pool(tmp_path, redis_url) as made:
        yield made


@pytest.fixture
def patient_pool(tmp_path: Path, redis_url: str) -> Iterator[EnginePool]:
    """One that waits long for a sign of life of its engine."""
    with trading_pool(tmp_path, redis_url, SILENT_SECONDS="60") as made:
        yield made
