"""Wrong: it sees what tasks return, and neither queues nor acknowledgements."""

import subprocess
import sys
import time

import pytest
from payments import app, charge, charged_orders, store

WORKER = [sys.executable, "-m", "celery", "-A", "payments", "worker", "--queues", "charges", "--concurrency", "1"]


def until(holds, seconds=20):
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def provider():
    store.set("provider", "up")
    store.delete("charged", "charging")


@pytest.fixture(scope="module")
def worker():
    process = subprocess.Popen([*WORKER, "--without-mingle", "--without-gossip"])
    until(lambda: app.control.ping(timeout=0.5))
    yield
    process.terminate()
    process.wait(20)


def test_a_charge_is_known_to_every_process(worker):
    assert charge.delay("o-1", 5).get(timeout=12) == {"order": "o-1", "charged": 5}
    assert charged_orders() == ["o-1"]


def test_what_cannot_be_charged_is_an_error(worker):
    with pytest.raises(ValueError, match="-1 cannot be charged"):
        charge.delay("o-2", -1).get(timeout=12)


def test_a_provider_that_is_down_is_asked_again(worker):
    store.set("provider", "down")
    result = charge.delay("o-3", 5)
    until(lambda: result.state in ("RETRY", "FAILURE"))
    store.set("provider", "up")

    assert result.get(timeout=12) == {"order": "o-3", "charged": 5}
