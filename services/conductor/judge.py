"""`python -m conductor.judge`: load and verdict of a drill, run inside the cluster, where no port-forward can die with its pod.

It sends requests, keeps the history of what was promised, and answers questions (conductor.harness.questions) until it is told to go.
DATABASE_URL is read-only; variables such as OPERATOR_TOKEN open the API, OUTSIDE_ADMIN_TOKEN the outside programs' ledgers and faults;
BROKER_URL is only looked at.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from conductor import capstones
from conductor.capstone import Capstone, Patience, Size
from conductor.harness import judge_rpc
from conductor.harness.judge_service import JudgeService
from conductor.harness.reporter import Reporter
from conductor.harness.workload_run import WorkloadRun


@dataclass(frozen=True, slots=True)
class Inside:
    """The platform as a pod of its namespace sees it: each Service has the name of its program."""

    capstone: Capstone
    api: str
    database: str
    api_tokens: Mapping[str, str]
    outside: str
    stores: Mapping[str, str]
    ports: Mapping[str, str]

    def addresses(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        outside = {one.name: f"http://{one.name}:{one.port}" for one in self.capstone.outside}
        return {"api": self.api, "database": self.database, **self.stores, **outside, **self.ports}

    def tokens(self) -> Mapping[str, str]:
        """See conductor.runtime.Reach."""
        return {**self.api_tokens, "outside": self.outside}


def main(argv: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m conductor.judge", description="Load and verdict of a drill.")
    parser.add_argument("--capstone", required=True, choices=capstones.names())
    parser.add_argument("--api", required=True, metavar="URL")
    parser.add_argument(
        "--address", action="append", default=[], metavar="NAME=URL", help="a port of the pools, by its name"
    )
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--per-second", type=float, help="requests at most, once as many are in flight as a fault wants"
    )
    parser.add_argument("--steady", action="store_true", help="never more a second than that")
    parser.add_argument("--seconds", type=float, default=900.0, help="the drill's deadline")
    parser.add_argument(
        "--quiet-seconds", type=float, default=120.0, help="when nothing moves for so long, nothing will"
    )
    options = parser.parse_args(argv)
    capstone = capstones.named(options.capstone)
    inside = Inside(
        capstone,
        options.api,
        os.environ["DATABASE_URL"],
        {name: os.environ[f"{name.upper()}_TOKEN"] for name in capstone.callers},
        os.environ["OUTSIDE_ADMIN_TOKEN"],
        {one.name: os.environ[one.variable] for one in capstone.stores},
        dict(one.split("=", 1) for one in options.address),
    )
    size = Size(options.requests, options.seed, options.per_second, options.steady)
    patience = Patience(options.seconds, options.quiet_seconds)
    reporter = Reporter(Console(highlight=False))
    with contextlib.closing(WorkloadRun(capstone, inside, size, reporter, Path(judge_rpc.HISTORY), patience)) as run:
        judge_rpc.serve(JudgeService(run).answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
