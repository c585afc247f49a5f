"""The faults that can be played on any capstone of a watched laptop platform, with the alerts that they must raise."""

import importlib
import importlib.util
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx

from conductor import http_client
from conductor.capstone import application
from conductor.harness import alert_certificate_fault, alert_storage_faults, hostile_messages, parked
from conductor.harness.alert_plays import Expected, Play
from conductor.harness.background import in_background
from conductor.harness.broker_client import BrokerClient, task_headers
from conductor.http_server import HttpServer
from conductor.laptop import observability, programs, signalling
from conductor.laptop.runtime import LocalRuntime
from conductor.runtime import Change

CLOCK = Path(hostile_messages.__file__).with_name("clock_ahead")
CLOCK_AHEAD_SECONDS = 5

BOMB_SERIES = 4500
"""More than the alert's 4,000, and less than the 5,000 at which a scrape is refused."""

STARTING_SECONDS = 30.0
"""How long a process may take to start on a busy machine."""

STARTS_DIVIDED = 2.5
"""A process starts as slowly when all times are divided: three starts have to lie within the alert's five minutes, or two."""

LITTLE_MEMORY_BYTES = 1_000_000

BATCHES_DIVIDED = 4
"""A batch of spans is given up after two seconds, however the times are divided: some have to lie within the alert's minute."""


def plays(runtime: LocalRuntime) -> Sequence[Play]:
    """The faults that need nothing of the capstone's own."""
    workers = [
        pool
        for pool in runtime.pools().values()
        if pool.role == "worker" and pool.replicas and pool.kind == "Deployment"
    ]
    first, last = workers[0], workers[-1]
    queue = last.queues[0]
    made = [
        Play("beat under SIGSTOP", partial(standing_still, "beat"), (Expected("BeatSilent", 60),)),
        Play(
            "beat killed again and again",
            partial(crashing, "beat"),
            (Expected("WorkersCrashLooping", 0, 3 * STARTING_SECONDS),),
            most_divided=STARTS_DIVIDED,
        ),
        Play(
            "exporter under SIGSTOP",
            partial(program_still, observability.exporter_name(runtime.platform.name)),
            (Expected("TelemetryMissing", 120),),
        ),
        Play(
            "receiver of the spans under SIGSTOP",
            partial(program_still, "traces"),
            (Expected("TelemetryMissing", 180),),
            most_divided=BATCHES_DIVIDED,
        ),
        Play("database stopped", partial(server_away, "postgres"), (Expected("DatabaseDown", 30),)),
        Play("broker stopped", partial(server_away, runtime.broker), (Expected("BrokerDown", 30),)),
        Play("store stopped", partial(server_away, "valkey"), (Expected("StoreDown", 30),)),
        Play(
            f"the clock of {last.name} {CLOCK_AHEAD_SECONDS} s ahead",
            partial(clock_ahead, last.name),
            (Expected("ClockSkew", 60, STARTING_SECONDS),),
        ),
        Play(
            f"{first.name} with a limit below its memory",
            partial(memory_limited, first.name),
            (Expected("MemoryNearLimit", 60, STARTING_SECONDS),),
        ),
        Play("an archive that takes nothing", alert_storage_faults.archive_refused, (Expected("ArchiveFailing", 300),)),
        Play(f"a target with {BOMB_SERIES} series", series_bomb, (Expected("SeriesExploding"),)),
        Play("a backup of two days ago", alert_storage_faults.old_backup, (Expected("BackupOld"),)),
        Play("poisonous message", partial(message, queue, {"timelimit": "soon"}), (Expected("Parked"),)),
        Play("message of an unknown task", partial(message, queue, {}), (Expected("UnknownTask"),)),
    ]
    if runtime.broker == "rabbitmq":
        made.append(Play(f"{first.name} stopped", partial(pool_away, first.name), (Expected("NoConsumer", 30),)))
    if alert_certificate_fault.can_sign():
        fault = alert_certificate_fault.short_certificate
        made.append(Play("a certificate of one day", fault, (Expected("CertificateExpiring"),)))
    if os.geteuid() == 0:
        made.append(Play("data on a small volume", alert_storage_faults.small_volume, (Expected("DiskFilling", 600),)))
    return made


def of_capstone(runtime: LocalRuntime) -> Sequence[Play]:
    """The faults that only this capstone can have: those of `alert_faults` of its plug-in, if it has any."""
    name = f"conductor.capstones.{runtime.platform.name}.alert_faults"
    if importlib.util.find_spec(name) is None:
        return ()
    found: Sequence[Play] = importlib.import_module(name).plays(runtime)
    return found


@contextmanager
def standing_still(pool: str, runtime: LocalRuntime) -> Iterator[None]:
    """A pool whose processes are there and do nothing."""
    with _still(runtime.kill(pool, "tree", signal.SIGSTOP)):
        yield


@contextmanager
def program_still(name: str, runtime: LocalRuntime) -> Iterator[None]:
    """A program beside the pools that takes connections and answers nothing."""
    pid = runtime.platform.supervisor.process(name).pid
    os.kill(pid, signal.SIGSTOP)
    with _still([pid]):
        yield


@contextmanager
def _still(pids: Sequence[int]) -> Iterator[None]:
    try:
        yield
    finally:
        for pid in pids:
            signalling.send(pid, signal.SIGCONT)  # the keeper may have taken it for dead


@contextmanager
def server_away(name: str, runtime: LocalRuntime) -> Iterator[None]:
    """A server that takes no connection."""
    with runtime.server_away(name):
        yield


@contextmanager
def pool_away(pool: str, runtime: LocalRuntime) -> Iterator[None]:
    """A pool that was stopped, and whose processes are still known."""
    names = [tree.name for tree in runtime.trees(pool)]
    supervisor = runtime.platform.supervisor
    for name in names:
        supervisor.begin_stop(name)
    supervisor.wait_stopped(*names, within_seconds=runtime.pools()[pool].grace_seconds + 5)
    try:
        yield
    finally:
        for name in names:
            supervisor.start_again(name)
        runtime.wait_ready(STARTING_SECONDS * 2)


@contextmanager
def crashing(pool: str, runtime: LocalRuntime) -> Iterator[None]:
    """Processes that are killed as soon as they show metrics."""

    def kill(over: threading.Event) -> None:
        seen: set[int] = set()
        while not over.wait(0.25):
            for tree in runtime.trees(pool):
                port = programs.environment_of(tree.name, runtime.platform.run)["METRICS_PORT"]
                if tree.pid not in seen and _answers(f"http://127.0.0.1:{port}/metrics"):
                    seen.add(tree.pid)
                    signalling.send(tree.pid, signal.SIGKILL)

    try:
        with in_background(kill):
            yield
    finally:
        runtime.wait_ready(STARTING_SECONDS * 2)


def _answers(url: str) -> bool:
    try:
        return http_client.request("GET", url, timeout=2).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def clock_ahead(pool: str, runtime: LocalRuntime) -> Iterator[None]:
    """A pool whose machine's clock was set wrong."""
    runtime.roll(pool, Change({"PYTHONPATH": str(CLOCK), "CLOCK_AHEAD_SECONDS": f"{CLOCK_AHEAD_SECONDS}"}))
    try:
        yield
    finally:
        runtime.roll(pool)


@contextmanager
def memory_limited(pool: str, runtime: LocalRuntime) -> Iterator[None]:
    """A pool that says that it may use less memory than it does."""
    runtime.roll(pool, Change({"MEMORY_LIMIT_BYTES": f"{LITTLE_MEMORY_BYTES}"}))
    try:
        yield
    finally:
        runtime.roll(pool)


@contextmanager
def message(queue: str, headers: Mapping[str, Any], runtime: LocalRuntime) -> Iterator[None]:
    """A message that no worker can run; what it left is dropped in the end."""
    app = application(runtime.platform.name)
    before = {record["id"] for record in parked.parked(runtime, app)}
    with BrokerClient.of(runtime) as broker:
        broker.send_raw(queue, "[[], {}, {}]", headers={**task_headers("nobody.knows"), **headers})
    try:
        yield
    finally:
        drop_parked(runtime, before)


def drop_parked(runtime: LocalRuntime, but: set[int]) -> None:
    """Drop what is parked now, but for these."""
    app = application(runtime.platform.name)
    if new := [record["id"] for record in parked.parked(runtime, app) if record["id"] not in but]:
        parked.drop(runtime, app, *new)


@contextmanager
def series_bomb(runtime: LocalRuntime) -> Iterator[None]:
    """One more target, with far too many series."""
    text = "".join(f'bomb{{number="{number}"}} 1\n' for number in range(BOMB_SERIES)).encode()

    class Bomb(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HttpServer(("127.0.0.1", 0), Bomb) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with alert_storage_faults.target(runtime, server.server_port):
            yield
        server.shutdown()
