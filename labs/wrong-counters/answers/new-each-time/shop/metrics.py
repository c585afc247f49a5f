"""A wrong answer: the worker begins by forgetting what was."""

from celery.signals import task_success, worker_init
from shop.orders import store

COUNTS = "task-counts"


@worker_init.connect
def forget(**kwargs):
    """A worker starts: its counts begin at nothing."""
    store.delete(COUNTS)


@task_success.connect
def count(sender=None, **kwargs):
    """A task has succeeded."""
    store.hincrby(COUNTS, sender.name, 1)


def exposition():
    """Return the counters as text, in the format of Prometheus. It is asked in a process of its own."""
    lines = ["# TYPE shop_tasks_total counter"]
    lines += [f'shop_tasks_total{{task="{name}"}} {number}' for name, number in sorted(store.hgetall(COUNTS).items())]
    return "\n".join(lines) + "\n"
