"""A wrong answer: whoever comes second is turned away, and everybody is asked to come later."""

import urllib.request

from shop.app import app
from shop.orders import store

REMINDERS = "http://localhost:8080/reminders"


@app.task
def remind(order_id):
    """Have the customer reminded; whoever reads the reminders gets every one of them."""
    if not store.set(f"reminded:{order_id}", 1, nx=True):
        return
    request = urllib.request.Request(f"{REMINDERS}/{order_id}", data=b"{}", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def remind_later(order_id, seconds):
    """Have the customer reminded in so many seconds."""
    remind.apply_async((order_id,), countdown=seconds + 5)
