"""Runs proofs that come as lines of JSON, and says of each how it ended: `python -m grader.quizzes.proof_process`.

Each has a child of its own. What proofs use most is imported once, before the first is forked, because that takes longer than nearly every
proof. A proof sees a process in which nothing was done with these libraries yet.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from types import ModuleType

PRELOADED = (
    "celery.app.base",
    "celery.app.trace",
    "celery.beat",
    "celery.canvas",
    "celery.schedules",
    "celery.worker.request",
)

LOOK_SECONDS = 0.02
SECONDS = 60.0
"""After which a proof that goes on is ended, and does not hold."""


def main() -> None:
    """One answer a line, in the order of the proofs: null, or the last line of what went wrong."""
    for name in PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(proved(json.loads(line)))}\n")
        sys.stdout.flush()


def proved(proof: str) -> str | None:
    """What went wrong with a proof; None when it held. All that it started is ended with it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        with contextlib.suppress(BaseException):
            os.write(writing, f"{json.dumps(_carried_out(proof))}\n".encode())
        os._exit(0)
    os.close(writing)
    status, until = None, time.monotonic() + SECONDS
    while status is None and time.monotonic() < until:
        # Not until the pipe is closed: processes that the proof started hold it as well.
        select.select([reading], [], [], LOOK_SECONDS)
        ended, found = os.waitpid(pid, os.WNOHANG)
        status = found if ended else None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if status is None:
        os.waitpid(pid, 0)
    said = os.read(reading, 65536) if select.select([reading], [], [], 0)[0] else b""
    os.close(reading)
    if status is None:
        return f"it did not end within {SECONDS:g} s"
    if said:
        what: str | None = json.loads(said)
        return what
    # One that ends its process by itself, because threads of a worker go on in it, says by the status how that went.
    return None if status == 0 else f"its process ended with the status {os.waitstatus_to_exitcode(status)}"


def _carried_out(proof: str) -> str | None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    # What a proof defines must be found by its module's name, or nothing of it can be pickled.
    sys.modules["__main__"] = own = ModuleType("__main__")
    try:
        exec(compile(proof, "proof", "exec"), vars(own))
    except SystemExit as error:
        return f"SystemExit: {error.code}" if error.code else None
    except BaseException as error:  # noqa: BLE001 whatever it raises, it did not hold
        return traceback.format_exception_only(error)[-1].strip()[:500]
    return None


if __name__ == "__main__":
    main()
