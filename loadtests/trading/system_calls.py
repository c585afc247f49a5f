"""`python -m loadtests.trading.system_calls`: what the spinning engine asks of the kernel while it takes orders; needs strace.

Prints strace's table and a line of JSON; 1 when there was a system call for more than one order in a hundred.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from loadtests.trading.orders import mixed, opened
from loadtests.trading.paths import cores, market, one_in_flight

ORDERS = 3_000


def main() -> int:
    """Count the calls of ORDERS orders, one in flight."""
    records, rehearsal = mixed(ORDERS, seed=3), opened()
    messages = [(record, len(rehearsal.apply(record))) for record in records]
    with tempfile.TemporaryDirectory(prefix="trading-strace-") as place, market(Path(place), "spinning") as engine:
        os.sched_setaffinity(0, {cores()[0]})
        command = ["strace", "-c", "-f", "-p", str(engine.process.pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr
        # It says that it is attached before it counts.
        said = tracer.stderr.readline()
        taken = one_in_flight(engine, messages, spinning=True)
        tracer.send_signal(signal.SIGINT)
        said += tracer.stderr.read()
        tracer.wait()
    calls = next((int(line.split()[-2]) for line in said.splitlines() if line.endswith(" total")), 0)
    print(said)
    print(
        json.dumps({"capstone": "trading", "bench": "system-calls", "orders": ORDERS, "system_calls": calls, **taken})
    )
    return 1 if calls > ORDERS // 100 else 0


if __name__ == "__main__":
    sys.exit(main())
