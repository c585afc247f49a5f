"""`python -m chassis.declare orders.app`: make the broker's exchanges and queues before anything needs them. Safe to repeat."""

import importlib
import sys

from chassis.app import ChassisApp
from chassis.errors import ChassisError
from chassis.queues import declare


def declare_app(app: ChassisApp) -> list[str]:
    """Make what the app's queues need; the names of the queues. Raises TopologyMismatch, NotPermitted, or the transport's error."""
    patience = 2 * app.settings.publish_timeout_seconds
    with app.connection_for_write() as connection:
        connection.ensure_connection(
            max_retries=3, interval_start=0.2, interval_step=0.3, interval_max=1.0, timeout=patience
        )
        return declare(connection, app.service_queues, app.copies)


def main(argv: list[str]) -> int:
    """Declare the topology of the service named by its app module; 1 and one line when that cannot be done."""
    if len(argv) != 2:
        sys.stderr.write("usage: python -m chassis.declare SERVICE.app\n")
        return 2
    try:
        app: ChassisApp = importlib.import_module(argv[1]).app
        names = declare_app(app)
    except (ChassisError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except Exception as error:
        if type(error).__name__ != "OperationalError":
            raise
        sys.stderr.write(f"the broker cannot be reached: {error}\n")
        return 1
    sys.stdout.write("".join(f"{name}\n" for name in names))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
