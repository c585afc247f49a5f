"""A shard as its owner runs it, and what drives it: tests import `driven_engine` and `fix_client` by name."""

import contextlib
import hashlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from driven_engine import shard

from trading.domain.terms import Input, Phase
from trading.processes.control import ask
from trading.processes.owner import Owner
from trading.processes.settings import ShardSettings

SYMBOLS = {"AAPL": {"id": 1, "tick": "0.01"}}


def write_directory(path: Path, **sessions: dict[str, object]) -> None:
    """Clients with the password `secret`; each may trade for accounts 1 and 2."""
    password = hashlib.sha256(b"secret").hexdigest()
    entries = {
        name: {"id": at, "password_sha256": password, "accounts": [1, 2], **more}
        for at, (name, more) in enumerate(sessions.items(), start=1)
    }
    path.write_text(json.dumps({"company": "VENUE", "symbols": SYMBOLS, "sessions": entries}))


def open_market(settings: ShardSettings) -> None:
    """List AAPL around 10.00, open it, and let accounts 1 and 2 trade as they like."""
    control = settings.folder / "control"
    ask(control, Input.LIST, 1, 1, 5000)
    ask(control, Input.MARKET_DATA, 1, 1000)
    ask(control, Input.PHASE, 1, Phase.CONTINUOUS)
    for account in (1, 2):
        [[*_, proposal]] = ask(control, Input.PROPOSE_LIMITS, account, 1, 10**12, 10**12, 10**9, 10**15, 10**9)
        ask(control, Input.APPROVE_LIMITS, account, 2, proposal)


class OwnedShard:
    """A shard whose owner is this process; `until` looks after it while it waits."""

    def __init__(self, settings: ShardSettings) -> None:
        self.settings, self.owner = settings, Owner(settings)
        self._ids = itertools.count(1)
        self.owner.start()
        self.until(lambda: self.owner.ready)

    def next_id(self) -> int:
        """A client id that nobody used before."""
        return next(self._ids)

    def until(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        """Check the children until something is true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.owner.why
            self.owner.check()
            time.sleep(0.01)


@contextlib.contextmanager
def traded(folder: Path) -> Iterator[OwnedShard]:
    """An open market with two clients; the orders of the second leave with its connection."""
    settings = shard(folder)
    write_directory(settings.sessions, CLIENT1={}, CLIENT2={"cancel_on_disconnect": True})
    owned = OwnedShard(settings)
    try:
        open_market(settings)
        yield owned
    finally:
        owned.owner.stop()


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[OwnedShard]:
    """A market of a test's own."""
    with traded(tmp_path) as owned:
        yield owned


@pytest.fixture(scope="module")
def owned_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedShard]:
    """One market for tests that only have orders refused."""
    with traded(tmp_path_factory.mktemp("shard")) as owned:
        yield owned
