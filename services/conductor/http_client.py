"""HTTP as the conductor speaks it: past any proxy, and prepared for certificates only where there are some.

That takes 30 ms of CPU for each client, which most addresses here, plain HTTP on this machine, would never need.
"""

from typing import Any

import httpx

KEEP_UNUSED_SECONDS = 2.0
"""How long an unused connection is kept: much shorter than a server does, also one that is ending, because a request that meets the end of
its connection gets no answer, and not each may be sent twice."""

LIMITS = httpx.Limits(keepalive_expiry=KEEP_UNUSED_SECONDS)
"""Of every client that keeps connections."""


def client(address: str, **options: Any) -> httpx.Client:
    """A client of one address; `options` are httpx's."""
    return httpx.Client(base_url=address, trust_env=False, verify=_secure(address), limits=LIMITS, **options)


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """One request by itself. Raises httpx.HTTPError when it gets no answer."""
    return httpx.request(method, url, trust_env=False, verify=_secure(url), **options)


def bearer(token: str) -> dict[str, str]:
    """The headers that show a token."""
    return {"Authorization": f"Bearer {token}"}


def _secure(address: str) -> bool:
    return address.startswith("https:")
