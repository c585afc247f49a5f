"""The ledgers of the outside programs: what they did and for whom, written by nobody who is judged."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx

from conductor import http_client
from conductor.errors import DrillFailed
from conductor.runtime import Reach

LEDGER_SECONDS = 30.0

Entry = Mapping[str, Any]


class LedgerTail:
    """The ledgers of these programs, each read on from where the last look ended."""

    def __init__(self, access: Reach, names: Sequence[str]) -> None:
        addresses = access.addresses()
        self._addresses = {name: addresses[name] for name in names}
        token = http_client.bearer(access.tokens()["outside"])
        self._http = httpx.Client(timeout=LEDGER_SECONDS, trust_env=False, headers=token, limits=http_client.LIMITS)
        self.entries: dict[str, list[Entry]] = {name: [] for name in names}

    def read(self, *names: str) -> None:
        """Read on those named, or all; DrillFailed when a program does not answer, for without its ledger nothing is proved."""
        for name in names or self._addresses:
            known = self.entries[name]
            after = known[-1]["id"] if known else 0
            try:
                answer = self._http.get(f"{self._addresses[name]}/ledger", params={"after": after})
                known += answer.raise_for_status().json()
            except (httpx.HTTPError, ValueError, TypeError) as error:
                raise DrillFailed(f"the ledger of {name} cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
