"""The orders' HTTP API as the conductor's commands and drills use it. Nothing is retried here: who calls knows what a repeat means."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx

from conductor.errors import ApiUnreachable
from conductor.harness.json_api import ANSWER_SECONDS, JsonApi, refusal
from conductor.runtime import Reach

# The server says something at least every 15 s.
STREAM_SILENCE_SECONDS = 40.0
PAGE = 500


class OrdersApi(JsonApi):
    """A client with one bearer token."""

    @classmethod
    def of(cls, access: Reach) -> Self:
        """An operator's client of a running platform."""
        return cls(access.addresses()["api"], access.tokens()["operator"])

    def place(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Place an order under an idempotency key; the receipt."""
        return self.json("POST", "/orders", headers={"Idempotency-Key": key}, json=dict(body))

    def show(self, order_id: str) -> dict[str, Any]:
        """One order with what it waits for."""
        return self.json("GET", f"/orders/{order_id}")

    def timeline(self, order_id: str) -> list[dict[str, Any]]:
        """Every event of an order, oldest first."""
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.json("GET", f"/orders/{order_id}/timeline", params={"after": after, "limit": PAGE})
            found += page["events"]
            after = page["next"]
        return found

    def cancel(self, order_id: str) -> dict[str, Any]:
        """Ask an order to stop; ApiRefused with status 409 when it is too late."""
        return self.json("POST", f"/orders/{order_id}/cancel")

    def orders(self) -> Iterator[dict[str, Any]]:
        """Every order in short, newest first."""
        after: str | None = None
        while True:
            page = self.json("GET", "/orders", params={"limit": PAGE, **({"after": after} if after else {})})
            yield from page["orders"]
            after = page["next"]
            if after is None:
                return

    def events(
        self, order_id: str, after: int, *, silence_seconds: float = STREAM_SILENCE_SECONDS
    ) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
        """The order's events behind `after` as they happen: (id, kind, data), until the server ends the stream with kind `end`.

        Raises ApiUnreachable when the connection breaks or nothing comes for `silence_seconds`; a new call with the last id goes on
        where it broke.
        """
        timeout = httpx.Timeout(ANSWER_SECONDS, read=silence_seconds)
        headers = {"Last-Event-ID": str(after)} if after else {}
        try:
            with self._http.stream("GET", f"/orders/{order_id}/events", headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise refusal(answer)
                yield from parsed(answer.iter_lines())
        except httpx.TransportError as error:
            raise ApiUnreachable(f"the event stream broke: {str(error) or type(error).__name__}") from error


def parsed(lines: Iterator[str]) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
    """Server-sent events out of their lines (WHATWG HTML, 9.2.6), as far as this API uses them: id, event and one line of data."""
    event_id, kind, data = None, "message", ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            event_id = int(value)
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif not line and data:
            yield event_id, kind, json.loads(data)
            event_id, kind, data = None, "message", ""
