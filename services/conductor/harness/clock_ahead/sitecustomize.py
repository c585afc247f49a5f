"""Sets the clock of a Python process ahead, as of a machine whose clock was set wrong: CLOCK_AHEAD_SECONDS says by how much.

Python imports this module by itself when its folder stands first in PYTHONPATH. The monotonic clock stays as it is, as on such a machine.
"""

import ctypes
import gc
import os
import time
from datetime import UTC, datetime, tzinfo
from typing import Any

AHEAD = float(os.environ["CLOCK_AHEAD_SECONDS"])

_seconds, _nanoseconds = time.time, time.time_ns


def _now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
    return cls.fromtimestamp(time.time(), tz)


def _utcnow(cls: type[datetime]) -> datetime:
    return cls.fromtimestamp(time.time(), UTC).replace(tzinfo=None)


def install() -> None:
    """Put the clock ahead from now on, for every module of this process, whoever has imported `datetime` before."""
    time.time = lambda: _seconds() + AHEAD
    time.time_ns = lambda: _nanoseconds() + int(AHEAD * 1e9)
    # A subclass in its place would not be what C extensions and adapters take for a datetime.
    members: dict[str, Any] = gc.get_referents(datetime.__dict__)[0]
    members["now"] = classmethod(_now)
    members["utcnow"] = classmethod(_utcnow)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))


install()
