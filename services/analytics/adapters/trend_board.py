"""The replicas' trends in Redis or Valkey.

{trends}:reports          hash: JSON of a report by replica
{trends}:state:<replica>  hash: the replica's sums by subject; expires
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from analytics.adapters.store_clients import FAILURES, scan
from analytics.domain.trends import Measure
from analytics.ports.trends import TrendReport
from chassis.errors import Transient

REPORTS = "{trends}:reports"
STATE = "{trends}:state:"
KEPT_SECONDS = 8 * 86_400
"""Longer than the longest sum fades."""

_T = TypeVar("_T")
_Encoded = tuple[int, dict[str, dict[str, dict[str, tuple[float, float]]]]]


class RedisTrendBoard:
    """See ports.TrendBoard. Used by one thread."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def report(self, replica: str, report: TrendReport) -> None:
        """See ports."""
        self._try(lambda: self._client.hset(REPORTS, replica, encode(report)))

    def reports(self) -> Mapping[str, TrendReport]:
        """See ports."""
        found: Any = self._try(lambda: self._client.hgetall(REPORTS))
        return {name.decode(): decode(body) for name, body in found.items()}

    def save(self, replica: str, state: Mapping[str, bytes], *, instead_of: str | None = None) -> bool:
        """See ports."""
        watched = [STATE + instead_of] if instead_of else []

        def write(pipe: Any) -> bool:
            if watched and not pipe.exists(*watched):
                pipe.multi()
                return False
            pipe.multi()
            pipe.hset(STATE + replica, mapping=dict(state))
            pipe.expire(STATE + replica, KEPT_SECONDS)
            if instead_of:
                pipe.delete(STATE + instead_of)
                pipe.hdel(REPORTS, instead_of)
            return True

        transaction: Any = self._client.transaction  # redis-py's type for it forbids a value
        return bool(self._try(lambda: transaction(write, *watched, value_from_callable=True)))

    def owns(self, replica: str) -> bool:
        """See ports."""
        return bool(self._try(lambda: self._client.exists(STATE + replica)))

    def state(self, replica: str) -> Mapping[str, bytes] | None:
        """See ports."""
        found: Any = self._try(lambda: self._client.hgetall(STATE + replica))
        return {name.decode(): body for name, body in found.items()} or None

    def dead(self, *, since_ms: int, but: str) -> list[str]:
        """See ports."""
        old = {name for name, report in self.reports().items() if report.at_ms < since_ms}
        live = self.reports().keys() - old
        states = self._try(lambda: list(scan(self._client, f"{STATE}*")))
        saved = {key.removeprefix(STATE) for key in states}
        if gone := old - saved - {but}:
            self._try(lambda: self._client.hdel(REPORTS, *gone))
        return sorted(saved - live - {but})

    def _try(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except FAILURES as error:
            raise Transient(f"the trends cannot be written: {error}") from error


def encode(report: TrendReport) -> bytes:
    """A report as JSON."""
    measures = {
        subject: {
            window: {key: (one.count, one.usual) for key, one in found.items()} for window, found in windows.items()
        }
        for subject, windows in report.measures.items()
    }
    return msgspec.json.encode((report.at_ms, measures))


def decode(body: bytes | str) -> TrendReport:
    """The opposite of `encode`."""
    at_ms, measures = msgspec.json.decode(body, type=_Encoded)
    return TrendReport(
        at_ms,
        {
            subject: {window: {key: Measure(*one) for key, one in found.items()} for window, found in windows.items()}
            for subject, windows in measures.items()
        },
    )
