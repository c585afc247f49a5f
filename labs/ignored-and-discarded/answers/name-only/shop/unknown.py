"""A wrong answer: that something came is known, and what it was is not."""

import json

from celery.signals import task_unknown
from shop.app import app
from shop.orders import store

KEPT = "unknown"


@task_unknown.connect
def keep(sender=None, name=None, id=None, message=None, exc=None, **kwargs):
    """Remember that there was a message."""
    store.rpush(KEPT, json.dumps({"task": name, "id": id, "args": [], "kwargs": {}}))


def replay():
    """Send what was kept again; how many there were."""
    count = 0
    while kept := store.lindex(KEPT, 0):
        one = json.loads(kept)
        app.send_task(one["task"], one["args"], one["kwargs"], task_id=one["id"])
        # Sent, then forgotten: whoever dies in between sends it twice, and loses nothing.
        store.lpop(KEPT)
        count += 1
    return count
