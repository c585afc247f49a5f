"""HTTP calls to the outside: one client a process, and what each way of failing says about the effect.

    refused, no connection in time, 503, 429     Transient: it had no effect (Retry-After is passed on)
    no answer in time, broken, other 5xx, an answer nobody can read     UnknownOutcome: the outside must be asked
    any other status the caller does not know     Permanent: the same request will never work

Threads may share a `Wire`. The client is made by the first call in each process, so that nothing open crosses a fork.
"""

import os
import threading
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx

from chassis.errors import Permanent, Transient
from orders.ports import UnknownOutcome

# At least as many as threads that call at the same time; waiting for a connection would count against the answer's time.
MAX_CONNECTIONS = 64
# Shorter than any server keeps an unused connection, so that a call does not meet one that is being closed.
KEEP_UNUSED_SECONDS = 4.0
# A wish longer than this is not a wish but a mistake.
MAX_RETRY_AFTER_SECONDS = 600.0
# As much of an answer as goes into an error's message.
SHOWN_CHARACTERS = 200


class Guarded(Protocol):
    """A circuit breaker: refuses to enter while the other side is known to be down, and counts the Transient errors inside."""

    def guard(self) -> AbstractContextManager[Any]:
        """Enter for one call."""


class Wire:
    """Calls to one outside system at `base_url`, each given `connect_seconds` to connect and `total_seconds` in all."""

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        connect_seconds: float = 1.0,
        total_seconds: float = 3.0,
        breaker: Guarded | None = None,
    ) -> None:
        """`name` is what messages call the other side; connecting is given half of `total_seconds` at most."""
        self._base_url = base_url.rstrip("/")
        self._name = name
        connect_seconds = min(connect_seconds, total_seconds / 2)
        self._timeout = httpx.Timeout(total_seconds - connect_seconds, connect=connect_seconds)
        self._breaker = breaker
        self._lock = threading.Lock()
        self._made_by: tuple[int, httpx.Client | None] = (0, None)

    def change(
        self, path: str, *, answers: Collection[int], key: str | None = None, body: Any = None
    ) -> httpx.Response:
        """POST something with an effect; the answer, its status one of `answers`. Raises as the module says."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._call("POST", path, answers, headers, body)

    def read(self, path: str, *, answers: Collection[int]) -> httpx.Response:
        """GET something. Nothing can have happened, so whatever may pass is plainly Transient."""
        try:
            return self._call("GET", path, answers, {}, None)
        except UnknownOutcome as error:
            raise Transient(str(error)) from error

    def member(self, answer: httpx.Response, name: str) -> Any:
        """A member of the answer's JSON object. Raises UnknownOutcome when there is no such thing."""
        try:
            return answer.json()[name]
        except (ValueError, KeyError, TypeError) as error:
            shown = answer.text[:SHOWN_CHARACTERS]
            raise UnknownOutcome(f"{self._name} answered {answer.status_code} without {name!r}: {shown!r}") from error

    def _call(
        self, method: str, path: str, answers: Collection[int], headers: dict[str, str], body: Any
    ) -> httpx.Response:
        with nullcontext() if self._breaker is None else self._breaker.guard():
            try:
                answer = self._opened().request(method, self._base_url + path, headers=headers, json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Transient(f"{self._name} cannot be reached: {error}") from error
            except httpx.TransportError as error:
                raise UnknownOutcome(f"{self._name} did not answer: {type(error).__name__} {error}".rstrip()) from error
            if answer.status_code in answers:
                return answer
            raise self._failure(answer)

    def _failure(self, answer: httpx.Response) -> Transient | Permanent:
        status = answer.status_code
        says = f"{self._name} answered {status}: {_detail(answer)}"
        if status in (429, 503):
            return Transient(
                says, retry_after_seconds=retry_after_seconds(answer.headers.get("Retry-After"), time.time())
            )
        if status >= 500:
            return UnknownOutcome(says)
        return Permanent(says)

    def _opened(self) -> httpx.Client:
        pid, client = self._made_by
        if client is None or pid != os.getpid():
            with self._lock:
                pid, client = self._made_by
                if client is None or pid != os.getpid():
                    # A client of the parent is left to the parent: closing it here would end its connections.
                    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEP_UNUSED_SECONDS)
                    # Settings say where the outside is; a proxy variable of the shell has no say. Certificates are read
                    # (50 ms of CPU) only where they are used.
                    secure = self._base_url.startswith("https:")
                    client = httpx.Client(timeout=self._timeout, limits=limits, trust_env=False, verify=secure)
                    self._made_by = os.getpid(), client
        return client


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3: seconds or a date) at `now`; None when it says nothing."""
    if header is None:
        return None
    try:
        seconds = float(header) if header.isdecimal() else parsedate_to_datetime(header).timestamp() - now
    except ValueError:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])[:SHOWN_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return answer.text[:SHOWN_CHARACTERS]
