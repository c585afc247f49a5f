"""A wrong answer: one reminder, at once."""

from shop import mails
from shop.app import app


@app.task
def remind(order_id):
    """Remind the customer of the basket; each call is one more mail."""
    mails.send("customer@customers.example", "Your basket waits", "It is as you left it.", order_id)


def remind_later(order_id, seconds):
    """Have the customer reminded in so many seconds."""
    remind.delay(order_id)
