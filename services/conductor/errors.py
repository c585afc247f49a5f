"""The conductor's errors; the command line prints each as one line and exits 1.

ConductorError
├── PoolsRefused      the pools' values name an unknown key or hold impossible arithmetic
├── StartFailed       a process did not come up; says which, and ends with the tail of its log
├── NotRunning        the platform, or the process that was named, does not run
├── Unready           something did not become ready in time
└── Refused           the request makes no sense here (an unknown pool, wiping a broker that is not ours)
"""


class ConductorError(Exception):
    """Base of everything the conductor raises on purpose."""


class PoolsRefused(ConductorError):
    """A pool's values cannot be run; the message holds the path of the key and the numbers."""


class StartFailed(ConductorError):
    """A process did not start, with the tail of its log."""


class NotRunning(ConductorError):
    """Asked of something that does not run."""


class Unready(ConductorError):
    """Not ready within the time given."""


class Refused(ConductorError):
    """Cannot be asked of this platform."""
