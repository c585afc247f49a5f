"""A connection to the door of the engine pool as the drills use it: lines of JSON. Shares no code with the gateway."""

import json
import socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from conductor.errors import DrillFailed
from conductor.runtime import Reach

ANSWER_SECONDS = 30.0


class DoorClient:
    """One connection with a caller's token, which does not wait for answers until it is asked to."""

    def __init__(self, access: Reach, token: str) -> None:
        address = urlsplit(access.addresses()["door"])
        self._token = access.tokens()[token]
        self._socket = socket.create_connection((address.hostname or "", address.port or 0), ANSWER_SECONDS)
        self._answers = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._socket.close()

    def send(self, *requests: dict[str, Any]) -> None:
        """Send requests in one piece."""
        lines = (json.dumps({"token": self._token, **request}).encode() + b"\n" for request in requests)
        self._socket.sendall(b"".join(lines))

    def answer(self) -> dict[str, Any]:
        """The next answer. Raises DrillFailed when there is none, or the gateway is gone."""
        try:
            line = self._answers.readline()
        except OSError as error:
            raise DrillFailed(f"the door does not answer: {str(error) or type(error).__name__}") from error
        if not line:
            raise DrillFailed("the gateway closed the connection of the door")
        answer: dict[str, Any] = json.loads(line)
        return answer
