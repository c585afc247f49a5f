"""The analytics' HTTP API as the conductor's commands and drills use it."""

from typing import Any, Self

from conductor.harness.json_api import JsonApi
from conductor.runtime import Reach

NDJSON = "application/x-ndjson"


class EdgeApi(JsonApi):
    """Sends events, with a client's token."""

    @classmethod
    def of(cls, access: Reach) -> Self:
        """A client of a running platform."""
        return cls(access.addresses()["api"], access.tokens()["customer"])

    def send(self, key: str, body: bytes, door: str = "/events") -> dict[str, Any]:
        """Send NDJSON under an idempotency key; `{"accepted": 2, "refused": [{"index", "reason"}]}`."""
        headers = {"Idempotency-Key": key, "Content-Type": NDJSON}
        return self.json("POST", door, headers=headers, content=body)


class QueryApi(JsonApi):
    """Asks for counters, with an analyst's token."""

    @classmethod
    def of(cls, access: Reach) -> Self:
        """A client of a running platform."""
        return cls(access.addresses()["api"], access.tokens()["operator"])

    def trends(self, of: str, window: str, limit: int) -> dict[str, Any]:
        """What comes more often than usual."""
        return self.json("GET", "/trends", params={"of": of, "window": window, "limit": limit})

    def recommendations(self, user: str, limit: int) -> dict[str, Any]:
        """Contents for a user."""
        return self.json("GET", f"/users/{user}/recommendations", params={"limit": limit})

    def freshness(self) -> dict[str, Any]:
        """How current the counters are."""
        return self.json("GET", "/freshness")
