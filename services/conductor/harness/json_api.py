"""A capstone's HTTP API as commands and drills use it. Nothing is retried here: who calls knows what a repeat means."""

from types import TracebackType
from typing import Any, Self

import httpx

from conductor import http_client
from conductor.errors import ApiRefused, ApiUnreachable

ANSWER_SECONDS = 10.0


class JsonApi:
    """A client with one bearer token; closes its connections as a context manager. Safe for use by one thread at a time."""

    def __init__(self, address: str, token: str) -> None:
        self._http = http_client.client(address, headers=http_client.bearer(token), timeout=ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The body of an answer; `options` are httpx's. Raises ApiUnreachable and ApiRefused."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ApiUnreachable(f"the API does not answer: {str(error) or type(error).__name__}") from error
        if answer.is_error:
            raise refusal(answer)
        body: dict[str, Any] = answer.json()
        return body


def refusal(answer: httpx.Response) -> ApiRefused:
    """The error in a refused request's answer, with what the server said about it."""
    try:
        said = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    after = answer.headers.get("Retry-After", "")
    return ApiRefused(answer.status_code, said, float(after) if after.isdecimal() else None)
