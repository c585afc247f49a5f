"""What a worker holds on Valkey comes back when its visibility timeout has passed by the server's clock, and by no other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import redis as kombus

from chassis.valkey_transport import Transport

pytestmark = pytest.mark.integration

DAY_SECONDS = 86_400.0


@contextmanager
def worker(url: str, *, visibility_timeout_seconds: float = 600.0) -> Iterator[Any]:
    """The channel of one worker."""
    options = {"visibility_timeout": visibility_timeout_seconds}
    with Connection(url, transport=Transport, transport_options=options) as connection:
        yield connection.default_channel


def hold_one(channel: Any) -> None:
    queue = channel.connection.client.SimpleQueue("visibility", channel=channel)
    queue.put("a message")
    assert channel.basic_get("visibility") is not None


def given_back(channel: Any, **how: Any) -> bool:
    channel.qos.restore_visible(interval=1, **how)
    return bool(channel.client.llen("visibility"))


@pytest.mark.parametrize("seconds", [-DAY_SECONDS, DAY_SECONDS])
def test_a_wrong_clock_gives_nothing_back(redis_url: str, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    with worker(redis_url) as one, worker(redis_url) as other:
        right, wrong = time.time, lambda: time.time() + seconds
        for holds, looks in ((wrong, right), (right, wrong)):
            monkeypatch.setattr(kombus, "time", holds)
            hold_one(one)
            monkeypatch.setattr(kombus, "time", looks)

            assert not given_back(other)


@pytest.mark.parametrize("how", [{}, {"num": None}], ids=["now and then", "when a worker connects"])
def test_what_is_held_for_longer_than_the_timeout_comes_back(redis_url: str, how: dict[str, Any]) -> None:
    with worker(redis_url) as one, worker(redis_url, visibility_timeout_seconds=0) as other:
        hold_one(one)

        assert given_back(other, **how)
