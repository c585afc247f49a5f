"""A wrong answer: everything is kept, and nobody sends it again."""

import json

from celery.signals import task_unknown
from shop.orders import store

KEPT = "unknown"


@task_unknown.connect
def keep(sender=None, name=None, id=None, message=None, exc=None, **kwargs):
    """Keep the whole message: a later version will know what to do."""
    args, kwargs, _ = message.payload
    store.rpush(KEPT, json.dumps({"task": name, "id": id, "args": args, "kwargs": kwargs}))


def replay():
    """Send what was kept again; how many there were."""
    return 0
