"""`python -m conductor.judge`: load and verdict of a drill, run inside the cluster, where no port-forward can die with its pod.

It places orders, keeps the journal of what was promised, and answers questions (see conductor.harness.judge_rpc) until it is told to
go: `{"ask": NAME, …}`, NAME being a method of Judge below. What cannot be answered is `{"failed": WHY}`.
DATABASE_URL is read-only; OPERATOR_TOKEN opens the API, OUTSIDE_ADMIN_TOKEN the outside world's ledgers and faults; BROKER_URL is only
looked at. What is broken is broken by who asks; this process
only writes it down.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from conductor import history
from conductor.errors import ConductorError, DrillFailed
from conductor.harness import dependency_faults, judge_rpc
from conductor.harness.consumer_gaps import ConsumerWatch
from conductor.harness.reporter import Story
from conductor.harness.session import Patience, Size, Watch
from conductor.history import Kill, now

JOURNAL = Path("/tmp/journal.jsonl")
FAULTS_SECONDS = 60.0

_HELD_AT = """
    SELECT o.key FROM outbox o JOIN pg_stat_activity a ON a.backend_xid::text = o.xmax::text
    WHERE o.attempts > 0 AND host(a.client_addr) = %s
"""
_STILL_OPEN = "SELECT key FROM outbox WHERE key = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Inside:
    """The platform as a pod of its namespace sees it."""

    api: str
    database: str
    operator: str
    outside: str

    def addresses(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        outside = {"payments": "http://payments:9101", "carrier": "http://carrier:9102", "mail": "http://mail:9103"}
        return {"api": self.api, "database": self.database, **outside}

    def tokens(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        return {"operator": self.operator, "outside": self.outside}


class Judge:
    """Answers the questions of one drill."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._orders = ExitStack()
        self._began = time.monotonic()
        self._consumers: ConsumerWatch | None = None

    def answer(self, question: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What a question is answered with; None to go."""
        if question["ask"] == "leave":
            return None
        try:
            found: Mapping[str, Any] = getattr(self, question["ask"])(
                **{k: v for k, v in question.items() if k != "ask"}
            )
        except ConductorError as error:
            return {"failed": str(error)}
        return found

    def begin(self) -> Mapping[str, Any]:
        """Let orders come."""
        self._began = time.monotonic()
        self._orders.enter_context(self._watch.orders())
        return {}

    def await_open(self) -> Mapping[str, Any]:
        """Return when as many orders are open as a blow wants."""
        return {"open_orders": self._watch.await_open()}

    def await_progress(self) -> Mapping[str, Any]:
        """Return when orders are worked off again."""
        self._watch.await_progress()
        return {}

    def status(self) -> Mapping[str, Any]:
        """How far the orders are; `asked_again` counts requests that were not taken at once, `abrupt` those not told when to come."""
        load = self._watch.load
        again = load.asked_again()
        seconds = time.monotonic() - self._began
        return {
            "accepted": load.accepted,
            "asked_again": again.total(),
            "abrupt": load.abrupt,
            "gave_up": load.gave_up,
            "why": dict(again.most_common(5)),
            "accepted_per_second": round(load.accepted / seconds, 1),
        }

    def accepted(self, last: int) -> Mapping[str, Any]:
        """The orders that were accepted last."""
        told = history.read([self._watch.journal.path])
        return {"orders": [one.order_id for one in told.accepted.values()][-last:]}

    def held(self, address: str) -> Mapping[str, Any]:
        """The commands that a pod with this address is running right now."""
        return {"keys": [row[0] for row in self._watch.facts.rows(_HELD_AT, address) or ()]}

    def still_open(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Those of the commands that have no outcome yet."""
        return {"keys": [row[0] for row in self._watch.facts.rows(_STILL_OPEN, list(keys)) or ()]}

    def clock(self) -> Mapping[str, Any]:
        """The time by which blows are written down."""
        return {"at": now()}

    def record(self, pool: str, which: str, since: float, open_orders: int | None = None) -> Mapping[str, Any]:
        """Write down what was broken between then and now."""
        self._watch.record(Kill(since, pool, which, (), open_orders=open_orders, until=now()))
        return {}

    def slow(self, server: str, rate: float, seconds: float, seed: int) -> Mapping[str, Any]:
        """Let a server of the outside dawdle for a minute, so that a blow finds a task at it."""
        plan = {"rate": {"slow": rate}, "slow_seconds": seconds, "seed": seed, "expires_in_seconds": FAULTS_SECONDS}
        dependency_faults.call(self._watch.reach, "PUT", server, "faults", plan)
        return {}

    def calm(self, server: str) -> Mapping[str, Any]:
        """No dawdling any more."""
        dependency_faults.call(self._watch.reach, "DELETE", server, "faults")
        return {}

    def watch_consumers(self, queues: Sequence[str]) -> Mapping[str, Any]:
        """Look from now on whether these queues have a consumer."""
        self._consumers = self._consumers or ConsumerWatch(os.environ["BROKER_URL"], queues)
        return {}

    def consumers(self) -> Mapping[str, Any]:
        """What was seen of them until now; see conductor.harness.consumer_gaps."""
        if self._consumers is None:
            raise DrillFailed("nobody looked at the queues' consumers")
        return self._consumers.told()

    def finish(self) -> Mapping[str, Any]:
        """Stop when enough orders were accepted; the last status."""
        self._orders.close()
        return self.status()

    def abandon(self) -> Mapping[str, Any]:
        """Stop at once, however few were accepted: the drill has failed."""
        given_up = DrillFailed("the drill was given up")
        self._orders.__exit__(DrillFailed, given_up, None)
        return {}

    def verdict(self) -> Mapping[str, Any]:
        """Wait until every order is final, and judge."""
        self._watch.settle()
        return asdict(self._watch.verdict())


def main(argv: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m conductor.judge", description="Load and verdict of a drill.")
    parser.add_argument("--api", required=True, metavar="URL")
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-second", type=float, help="orders at most, once as many are open as a blow wants")
    parser.add_argument("--steady", action="store_true", help="never more a second than that")
    parser.add_argument("--seconds", type=float, default=900.0, help="the drill's deadline")
    parser.add_argument(
        "--quiet-seconds", type=float, default=120.0, help="when nothing moves for so long, nothing will"
    )
    options = parser.parse_args(argv)
    given = (os.environ[name] for name in ("DATABASE_URL", "OPERATOR_TOKEN", "OUTSIDE_ADMIN_TOKEN"))
    inside = Inside(options.api, *given)
    patience = Patience(options.seconds, options.quiet_seconds)
    watch = Watch(
        inside,
        Size(options.orders, options.seed, options.per_second, options.steady),
        Story(Console(highlight=False)),
        JOURNAL,
        patience,
    )
    try:
        judge_rpc.serve(Judge(watch).answer)
    finally:
        watch.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
