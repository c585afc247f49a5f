"""A wrong answer: a pool of one process, which does one task at a time whatever the concurrency says."""

import os


def optimize_for_cpu_intensive():
    """One process, and no overhead of a pool."""
    return {
        "worker_pool": "solo",
        "worker_concurrency": max(2, os.cpu_count() or 2),
        "worker_prefetch_multiplier": 1,
        "task_acks_late": True,
    }


def optimize_for_io_intensive():
    """Many threads: a task that waits for others needs no core."""
    return {
        "worker_pool": "threads",
        "worker_concurrency": 40,
        "worker_prefetch_multiplier": 1,
    }


def configure_queues():
    """A queue for each kind of work, and one for whatever has no route of its own."""
    return {
        "app.tasks.cpu_intensive": {"queue": "cpu"},
        "app.tasks.io_intensive": {"queue": "io"},
        "app.tasks.urgent": {"queue": "urgent"},
        "app.tasks.clean_up": {"queue": "io"},
    }
