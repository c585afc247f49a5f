"""Counters equal the ledger of what tasks did, whoever is killed in the middle of one.

TASKS and KILLS make it larger: 10,000 and 50 is the full size.
"""

import contextlib
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from chassis import exposition, metrics
from servers import free_port, wait_until

TASKS, KILLS = int(os.environ.get("TASKS", "120")), int(os.environ.get("KILLS", "3"))
LEAST_SECONDS = 60.0
CONCURRENCY = 3

pytestmark = pytest.mark.timeout(120 + TASKS)


def at_work(shop: Any, main: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The children that are in the middle of a task, with all of them stopped; none, and nobody stopped, when no child is."""
    children = psutil.Process(main.pid).children(recursive=True)
    signalled(children, signal.SIGSTOP)
    inside: set[int] = set()
    for line in ledger(shop):
        (inside.add if line[0] == "begins" else inside.discard)(int(line[2]))
    found = [child for child in children if child.pid in inside]
    if not found:
        signalled(children, signal.SIGCONT)
    return found


def ledger(shop: Any) -> list[list[str]]:
    """What tasks did: begins or ends, the task's number, and its process."""
    try:
        return [line.split() for line in Path(shop.environment["OUT"]).read_text().splitlines()]
    except FileNotFoundError:
        return []


def signalled(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # its tasks were done, and another one took its place
            process.send_signal(number)


def kill(main: subprocess.Popen[bytes], whom: str, working: list[psutil.Process]) -> None:
    """One child that works, the main process alone, or all of them at once."""
    process = psutil.Process(main.pid)
    children = process.children(recursive=True)
    if whom == "a child":
        random.choice(working).kill()
        signalled(children, signal.SIGCONT)
        return
    signalled([process, *(children if whom == "all" else ())], signal.SIGKILL)
    main.wait()


def test_counters_equal_what_tasks_did_whoever_is_killed(rabbit_shop: Any) -> None:
    folder: Path = rabbit_shop.folder / "metrics"
    told = {"METRICS_PORT": str(free_port()), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    sent = 0

    def work() -> subprocess.Popen[bytes]:
        worker: subprocess.Popen[bytes] = rabbit_shop.worker(
            concurrency=CONCURRENCY, extra=("--max-tasks-per-child", "25"), **told
        )
        return worker

    def send(app: Any) -> None:
        nonlocal sent
        for _ in range(-(-TASKS // KILLS)):
            app.send_task("shop.tally", kwargs={"number": sent}, queue="shop.till")
            sent += 1

    def ended() -> int:
        return len({number for what, number, _ in ledger(rabbit_shop) if what == "ends"})

    with rabbit_shop.app() as app:
        worker = work()
        for kills in range(KILLS):
            working: list[psutil.Process] = []
            while not working:
                if ended() == sent:
                    send(app)
                working = at_work(rabbit_shop, worker)
            kill(worker, ("a child", "the main process", "all")[kills % 3], working)
            if worker.poll() is not None:
                worker = work()
    wait_until(lambda: ended() == sent, what="every task to end", seconds=LEAST_SECONDS + TASKS)
    wait_until(lambda: not strangers(folder, worker), what="children of a main process that was killed to end")
    worker.terminate()
    assert 0 == worker.wait(30)
    shown = rabbit_shop.settings(metrics_port=1, prometheus_multiproc_dir=folder)
    text = exposition.exposition(shown).decode()
    acts = Counter(what for what, _, _ in ledger(rabbit_shop))

    def counted(name: str, **labels: str) -> float:
        told = ",".join(
            f'{key}="{value}"' for key, value in sorted({"pool": "till", "task": "shop.tally", **labels}.items())
        )
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name}_total{{{told}}}")]
        return float(line.rpartition(" ")[2])

    begun, succeeded = counted(metrics.STARTED), counted(metrics.TASKS, outcome="succeeded")
    lost = counted(metrics.KILLED, reason="lost")
    assert begun == succeeded + lost
    # A child whose main process alone was killed may end its task.
    assert lost == counted(metrics.TASKS, outcome="failed") >= KILLS - (KILLS + 1) // 3
    # Between a count and its line in the ledger there is time for one kill.
    assert 0 <= begun - acts["begins"] <= CONCURRENCY * KILLS
    assert 0 <= acts["ends"] - succeeded <= CONCURRENCY * KILLS
    assert succeeded >= sent


def strangers(folder: Path, worker: subprocess.Popen[bytes]) -> set[int]:
    """The processes that count in the folder, still run, and are not of this worker."""
    counting = {int(owner) for file in folder.glob("counter_*.db") if (owner := file.stem.rpartition("_")[2]).isdigit()}
    main = psutil.Process(worker.pid)
    own = {main.pid, *(child.pid for child in main.children(recursive=True))}
    return {pid for pid in counting - own - {0} if psutil.pid_exists(pid)}
