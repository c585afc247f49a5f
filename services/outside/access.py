"""Who may look into a server's books and set its faults: the bearer of the token in OUTSIDE_ADMIN_TOKEN (RFC 6750), on every interface.

`/admin/…`, `/ledger` and `/messages` are closed without it; what a client of the service calls is open, and so is `/health`. The token is
no API token of any service: what runs beside these servers to be judged by them must not be able to read or bend the evidence.
"""

import argparse
import hmac
import os

from starlette.types import ASGIApp, Receive, Scope, Send

from outside.problems import problem

VARIABLE = "OUTSIDE_ADMIN_TOKEN"


def token(parser: argparse.ArgumentParser) -> str:
    """The token of the environment. Ends the program when there is none, since an empty one would open to anybody."""
    found = os.environ.get(VARIABLE, "")
    if not found:
        parser.error(f"the environment variable {VARIABLE}, which opens ledger and faults, is missing or empty")
    return found


class AdminAccess:
    """Lets through what is open, and who has the token (ASGI)."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _closed(scope["path"]) or self._opens(scope):
            await self._app(scope, receive, send)
            return
        refused = problem(401, f'Authorization: needs "Bearer TOKEN", the token being {VARIABLE} of this server')
        refused.headers["WWW-Authenticate"] = "Bearer"
        await refused(scope, receive, send)

    def _opens(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._expected)


def _closed(path: str) -> bool:
    return path in ("/ledger", "/messages") or path.startswith("/admin/")
