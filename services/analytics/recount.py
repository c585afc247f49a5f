"""`python -m analytics.recount --day 2026-11-28`: compare the archive with the counters of a day of UTC, and name every difference.

One line a difference, or one JSON document with `--json`. Exit code 0 when all is equal; 1 when something differs or could not be compared;
2 for a wrong command line, and when archive or counters cannot be read. Recount a day that is over and whose queues are empty: what is
still on its way to one of the two is a difference.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime

from analytics.usecases.recount import Recounted
from chassis.errors import Transient


def recount(day: date, *, most: int = 1000) -> Recounted:
    """Recount a day of UTC with the archive and the counters of the environment's settings. Raises Transient."""
    from analytics.app import make_recount

    found: Recounted = make_recount().day(day, most=most)
    return found


def main(argv: Sequence[str]) -> int:
    """Recount as the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analytics.recount", description=__doc__)
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="a day of UTC, for example 2026-11-28")
    parser.add_argument("--most", type=int, default=1000, help="name at most so many differences")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv[1:])
    try:
        found = recount(options.day, most=options.most)
    except Transient as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _tell(found, as_json=options.json)
    return 0 if found.exact else 1


def _tell(found: Recounted, *, as_json: bool) -> None:
    if as_json:
        differences = [{**asdict(each), "cause": each.cause} for each in found.differences]
        sys.stdout.write(json.dumps({**asdict(found), "differences": differences, "exact": found.exact}) + "\n")
        return
    for each in found.differences:
        at = f"{datetime.fromtimestamp(each.at_ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"
        sys.stdout.write(
            f"{each.counter}\t{each.key}\t{at}\tcounted {each.counted}\tarchived {each.archived}\tdistinct {each.distinct}\t{each.cause}\n"
        )
    for what in found.not_compared:
        sys.stdout.write(f"not compared: {what}\n")
    sys.stdout.write(
        f"{found.day}: {found.counters} counters, {found.differing} differ, {found.repeated} count repetitions; "
        f"{found.archived} events archived ({found.distinct} distinct), {found.counted} counted\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv))
