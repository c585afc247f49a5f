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


class Idle(Relay):
    """One that never finds anything."""

    def __init__(self, app: ChassisApp, interval_seconds: float) -> None:
        nowhere = sa.create_engine(NOWHERE)
        super().__init__(
            nowhere, app, exchange="shop", declare=lambda: None, batch={}, interval_seconds=interval_seconds
        )
        self.looked = threading.Event()

    def round(self) -> int:
        self.looked.set()
        return 0


@pytest.mark.parametrize("line", range(1, LINES))
def test_it_ends_wherever_it_is_interrupted(app: ChassisApp, line: int) -> None:
    relay, passed = Idle(app, 0.001), 0

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


def test_one_that_waits_ends_at_once(app: ChassisApp) -> None:
    relay = Idle(app, 60)
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()
    assert relay.looked.wait(5)

    relay.stop()
    thread.join(5)

    assert not thread.is_alive()
