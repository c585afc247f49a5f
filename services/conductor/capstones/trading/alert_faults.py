"""The faults of a watched platform that only the trading can have, with the alerts that they must raise."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import httpx

from conductor import http_client
from conductor.capstones.trading import ENGINE
from conductor.capstones.trading.drawn_orders import ACCOUNTS, SYMBOLS
from conductor.capstones.trading.engine_faults import engine_of
from conductor.errors import DrillFailed
from conductor.harness import alert_faults
from conductor.harness.alert_plays import Expected, Play
from conductor.harness.background import in_background
from conductor.harness.broker_client import BrokerClient
from conductor.laptop import outside, signalling
from conductor.laptop.runtime import LocalRuntime
from conductor.waiting import until

PORTFOLIO = "portfolio"
STILL_SECONDS, GOING_SECONDS = 0.4, 0.1
"""An engine that is silent for 0.6 s is replaced."""

TAKEN_SECONDS = 60.0

REPEATED = {
    "client_id": 1,
    "account": ACCOUNTS[0],
    "symbol": SYMBOLS[0],
    "side": "buy",
    "price": "100.00",
    "quantity": 1,
}
"""An order whose client id was used already: the engine says so and does nothing more, as fast as it takes another."""


def plays(runtime: LocalRuntime) -> Sequence[Play]:
    """An engine that is slow, a feed that is gone; a batch of the journal that does not come, which only RabbitMQ can be made to lose."""
    slow = Play(
        "engine under SIGSTOP, 0.4 s of 0.5",
        engine_slow,
        (Expected("AckSlow", 60, 30), Expected("ErrorBudgetBurn", 0, 30, resolving_seconds=240)),
    )
    lost = Play("a batch of the journal lost", batch_lost, (Expected("JournalGap", 60, 30),))
    silent = Play("data feed stopped", feed_away, (Expected("FeedSilent", 60),))
    return (slow, silent, lost) if runtime.broker == "rabbitmq" else (slow, silent)


@contextmanager
def feed_away(runtime: LocalRuntime) -> Iterator[None]:
    """A market whose data nobody sends."""
    supervisor = runtime.platform.supervisor
    name = outside.process("feed")
    supervisor.begin_stop(name)
    supervisor.wait_stopped(name, within_seconds=TAKEN_SECONDS)
    try:
        yield
    finally:
        supervisor.start_again(name)


@contextmanager
def engine_slow(runtime: LocalRuntime) -> Iterator[None]:
    """An engine that gets a core a fifth of the time, while orders come."""
    with in_background(partial(_still, runtime), partial(order, runtime)):
        yield


def _still(runtime: LocalRuntime, over: threading.Event) -> None:
    while not over.is_set():
        pid = engine_of(signalling.names(pid for tree in runtime.trees(ENGINE) for pid in tree.children))
        if pid is None:
            over.wait(GOING_SECONDS)
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                over.wait(STILL_SECONDS)
            finally:
                os.kill(pid, signal.SIGCONT)
        over.wait(GOING_SECONDS)


def order(runtime: LocalRuntime, over: threading.Event) -> None:
    """Send orders over HTTP, one after the other, until it is over."""
    headers = http_client.bearer(runtime.tokens()["customer"])
    with http_client.client(runtime.addresses()["api"], timeout=5) as http:
        while not over.wait(0.05):
            with contextlib.suppress(httpx.HTTPError):
                http.post("/orders", json=REPEATED, headers=headers)


@contextmanager
def batch_lost(runtime: LocalRuntime) -> Iterator[None]:
    """What the tail published, and the broker confirmed, never comes; in the end it does."""
    (queue,) = runtime.pools()[PORTFOLIO].queues
    taken: list[bytes] = []

    def take() -> bool:
        with BrokerClient.of(runtime) as broker:
            taken.extend(broker.take(queue))
        return bool(taken)

    with alert_faults.pool_away(PORTFOLIO, runtime):
        if not until(take, within_seconds=TAKEN_SECONDS):
            raise DrillFailed(f"no batch came into {queue} within {TAKEN_SECONDS:g} s")
    try:
        yield
    finally:
        with BrokerClient.of(runtime) as broker:
            for body in taken:
                broker.send_raw(
                    queue, body, headers={}, content_type="application/octet-stream", content_encoding="binary"
                )
