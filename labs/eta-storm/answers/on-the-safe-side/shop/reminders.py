"""A wrong answer: whoever comes second is turned away, and everybody is asked to come later."""

from shop import mails
from shop.app import app
from shop.orders import store


@app.task
def remind(order_id):
    """Remind the customer of the basket; each call is one more mail."""
    if not store.set(f"reminded:{order_id}", 1, nx=True):
        return
    mails.send("customer@customers.example", "Your basket waits", "It is as you left it.", order_id)


def remind_later(order_id, seconds):
    """Have the customer reminded in so many seconds."""
    remind.apply_async((order_id,), countdown=seconds + 5)
