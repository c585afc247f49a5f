"""`python -m orders.recovery_list --since TIME`: the orders of a database that is given up, for `orders.reconciliation --list`.

The database is that of the settings. One JSON line an order, with what its customer told us: personal data.
"""

import argparse
import sys
from collections.abc import Sequence

from chassis.database import connect
from orders.adapters import recovery_list
from orders.reconciliation import moment
from orders.settings import Settings


def main(argv: Sequence[str]) -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(
        prog="python -m orders.recovery_list", description="List the orders of a database that is given up."
    )
    parser.add_argument("--since", type=moment, required=True, metavar="TIME", help="ISO 8601 with its offset from UTC")
    options = parser.parse_args(argv[1:])
    settings = Settings()
    with connect(settings.database_url, pool_size=1, pooler=settings.behind_pooler).connect() as conn:
        for listed in recovery_list.read(conn, options.since):
            sys.stdout.write(recovery_list.dumped(listed) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
