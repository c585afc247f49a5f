"""A wrong answer: a task without a route goes to the queue celery, which nobody consumes."""

import os


def optimize_for_cpu_intensive():
    """One process a core: more of them would only take turns."""
    return {
        "worker_pool": "prefork",
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
    """A queue for each kind of work."""
    return {
        "app.tasks.cpu_intensive": {"queue": "cpu"},
        "app.tasks.io_intensive": {"queue": "io"},
        "app.tasks.urgent": {"queue": "urgent"},
    }
