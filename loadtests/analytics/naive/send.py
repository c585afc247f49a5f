"""`python -m loadtests.analytics.naive.send`: sends a task for each event on stdin, one JSON object a line.

It says `ready` once everything is imported and the broker answered.
"""

import json
import sys

from loadtests.analytics.naive.app import app, receive


def main() -> None:
    """Send until stdin ends."""
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=3)
    print("ready", flush=True)
    for line in sys.stdin:
        receive.delay(json.loads(line))


if __name__ == "__main__":
    main()
