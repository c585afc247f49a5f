"""HTTP calls to the outside: one client a process, and what each way of failing says about the effect.

    refused, no connection in time, 503, 429, 408, 425     Transient: it had no effect (Retry-After is passed on)
    no answer in time, broken, other 5xx, a 2xx the caller does not know, an answer nobody can read
                                                           UnknownOutcome: the outside must be asked
    any other status the caller does not know              Permanent: the same request will never work

An answer has `total_seconds` from the first byte of the call to its last, and its body is read up to LONGEST_BODY.

Threads may share a `Wire`. The client is made by the first call in each process, so that nothing open crosses a fork.
"""

import os
import threading
import time
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from chassis import tracing
from chassis.errors import Permanent, Transient
from chassis.tracing import Kind, Span
from orders.adapters.answers import Answer, storable
from orders.adapters.deadlines import DeadlineTransport, within
from orders.ports import UnknownOutcome

# At least as many as threads that call at the same time; waiting for a connection would count against the answer's time.
MAX_CONNECTIONS = 64
# Shorter than any server keeps an unused connection, so that a call does not meet one that is being closed.
KEEP_UNUSED_SECONDS = 4.0
# A wish longer than this is not a wish but a mistake.
MAX_RETRY_AFTER_SECONDS = 600.0
# A page of the books is a fifth of it; a longer body is not read to its end.
LONGEST_BODY = 1024 * 1024
# The other side did not work on the request, and says so (RFC 9110, RFC 8470).
_NOT_DONE = (408, 425, 429, 503)


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
        self._total_seconds = total_seconds
        self._timeout = httpx.Timeout(total_seconds - connect_seconds, connect=connect_seconds)
        self._breaker = breaker
        self._lock = threading.Lock()
        self._made_by: tuple[int, httpx.Client | None] = (0, None)

    def change(self, path: str, *, answers: Collection[int], key: str | None = None, body: Any = None) -> Answer:
        """POST something with an effect; the answer, its status one of `answers`. Raises as the module says."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._call("POST", path, answers, headers, body)

    def read(self, path: str, *, answers: Collection[int]) -> Answer:
        """GET something. Nothing can have happened, so whatever may pass is plainly Transient."""
        try:
            return self._call("GET", path, answers, {}, None)
        except UnknownOutcome as error:
            raise Transient(str(error)) from error

    def _call(self, method: str, path: str, answers: Collection[int], headers: dict[str, str], body: Any) -> Answer:
        with nullcontext() if self._breaker is None else self._breaker.guard(), self._span(method, path) as span:
            try:
                answer, retry_after = self._exchange(method, path, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Transient(f"{self._name} cannot be reached: {storable(str(error))}") from error
            except httpx.RequestError as error:
                why = storable(f"{type(error).__name__} {error}")
                raise UnknownOutcome(f"{self._name} did not answer: {why}") from error
            if span is not None:
                span.set(http__response__status_code=answer.status)
                if answer.status not in answers:
                    span.fail(str(answer.status), f"{self._name} answered {answer.status}")
            if answer.status in answers:
                return answer
            raise self._failure(answer, retry_after)

    def _span(self, method: str, path: str) -> AbstractContextManager[Span | None]:
        """Of one call. Its name has the path's fixed parts only: /charges, /charges/{id}, /charges/{id}/reverse."""
        if not tracing.on():
            return nullcontext()
        parts = path.partition("?")[0].split("/")
        template = "/".join("{id}" if number == 2 else part for number, part in enumerate(parts))
        address = urlsplit(self._base_url)
        return tracing.span(
            f"{method} {template}",
            Kind.CLIENT,
            http__request__method=method,
            url__template=template,
            peer__service=self._name,
            server__address=address.hostname or "",
            server__port=address.port or (443 if address.scheme == "https" else 80),
        )

    def _exchange(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[Answer, str | None]:
        url = self._base_url + path
        with within(self._total_seconds), self._opened().stream(method, url, headers=headers, json=body) as response:
            content, cut = bytearray(), False
            for chunk in response.iter_bytes():
                content += chunk
                if cut := len(content) > LONGEST_BODY:
                    break
        answer = Answer(self._name, response.status_code, bytes(content[:LONGEST_BODY]), cut)
        return answer, response.headers.get("Retry-After")

    def _failure(self, answer: Answer, retry_after: str | None) -> Transient | Permanent:
        status = answer.status
        says = f"{self._name} answered {status}: {answer.says()}"
        if status in _NOT_DONE:
            return Transient(says, retry_after_seconds=retry_after_seconds(retry_after, time.time()))
        if status >= 500 or status < 300:
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
                    client = httpx.Client(
                        timeout=self._timeout,
                        trust_env=False,
                        transport=DeadlineTransport(verify=secure, limits=limits, trust_env=False),
                        cookies=_NoCookies(),
                        # Compressed, a body of any length is a short one.
                        headers={"Accept-Encoding": "identity"},
                    )
                    self._made_by = os.getpid(), client
        return client


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3: seconds or a date) at `now`; None when it says nothing."""
    if header is None:
        return None
    try:
        seconds = float(header) if header.isdecimal() else parsedate_to_datetime(header).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


class _NoCookies(CookieJar):
    """Keeps none: what an answer sets would be sent with every other order's call."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""
