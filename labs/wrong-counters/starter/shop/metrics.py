"""Counters of the shop, as a dashboard reads them."""

from collections import Counter

from celery.signals import task_success

counts = Counter()


@task_success.connect
def count(sender=None, **kwargs):
    """A task has succeeded."""
    counts[sender.name] += 1


def exposition():
    """Return the counters as text, in the format of Prometheus. It is asked in a process of its own."""
    lines = ["# TYPE shop_tasks_total counter"]
    lines += [f'shop_tasks_total{{task="{name}"}} {number}' for name, number in sorted(counts.items())]
    return "\n".join(lines) + "\n"
