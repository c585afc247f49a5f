"""A worker that runs commands and hangs in their effect until it is killed: `dying_worker.py DATABASE_URL ID…`."""

import sys
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from chassis.database import connect
from chassis.outbox import Outcome, Work
from chassis.work import Runner


def hang(conn: sa.Connection, works: Sequence[Work]) -> Mapping[int, Outcome]:
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    sys.stdin.read()
    raise AssertionError("was to be killed")


Runner(connect(sys.argv[1])).run([int(number) for number in sys.argv[2:]], hang)
