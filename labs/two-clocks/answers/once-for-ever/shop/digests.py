"""A wrong answer: whoever comes second is turned away, also on the next day."""

import urllib.request

from shop.app import app
from shop.orders import store

DIGESTS = "http://localhost:8080/digests"


@app.task
def digest():
    """Mail the digest of this day to everybody, whoever was the first to ask for it."""
    if not store.set("digest", 1, nx=True):
        return
    request = urllib.request.Request(DIGESTS, data=b"{}", method="POST")
    urllib.request.urlopen(request, timeout=10).close()
