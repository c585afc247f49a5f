"""The digest of the shop's day. A day has two seconds here."""

import time
import urllib.request

from shop.app import app
from shop.orders import store

DIGESTS = "http://localhost:8080/digests"


DAY_SECONDS = 2


@app.task
def digest():
    """Mail the digest of this day to everybody, whoever was the first to ask for it."""
    day = int(time.time() // DAY_SECONDS)
    if not store.set(f"digest:{day}", 1, nx=True, ex=100 * DAY_SECONDS):
        return
    request = urllib.request.Request(DIGESTS, data=b"{}", method="POST")
    urllib.request.urlopen(request, timeout=10).close()
