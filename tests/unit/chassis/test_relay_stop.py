"""SIGTERM may interrupt the relay at any line of its loop, the library's included: it ends all the same."""

import sys
import threading
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.app import ChassisApp, make_app
from chassis.relay import Relay
from chassis.settings import ServiceSettings

LINES = 30
"""Of two rounds and more."""

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


@pytest.fixture(scope="module")
def app() -> ChassisApp:
    """A service's."""
    return make_app("shop", ["shop.till"], ServiceSettings(broker_url="redis://127.0.0.1:1/0", database_url=NOWHERE))


@pytest.fixture
def relay(app: ChassisApp, monkeypatch: pytest.MonkeyPatch) -> Relay:
    """One that never finds anything."""
    found = Relay(
        sa.create_engine(NOWHERE), app, exchange="shop", declare=lambda: None, batch={}, interval_seconds=0.001
    )
    monkeypatch.setattr(found, "round", lambda: 0)
    return found


@pytest.mark.parametrize("line", range(1, LINES))
def test_it_ends_wherever_it_is_interrupted(relay: Relay, line: int) -> None:
    passed = 0

    def trace(_: FrameType, event: str, __: Any) -> Any:
        nonlocal passed
        passed += event == "line"
        if event == "line" and passed == line:
            relay.stop()
        return trace

    def run() -> None:
        sys.settrace(trace)
        relay.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)

    assert passed >= line
    assert not thread.is_alive()
