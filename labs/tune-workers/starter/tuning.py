"""Settings of two workers, and which task goes to which queue."""


def optimize_for_cpu_intensive():
    """Return the settings of the worker that computes."""
    return {
        "worker_concurrency": 1,
        "worker_prefetch_multiplier": 4,
        "task_acks_late": False,
    }


def optimize_for_io_intensive():
    """Return the settings of the worker that waits for others."""
    return {
        "worker_concurrency": 1,
        "worker_prefetch_multiplier": 4,
        "task_acks_late": False,
    }


def configure_queues():
    """Return the routes: a task's full name -> where it goes."""
    return {}
