"""SIGTERM may interrupt the relay at any line of its loop, the library's included: it ends all the same."""

import sys
import threading
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.app import make_app
from chassis.relay import Relay
from chassis.settings import ServiceSettings

LINES = 60
"""Of a few rounds; a loop is no longer."""

NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/none"


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Relay:
    """One that never finds anything."""
    app = make_app("shop", ["shop.till"], ServiceSettings(broker_url="redis://127.0.0.1:1/0", database_url=NOWHERE))
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
