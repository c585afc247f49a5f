"""A store keeps a worker in its flush until the worker is gone: what it sent then is never carried out, and everybody else goes on."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
import redis

from conductor.harness import held_flushes
from conductor.harness.held_flushes import HeldFlushes
from servers import PASSWORD, Valkey, wait_until

WORKER = "127.0.0.2"
COMMAND, KEY = "incr", "flushes"


class Flushing:
    """A worker with an address of its own that flushes again and again, each time once it has its answer."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), source_address=(WORKER, 0))
        self._ask(f"AUTH {PASSWORD}")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._flush)
        self._thread.start()

    def _ask(self, command: str) -> bytes:
        self._socket.sendall(f"{command}\r\n".encode())
        return self._socket.recv(1024)

    def _flush(self) -> None:
        with contextlib.suppress(OSError):
            while not self._ending.wait(0.005) and self._ask(f"INCR {KEY}"):
                pass

    def kill(self) -> None:
        self._ending.set()
        with contextlib.suppress(OSError):  # it was killed before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def store(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url(0)) as client:
        client.delete(KEY)
        yield client


@pytest.fixture
def worker(valkey: Valkey) -> Iterator[Flushing]:
    flushing = Flushing(valkey.port)
    yield flushing
    flushing.kill()


@pytest.fixture
def held(valkey: Valkey) -> HeldFlushes:
    return HeldFlushes([valkey.url(0)])


def test_a_flush_that_is_held_when_its_worker_dies_is_never_carried_out(
    held: HeldFlushes, store: redis.Redis, worker: Flushing
) -> None:
    waits = held.hold(COMMAND, WORKER)
    before = int(store.get(KEY) or 0)
    worker.kill()
    gone = held.release(WORKER)

    assert (True, True) == (waits, gone)
    assert before + 1 == store.incr(KEY)


def test_where_nobody_flushes_nothing_is_paused(
    held: HeldFlushes, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_flushes, "FLUSH_SECONDS", 0.1)

    waits = held.hold(COMMAND, WORKER)

    assert (False, 1) == (waits, store.incr(KEY))


def test_a_worker_that_lives_flushes_when_it_is_released(
    held: HeldFlushes, store: redis.Redis, worker: Flushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_flushes, "GONE_SECONDS", 0.1)
    held.hold(COMMAND, WORKER)
    before = int(store.get(KEY) or 0)

    gone = held.release(WORKER)

    assert not gone
    wait_until(lambda: int(store.get(KEY) or 0) > before, what="another flush of the worker")
