"""What becomes of a message whose task this version does not know."""

import json

from celery.signals import task_unknown
from shop.app import app
from shop.orders import store

KEPT = "unknown"


@task_unknown.connect
def keep(sender=None, name=None, id=None, message=None, exc=None, **kwargs):
    """Keep the whole message: a later version will know what to do."""
    args, kwargs, _ = message.payload
    store.rpush(KEPT, json.dumps({"task": name, "id": id, "args": args, "kwargs": kwargs}))


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
