"""The digest of the shop's day. A day has two seconds here."""

import urllib.request

from shop.app import app

DIGESTS = "http://localhost:8080/digests"


@app.task
def digest():
    """Mail the digest to everybody; each call is one more mail."""
    request = urllib.request.Request(DIGESTS, data=b"{}", method="POST")
    urllib.request.urlopen(request, timeout=10).close()
