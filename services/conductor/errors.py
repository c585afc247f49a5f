"""The conductor's errors; the command line prints each as one line and exits 1.

ConductorError
├── PoolsRefused      the pools' values name an unknown key or hold impossible arithmetic
├── StartFailed       a process did not come up; says which, and ends with the tail of its log
├── NotRunning        the platform, or the process that was named, does not run
├── StateUnreadable   what the platform keeps of itself from start to start is damaged, or of another version
├── Unready           something did not become ready in time
├── ApiUnreachable    a capstone's API could not be reached, or broke off: what was asked may have been done
├── ApiRefused        a capstone's API answered with an error; has its `status`
├── StoreUnreachable  Redis or Valkey could not be reached, or did not answer
├── ClusterFailed     kubectl, helm or docker ended with an error; says which command and what it said
├── BackupFailed      a backup could not be made, or brought back: what was there before is there again
├── DrillFailed       a drill could not be carried out, or saw what must not be; says what
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


class StateUnreadable(ConductorError):
    """state.json cannot be understood."""


class StoreUnreachable(ConductorError):
    """Redis or Valkey does not answer, or not as it should."""


class Unready(ConductorError):
    """Not ready within the time given."""


class Refused(ConductorError):
    """Cannot be asked of this platform."""


class ApiUnreachable(ConductorError):
    """No answer of a capstone's API."""


class ApiRefused(ConductorError):
    """An answer of a capstone's API that is an error; `retry_after_seconds` when it says when to come again."""

    def __init__(self, status: int, said: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"the API answered {status}: {said}")
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class ClusterFailed(ConductorError):
    """A tool that speaks to the cluster failed, or is not installed."""


class BackupFailed(ConductorError):
    """A backup was not made, or not brought back."""


class DrillFailed(ConductorError):
    """What a drill waits for did not come, or what it must not see came."""
