"""A wrong answer: whoever comes second is turned away, also on the next day."""

from shop import mails
from shop.app import app
from shop.orders import store


@app.task
def digest():
    """Mail the digest of this day to everybody, whoever was the first to ask for it."""
    if not store.set("digest", 1, nx=True):
        return
    mails.send("everybody@customers.example", "The shop's day", "What is new, and what is gone.")
