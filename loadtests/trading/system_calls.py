"""`python -m loadtests.trading.system_calls`: what the spinning engine asks of the kernel while it takes orders; needs strace.

Prints strace's table and a line of JSON; 1 when there was a system call for more than one order in a hundred.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from loadtests.trading import paths
from loadtests.trading.orders import mixed, opened

ORDERS = 3_000
ORDERS_A_CALL = 100
"""The engine asks for memory now and then, for the book."""


def measured(orders: int, way: str = "spinning") -> dict[str, Any]:
    """Count the engine's calls during so many orders, one in flight, by one of the ways of paths.py; the table is strace's."""
    spinning = way == "spinning"
    records, rehearsal = mixed(orders, seed=3), opened()
    messages = [(record, len(rehearsal.apply(record))) for record in records]
    pause = paths.pauses()
    with (
        tempfile.TemporaryDirectory(prefix="trading-strace-") as place,
        paths.market(Path(place), way) as engine,
    ):
        command = ["strace", "-c", "-f", "-p", str(engine.process.pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr
        # It says that it is attached before it counts.
        said = tracer.stderr.readline()
        with paths.pinned() if spinning else nullcontext():
            taken = paths.one_in_flight(engine, messages, spinning)
        tracer.send_signal(signal.SIGINT)
        said += tracer.stderr.read()
        tracer.wait()
    if "attached" not in said:
        raise RuntimeError(f"strace did not trace: {said}")
    calls = next((int(line.split()[-2]) for line in said.splitlines() if line.endswith(" total")), 0)
    return {"orders": orders, "system_calls": calls, "pause_p999": pause, **taken, "table": said}


def main() -> int:
    """Count and judge."""
    document = measured(ORDERS)
    print(document.pop("table"))
    print(
        json.dumps({"capstone": "trading", "bench": "system-calls", **document, "load": round(os.getloadavg()[0], 1)})
    )
    return 1 if document["system_calls"] > ORDERS // ORDERS_A_CALL else 0


if __name__ == "__main__":
    sys.exit(main())
