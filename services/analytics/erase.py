"""`python -m analytics.erase USER`: erase a user from counters, recommendations, archive and parked batches, and keep a receipt.

Prints the receipt as one JSON line. It is repeatable; repeat it when what the user sent last has been counted and archived. Exit code 0; 1
when a place failed, after which it is to be repeated; 2 for what is no id.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from analytics.ports.erasure import Receipt
from chassis.actor import whoever
from chassis.errors import Transient


def erase(user: str, actor: str) -> tuple[int, Receipt]:
    """Erase a user from what the environment's settings name; number and receipt. Raises ValueError, Transient."""
    from analytics.app import make_erasure

    done: tuple[int, Receipt] = make_erasure().erase(user, actor)
    return done


def main(argv: Sequence[str]) -> int:
    """Erase as the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analytics.erase", description=__doc__)
    parser.add_argument("user")
    parser.add_argument("--actor", default=whoever(), help="who decides this, for the receipt")
    options = parser.parse_args(argv[1:])
    try:
        number, receipt = erase(options.user, options.actor)
    except (Transient, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ValueError) else 1
    sys.stdout.write(json.dumps({"receipt": number, **asdict(receipt)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
