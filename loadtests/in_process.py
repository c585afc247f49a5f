"""Requests to an ASGI application in this process: without a server and a client's library a hundred thousand of them take a minute."""

import asyncio
from typing import Any
from urllib.parse import quote


class InProcess:
    """Asks one application, one request at a time."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """End."""
        self._loop.close()

    def ask(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", headers: dict[str, str] | None = None
    ) -> int:
        """The status of the answer."""
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
            "client": ("client", 1), "server": ("server", 80),
            "method": method, "path": path, "raw_path": quote(path).encode(), "root_path": "", "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
        }  # fmt: skip
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        self._loop.run_until_complete(self._app(scope, receive, send))
        (status,) = statuses
        return status
