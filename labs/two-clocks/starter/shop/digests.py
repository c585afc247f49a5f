"""The digest of the shop's day. A day has two seconds here."""

from shop import mails
from shop.app import app


@app.task
def digest():
    """Mail the digest to everybody; each call is one more mail."""
    mails.send("everybody@customers.example", "The shop's day", "What is new, and what is gone.")
