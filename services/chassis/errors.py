"""The chassis' errors.

    ChassisError
    ├── Transient            may work if tried again: retried with backoff
    │   └── CircuitOpen      not tried at all: the outside system is known to be down
    ├── Permanent            will never work: parked, with its reason
    └── BadSetting           the process was started wrongly: it says so and ends

Anything else that leaves a task is a bug, and is parked loudly.
"""


class ChassisError(Exception):
    """Base of everything the chassis raises on purpose."""


class Transient(ChassisError):
    """May work if tried again; `retry_after_seconds` is the other side's own wish, when it gave one."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class CircuitOpen(Transient):
    """The breaker of an outside system is open; nothing was tried, so nothing counts as a failure of the work."""


class Permanent(ChassisError):
    """Will never work, however often it is tried."""


class BadSetting(ChassisError):
    """A process was told something it cannot work with; names the setting and its value, never a password."""
