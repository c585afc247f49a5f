"""A wrong answer: one reminder, at once."""

import urllib.request

from shop.app import app

REMINDERS = "http://localhost:8080/reminders"


@app.task
def remind(order_id):
    """Have the customer reminded; whoever reads the reminders gets every one of them."""
    request = urllib.request.Request(f"{REMINDERS}/{order_id}", data=b"{}", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def remind_later(order_id, seconds):
    """Have the customer reminded in so many seconds."""
    remind.delay(order_id)
