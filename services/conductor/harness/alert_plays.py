"""Plays faults on a watched laptop platform and measures how long its alerts take: from the fault until the receiver is told that one
fires, and from the end of the fault until it is told that it is over.

Prometheus and Alertmanager are real; their times are divided by one number for as long as the plays go on, and so is what counts as late.
"""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from conductor import http_client
from conductor.capstone import Patience, Size
from conductor.errors import DrillFailed, Refused
from conductor.harness.broker_client import BrokerClient, task_headers
from conductor.history import Journal
from conductor.laptop import observability, start
from conductor.laptop.runtime import LocalRuntime
from conductor.waiting import until

PATIENCE_SECONDS = 30.0
"""How much later than its own time an alert may come: scrapes, evaluation, grouping, and a machine that is busy."""

WATCHDOG_SECONDS = 60.0
"""How long it may take until the receiver is told anything at all."""

RESOLVING_SECONDS = 120.0

REQUESTS_PER_SECOND = 3.0


@dataclass(frozen=True, slots=True)
class Notice:
    """What a receiver was told: whether an alert of this name fires."""

    alert: str
    capstone: str
    status: Literal["firing", "resolved"]
    at: float


@dataclass
class Receiver:
    """Keeps what Alertmanager sends; `url` is where."""

    url: str = ""
    notices: list[Notice] = field(default_factory=list)

    def fires(self, alert: str, capstone: str) -> bool:
        """Whether it fires for this capstone, by what was told last."""
        told = (one for one in reversed(self.notices) if (one.alert, one.capstone) == (alert, capstone))
        last = next(told, None)
        return last is not None and last.status == "firing"

    def fired(self) -> set[str]:
        """Every alert that was told, but for the watchdog."""
        return {one.alert for one in self.notices} - {"Watchdog"}


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that answers for the block."""
    receiver = Receiver()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for one in told["alerts"]:
                labels = one["labels"]
                name, capstone = labels["alertname"], labels.get("capstone", "")
                receiver.notices.append(Notice(name, capstone, one["status"], time.monotonic()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


@dataclass(frozen=True, slots=True)
class Play:
    """A fault: what it is called, the alert that it must raise, the alert's own time (s), and the block during which it lasts."""

    name: str
    alert: str
    seconds: float
    fault: Callable[[LocalRuntime], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Measured:
    """How long an alert took to fire after the fault began, and to be over after it ended (s)."""

    play: Play
    firing_seconds: float
    resolving_seconds: float


@contextmanager
def standing_still(pool: str, runtime: LocalRuntime) -> Iterator[None]:
    """A pool whose processes are there and do nothing."""
    pids = runtime.kill(pool, "tree", signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):  # the keeper may have taken it for dead
                psutil.Process(pid).send_signal(signal.SIGCONT)


@contextmanager
def database_away(runtime: LocalRuntime) -> Iterator[None]:
    """A database that takes no connection."""
    supervisor = runtime.platform.supervisor
    supervisor.begin_stop("postgres")
    supervisor.wait_stopped("postgres", within_seconds=60)
    try:
        yield
    finally:
        supervisor.start_again("postgres")
        start.await_server(runtime.platform, "postgres", runtime.platform.postgres.answers)


@contextmanager
def message(queue: str, headers: Mapping[str, Any], reason: str, runtime: LocalRuntime) -> Iterator[None]:
    """A message that no worker can run; it is dropped in the end."""
    with BrokerClient.of(runtime) as broker:
        broker.send_raw(queue, "[[], {}, {}]", headers={**task_headers("nobody.knows"), **headers})
    try:
        yield
    finally:
        _drop(runtime, reason)


def _drop(runtime: LocalRuntime, reason: str) -> None:
    import psycopg

    with psycopg.connect(runtime.addresses()["database"], autocommit=True) as conn:
        conn.execute("UPDATE parked SET status = 'dropped' WHERE status = 'parked' AND reason = %s", (reason,))


def plays(runtime: LocalRuntime) -> Sequence[Play]:
    """The faults that can be played on a capstone with a relay; its most costly pool is the one that stands still."""
    pool = runtime.platform.capstone.targets[0].pool
    queue = runtime.pools()[pool].queues[0]
    return (
        Play("relay stopped", "OutboxLag", 30, partial(standing_still, "relay")),
        Play("beat stopped", "BeatSilent", 60, partial(standing_still, "beat")),
        Play("poisonous message", "Parked", 0, partial(message, queue, {"timelimit": "soon"}, "malformed")),
        Play("message of an unknown task", "UnknownTask", 0, partial(message, queue, {}, "unknown_task")),
        Play(f"{pool} under SIGSTOP", "QueueStalled", 60, partial(standing_still, pool)),
        Play("database stopped", "DatabaseDown", 30, database_away),
    )


@contextmanager
def watched(runtime: LocalRuntime, divide: float) -> Iterator[Receiver]:
    """A receiver of the platform's alerts, whose times are divided during the block. Refused when nobody watches it."""
    if not runtime.platform.state.observe or observability.missing():
        raise Refused(
            f"nobody watches this platform: `make up OBSERVE=1`, with what `{observability.INSTALL}` installs"
        )
    with receiving() as receiver:
        _provision(runtime, divide, receiver.url)
        try:
            if not until(lambda: receiver.fires("Watchdog", ""), within_seconds=WATCHDOG_SECONDS):
                raise DrillFailed("the watchdog was not received: nobody would be told of any alert")
            yield receiver
        finally:
            _provision(runtime, 1, None)


def _provision(runtime: LocalRuntime, divide: float, receiver: str | None) -> None:
    platform = runtime.platform
    observability.provision(platform, divide=divide, receiver=receiver)
    for name in ("alertmanager", "prometheus"):
        url = f"http://127.0.0.1:{platform.state.ports[name]}/-/ready"
        if not until(lambda url=url: _ready(url), within_seconds=PATIENCE_SECONDS):  # type: ignore[misc]
            raise DrillFailed(f"{name} does not answer")
        os.kill(platform.supervisor.process(name).pid, signal.SIGHUP)


def _ready(url: str) -> bool:
    try:
        return http_client.request("GET", url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def measure(runtime: LocalRuntime, receiver: Receiver, play: Play, divide: float) -> Measured:
    """Play one fault. Raises DrillFailed when its alert fires before, comes late, or stays."""
    if receiver.fires(play.alert, runtime.platform.name):
        raise DrillFailed(f"{play.name}: {play.alert} fires before the fault")
    began = time.monotonic()
    with play.fault(runtime):
        within = play.seconds / divide + PATIENCE_SECONDS
        if not until(lambda: receiver.fires(play.alert, runtime.platform.name), within_seconds=within):
            raise DrillFailed(f"{play.name}: {play.alert} was not received within {within:.0f} s")
        fired = time.monotonic()
    ended = time.monotonic()
    if not until(lambda: not receiver.fires(play.alert, runtime.platform.name), within_seconds=RESOLVING_SECONDS):
        raise DrillFailed(f"{play.name}: {play.alert} still fires {RESOLVING_SECONDS:.0f} s after its fault ended")
    return Measured(play, fired - began, time.monotonic() - ended)


@contextmanager
def requested(runtime: LocalRuntime, folder: Path) -> Iterator[None]:
    """Some requests a second during the block, whose journal is in the folder."""
    size = Size(100_000, per_second=REQUESTS_PER_SECOND, steady=True)
    load = runtime.platform.capstone.workload(runtime, Journal(folder / "requests.jsonl"), size, Patience())
    load.start()
    try:
        yield
    finally:
        load.finish(within_seconds=0.1)


def roll(runtime: LocalRuntime, receiver: Receiver, pools: Sequence[str]) -> None:
    """Replace these pools. Raises DrillFailed when that raises an alert."""
    before = receiver.fired()
    for pool in pools:
        runtime.roll(pool)
    if raised := receiver.fired() - before:
        raise DrillFailed(f"rolling {', '.join(pools)} raised {', '.join(sorted(raised))}")


def table(measured: Sequence[Measured], divide: float) -> str:
    """What was measured, in Markdown."""
    lines = [
        f"| fault | alert | its own time (s), divided by {divide:g} | fired after (s) | over after (s) |",
        "|---|---|---|---|---|",
    ]
    for one in measured:
        play = one.play
        own = f"{play.seconds / divide:g}"
        lines.append(f"| {play.name} | {play.alert} | {own} | {one.firing_seconds:.1f} | {one.resolving_seconds:.1f} |")
    return "\n".join(lines) + "\n"
