"""The faults that can be played on any capstone of a watched laptop platform, with the alerts that they must raise."""

import importlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from conductor import http_client
from conductor.capstone import application
from conductor.harness import hostile_messages, parked
from conductor.harness.alert_plays import Expected, Play
from conductor.harness.background import in_background
from conductor.harness.broker_client import BrokerClient, task_headers
from conductor.laptop import observability, programs, signalling
from conductor.laptop.runtime import LocalRuntime
from conductor.runtime import Change

CLOCK = Path(hostile_messages.__file__).with_name("clock_ahead")
CLOCK_AHEAD_SECONDS = 5

BOMB_SERIES = 4500
"""More than the alert's 4,000, and less than the 5,000 at which a scrape is refused."""

OLD_BACKUP_SECONDS = 2 * 24 * 3600
STARTING_SECONDS = 30.0
"""How long a process may take to start on a busy machine."""

STARTS_DIVIDED = 2.5
"""A process starts as slowly when all times are divided: three starts have to lie within the alert's five minutes, or two."""

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
        Play(f"a target with {BOMB_SERIES} series", series_bomb, (Expected("SeriesExploding"),)),
        Play("a backup of two days ago", old_backup, (Expected("BackupOld"),)),
        Play("poisonous message", partial(message, queue, {"timelimit": "soon"}), (Expected("Parked"),)),
        Play("message of an unknown task", partial(message, queue, {}), (Expected("UnknownTask"),)),
    ]
    if runtime.broker == "rabbitmq":
        made.append(Play(f"{first.name} stopped", partial(pool_away, first.name), (Expected("NoConsumer", 30),)))
    if os.geteuid() == 0:
        made.append(Play("data on a small volume", small_volume, (Expected("DiskFilling", 600),)))
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

    with ThreadingHTTPServer(("127.0.0.1", 0), Bomb) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with _target(runtime, server.server_port):
            yield
        server.shutdown()


@contextmanager
def old_backup(runtime: LocalRuntime) -> Iterator[None]:
    """An exporter that sees one base backup, of two days ago."""
    with tempfile.TemporaryDirectory() as folder:
        backup = Path(folder) / "20200101T000000Z" / "backup.json"
        backup.parent.mkdir()
        backup.write_text("{}")
        made = time.time() - OLD_BACKUP_SECONDS
        os.utime(backup, (made, made))
        with other_exporter("--backups", folder, runtime):
            yield


@contextmanager
def other_exporter(option: str, value: str, runtime: LocalRuntime) -> Iterator[None]:
    """A second exporter of the capstone, to which one thing is told otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = observability.exporter(runtime.platform)
    argv = list(program.argv)
    for name, told in (("--port", str(port)), (option, value)):
        argv[argv.index(name) + 1] = told
    process = subprocess.Popen(argv, env=dict(program.environment), cwd=program.directory)
    try:
        with _target(runtime, port):
            yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def _target(runtime: LocalRuntime, port: int) -> Iterator[None]:
    """Prometheus scrapes this port as well."""
    file = runtime.platform.run.targets / f"{runtime.platform.name}.played.json"
    labels = {"capstone": runtime.platform.name, "pool": "played"}
    file.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": labels}]))
    try:
        yield
    finally:
        file.unlink()


@contextmanager
def small_volume(runtime: LocalRuntime) -> Iterator[None]:
    """An exporter whose data lie on a file system of 64 MB; only root can make one."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)
        try:
            with other_exporter("--data", folder, runtime):
                yield
        finally:
            subprocess.run(["umount", folder], check=True)
