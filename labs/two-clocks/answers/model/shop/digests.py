"""The digest of the shop's day. A day has two seconds here."""

import time

from shop import mails
from shop.app import app
from shop.orders import store

DAY_SECONDS = 2


@app.task
def digest():
    """Mail the digest of this day to everybody, whoever was the first to ask for it."""
    day = int(time.time() // DAY_SECONDS)
    if not store.set(f"digest:{day}", 1, nx=True, ex=100 * DAY_SECONDS):
        return
    mails.send("everybody@customers.example", "The shop's day", "What is new, and what is gone.")
