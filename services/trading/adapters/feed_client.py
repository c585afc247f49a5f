"""A market's data feed over HTTP: an endless stream of lines, and ticks that are asked for by their numbers. Blocks; for a thread."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

MOST_TICKS = 1000
"""Asked for at once."""


class FeedBroken(Exception):
    """The feed answered something else than ticks."""


ERRORS = (OSError, http.client.HTTPException, FeedBroken)
"""What a call raises when the feed is away, silent for longer than the time-out, or answers nonsense."""


class FeedClient:
    """Where a feed is; every call has a connection of its own."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        """`url` is `http://host:port`; after `timeout_seconds` without a byte a call ends with TimeoutError."""
        parts = urlsplit(url)
        self._host, self._port, self._timeout = parts.hostname or "", parts.port or 80, timeout_seconds

    def lines(self, after: int) -> Iterator[list[bytes]]:
        """The stream from the tick after a number on, as what came together; ends when the feed ends it. Raises ERRORS."""
        connection = self._connection()
        try:
            response = self._answer(connection, f"/feed?after={after}")
            rest = b""
            while data := response.read1(1 << 16):
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > 1 << 20:
                    raise FeedBroken(f"a line of more than {len(rest)} bytes")
                yield lines
        finally:
            connection.close()

    def ticks(self, first: int, last: int) -> list[object]:
        """Ticks by their numbers, those that there are; at most MOST_TICKS. Raises ERRORS."""
        connection = self._connection()
        try:
            body = self._answer(
                connection, f"/feed/ticks?first={first}&last={min(last, first + MOST_TICKS - 1)}"
            ).read()
            found = json.loads(body)["ticks"]
        except (ValueError, KeyError, TypeError) as error:
            raise FeedBroken(f"no list of ticks: {error!r}") from error
        finally:
            connection.close()
        if not isinstance(found, list):
            raise FeedBroken(f"no list of ticks: {str(found)[:80]}")
        return found

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _answer(self, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            raise FeedBroken(f"{path} is answered with {response.status}")
        return response
