"""A process whose clock is ahead: every way of asking for the time tells the same wrong one, but the monotonic clock."""

import json
import os
import subprocess
import sys
import time

from conductor.drills.hostile_hour import CLOCK

ASK = """
import datetime, json, time
from datetime import datetime as imported, timezone
utc = datetime.datetime.utcnow().replace(tzinfo=timezone.utc)
aware = [datetime.datetime.now(timezone.utc), imported.now(timezone.utc), imported.now().astimezone(), utc]
told = [time.time(), time.time_ns() / 1e9, *[moment.timestamp() for moment in aware]]
print(json.dumps({"told": told, "monotonic": time.monotonic(), "is": type(aware[0]) is datetime.datetime}))
"""


def test_every_clock_but_the_monotonic_one_is_ahead() -> None:
    began = time.time(), time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(CLOCK), "CLOCK_AHEAD_SECONDS": "1200"}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    ended = time.time(), time.monotonic()
    found = json.loads(done.stdout)

    assert all(began[0] + 1200 <= told <= ended[0] + 1200 for told in found["told"])
    assert began[1] <= found["monotonic"] <= ended[1]
    assert found["is"]
