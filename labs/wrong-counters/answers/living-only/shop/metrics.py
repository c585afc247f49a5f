"""A wrong answer: a file for each process, which it takes along when it ends."""

import json
import os
from collections import Counter
from pathlib import Path

from celery.signals import task_success, worker_process_shutdown

counts = Counter()
FOLDER = Path("counters")


@task_success.connect
def count(sender=None, **kwargs):
    """A task has succeeded."""
    counts[sender.name] += 1
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / str(os.getpid())).write_text(json.dumps(counts))


@worker_process_shutdown.connect
def clear_away(**kwargs):
    """The process ends, and nobody needs its file any more."""
    (FOLDER / str(os.getpid())).unlink(missing_ok=True)


def exposition():
    """Return the counters as text, in the format of Prometheus. It is asked in a process of its own."""
    total = Counter()
    for file in FOLDER.glob("*"):
        total.update(json.loads(file.read_text()))
    lines = ["# TYPE shop_tasks_total counter"]
    lines += [f'shop_tasks_total{{task="{name}"}} {number}' for name, number in sorted(total.items())]
    return "\n".join(lines) + "\n"
