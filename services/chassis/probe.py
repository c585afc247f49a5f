"""`python -S -I probe.py live|ready [FILE]`: is the process that writes this heartbeat alive, and is it ready for work?

Reads one file and imports nothing but the standard library: a probe that runs every few seconds must not cost what a worker costs.
Exit 0 or 1 and one line that says why. Alive is everything that a restart would not cure: a broker that is away makes a process
not ready, never dead, or one outage would restart the whole fleet. Dead is only:

- a process that is gone, or whose loop has stopped turning although no task is blocking it;
- a task that is past its hard limit and still there;
- a consumer that was lost while the broker answers, and did not come back by itself;
- what a worker owns besides its consumer, when it was not brought back within the patience of its own.
"""

import json
import os
import sys
import time

TYPE_CHECKING = False  # the module that has it costs a third of this program's time
if TYPE_CHECKING:
    from typing import Any


def verdict(record: "dict[str, Any]", now: float, kind: str) -> "tuple[bool, str]":
    """Whether the process is alive (`live`) or ready (`ready`), and why: `(bool, str)`. `now` is on the monotonic clock."""
    state = record["state"]
    told = f"{record['role']} is {state}" + (f" ({record['detail']})" if record["detail"] else "")
    deadline = record["deadline"]
    if deadline is not None and now > deadline:
        return False, f"{told}: a task is {now - deadline:.0f} s past its hard limit"
    silent = now - record["ticked"]
    if silent > record["stale_seconds"] and not (record["blocking"] and deadline is not None):
        return False, f"{told}: its loop has not turned for {silent:.0f} s"
    lost = now - record["since"]
    if state == "cancelled" and lost > record["patience_seconds"]:
        return False, f"{told}: nothing consumed for {lost:.0f} s while the broker answers"
    if state == "degraded" and lost > record["patience_seconds"]:
        return False, f"{told}: for {lost:.0f} s"
    if kind == "ready" and state not in ("idle", "busy", "serving", "standby"):
        return False, told
    return True, told


def look(path: str, kind: str) -> "tuple[bool, str]":
    """The verdict on the process that writes the heartbeat at `path`, as it is now; not good when there is none to read."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        try:
            os.kill(record["pid"], 0)
        except PermissionError:  # somebody else's, so it is there
            pass
        except ProcessLookupError:
            return False, f"process {record['pid']} is gone"
        return verdict(record, time.monotonic(), kind)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return False, f"no heartbeat in {path!r}: {error}"


def main(argv: "list[str]") -> int:
    """The exit code; prints one line."""
    if len(argv) not in (2, 3) or argv[1] not in ("live", "ready"):
        print("usage: probe.py live|ready [HEARTBEAT_FILE]", file=sys.stderr)  # noqa: T201
        return 2
    path = argv[2] if len(argv) == 3 else os.environ.get("HEARTBEAT_FILE", "")
    good, why = look(path, argv[1])
    print(why)  # noqa: T201
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
