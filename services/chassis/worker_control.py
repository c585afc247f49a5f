"""`python -m chassis.worker_control orders.app resume|stand_by|pause WORKER…`: tell workers by name, and wait until each of them does it.

`resume` is done when a worker consumes; the others when it consumes nothing and holds nothing any more, so what it had taken is worked
off. Every worker is told again with every look, since one that was connecting did not hear it; being told twice changes nothing.
The last line is JSON, what each worker said last. Exit code 0; 1 when some had not done it in time, named on stderr.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chassis import heartbeat

LOOK_SECONDS = 5.0
"""How long answers are waited for, also those of a worker on a node without a free core; with all of them there it goes on at once."""

REST_SECONDS = 0.2
"""Between two looks: a worker has to turn its loop once."""

COMMANDS = {
    "resume": (heartbeat.IDLE, heartbeat.BUSY),
    "stand_by": (heartbeat.STANDBY,),
    "pause": (heartbeat.PAUSED,),
}
"""By command, what a worker is that has done it."""


def done(command: str, said: Mapping[str, Any]) -> bool:
    """Whether a worker that says this has done it."""
    return said["state"] in COMMANDS[command] and (command == "resume" or not said["held"])


def tell(
    control: Any,
    command: str,
    workers: Sequence[str],
    within_seconds: float,
    *,
    rest: Callable[[float], None] = time.sleep,
) -> dict[str, Mapping[str, Any] | None]:
    """What each worker said last; None for one that never answered. `control` is a Celery app's."""
    said: dict[str, Mapping[str, Any] | None] = dict.fromkeys(workers)
    late = list(workers)
    deadline = time.monotonic() + within_seconds
    while late:
        control.broadcast(command, destination=late)
        answers = control.broadcast("consumption", destination=late, reply=True, timeout=LOOK_SECONDS, limit=len(late))
        for answer in answers or ():
            said |= {name: found for name, found in answer.items() if "state" in found}
        late = [name for name in late if (found := said[name]) is None or not done(command, found)]
        if not late or time.monotonic() > deadline:
            break
        rest(REST_SECONDS)
    return said


def main(argv: Sequence[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m chassis.worker_control", description="Tell workers whether to take work."
    )
    parser.add_argument("service", help="app module of the service, for example orders.app")
    parser.add_argument("command", choices=tuple(COMMANDS))
    parser.add_argument("workers", nargs="+", metavar="WORKER", help="as Celery names them, for example payments@pod")
    parser.add_argument("--within", type=float, default=60.0, metavar="SECONDS")
    options = parser.parse_args(argv[1:])
    app = importlib.import_module(options.service).app
    said = tell(app.control, options.command, options.workers, options.within)
    sys.stdout.write(json.dumps(said) + "\n")
    late = [
        f"{name} ({_told(found)})" for name, found in said.items() if found is None or not done(options.command, found)
    ]
    if late:
        sys.stderr.write(f"{options.command} was not done within {options.within:.0f} s by {', '.join(sorted(late))}\n")
    return 1 if late else 0


def _told(found: Mapping[str, Any] | None) -> str:
    return "no answer" if found is None else f"{found['state']}, holds {found['held']}"


if __name__ == "__main__":
    sys.exit(main(sys.argv))
