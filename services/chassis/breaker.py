"""A circuit breaker an outside system: when it is known to be down, work waits in the database instead of in every worker.

Closed, it lets everything through and counts failures in a row; at the threshold it opens, and refuses without trying for
`reset_seconds`; then it is half open and lets one probe through, whose end decides. The state is shared by all processes in
Redis/Valkey, so one worker's discovery spares the others; without the store, or while it is away, each process keeps its own.
It is a shortcut and never truth: losing it costs a few calls. Source: Nygard, Release It!, ch. 5.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from chassis import metrics
from chassis.errors import CircuitOpen, Permanent, Transient

STORE_SECONDS = 0.25
"""How long to wait for the store; a breaker must not become the slow call that it is there to prevent."""

STORE_RETRY_SECONDS = 5.0
"""How long a store that did not answer is left alone."""

MEMORY_SECONDS = 600
"""How long failures in a row are remembered without a new one."""


class State(Protocol):
    """Where a breaker's state is. All calls are atomic."""

    def ask(self) -> float:
        """0 = go on; negative = go on as the one probe; positive = refused, for that many seconds."""

    def succeeded(self) -> None:
        """The outside answered."""

    def failed(self) -> None:
        """The outside did not."""

    def undecided(self) -> None:
        """The call ended without saying anything about the outside."""


class OwnState:
    """The state of one process, for all its threads. Time is that of the clock given."""

    def __init__(self, threshold: int, reset_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._reset_seconds = reset_seconds
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probe_until = 0.0
        self._lock = threading.Lock()

    def ask(self) -> float:
        now = self._clock()
        with self._lock:
            if self._open_until is None:
                return 0.0
            if now < self._open_until:
                return self._open_until - now
            if now < self._probe_until:
                return min(self._probe_until - now, self._reset_seconds)
            self._probe_until = now + 2 * self._reset_seconds
            return -1.0

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._open_until, self._probe_until = 0, None, 0.0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= self._threshold:
                self._open_until = self._clock() + self._reset_seconds
                self._probe_until = 0.0

    def undecided(self) -> None:
        with self._lock:
            self._probe_until = 0.0


# KEYS: failures, open, tripped, probe. `open` lives for as long as the breaker refuses; `tripped` says that the next is a probe.
_ASK = """
local left = redis.call('PTTL', KEYS[2])
if left > 0 then return left end
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
if redis.call('SET', KEYS[4], '1', 'NX', 'PX', ARGV[1] * 2) then return -1 end
return math.min(math.max(redis.call('PTTL', KEYS[4]), 1), tonumber(ARGV[1]))
"""

_FAILED = """
local failures = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if failures >= tonumber(ARGV[2]) or redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[3])
  redis.call('DEL', KEYS[4])
end
"""


class SharedState:
    """The state of all processes, in Redis or Valkey. Raises redis.RedisError when the store does not answer."""

    def __init__(self, name: str, store_url: str, threshold: int, reset_seconds: float) -> None:
        self._url = store_url
        # One hash slot, so that a cluster runs the scripts.
        self._keys = [f"breaker:{{{name}}}:{part}" for part in ("failures", "open", "tripped", "probe")]
        self._arguments = [max(1, int(reset_seconds * 1000)), threshold, MEMORY_SECONDS * 1000]
        self._client: Any = None
        self._pid = 0

    def ask(self) -> float:
        return int(self._connected().eval(_ASK, 4, *self._keys, *self._arguments)) / 1000

    def succeeded(self) -> None:
        self._connected().delete(*self._keys)

    def failed(self) -> None:
        self._connected().eval(_FAILED, 4, *self._keys, *self._arguments)

    def undecided(self) -> None:
        self._connected().delete(self._keys[3])

    def _connected(self) -> Any:
        if self._pid != os.getpid():  # a connection must not be shared across a fork
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            self._client = redis.Redis.from_url(
                self._url,
                socket_timeout=STORE_SECONDS,
                socket_connect_timeout=STORE_SECONDS,
                retry=Retry(NoBackoff(), 1),
            )
            self._pid = os.getpid()
        return self._client


class Breaker:
    """Guards the calls to one outside system, from any number of threads."""

    def __init__(
        self,
        name: str,
        *,
        store_url: str | None = None,
        failure_threshold: int = 5,
        reset_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is the outside system's; breakers of that name share their state where there is a store."""
        self.name = name
        self._clock = clock
        self._own = OwnState(failure_threshold, reset_seconds, clock)
        self._shared = SharedState(name, store_url, failure_threshold, reset_seconds) if store_url else None
        self._store_away_until = float("-inf")

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Run a call to the outside. Raises CircuitOpen, with the seconds to wait, instead of running it while the circuit is open.

        Transient counts as a failure of the outside; Permanent and a normal end are answers; anything else says nothing about it.
        """
        wait = self._do(lambda state: state.ask())
        metrics.show(metrics.BREAKER, float(wait != 0), self.name)
        if wait > 0:
            raise CircuitOpen(f"{self.name} is known to be down, next try in {wait:.1f} s", retry_after_seconds=wait)
        try:
            yield
        except CircuitOpen:
            self._do(lambda state: state.undecided())
            raise
        except Transient:
            self._do(lambda state: state.failed())
            raise
        except Permanent:
            self._answered()
            raise
        except BaseException:
            self._do(lambda state: state.undecided())
            raise
        self._answered()

    def _answered(self) -> None:
        self._do(lambda state: state.succeeded())
        metrics.show(metrics.BREAKER, 0.0, self.name)

    def _do(self, act: Callable[[State], Any]) -> Any:
        if self._shared is not None and self._clock() >= self._store_away_until:
            from redis.exceptions import RedisError

            try:
                return act(self._shared)
            except RedisError:
                self._store_away_until = self._clock() + STORE_RETRY_SECONDS
        return act(self._own)
