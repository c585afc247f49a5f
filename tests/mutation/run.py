"""`make mutants`: break every guard once, and see that a test fails.

What no test notices is a survivor. known_survivors.toml explains each one that may: it changes nothing that can be seen, or something
else guards the same. An unexplained survivor, and an explanation for none, ends the run with 1.
"""

import argparse
import importlib
import os
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import structlog
from hypothesis import Phase, settings
from patching import SERVICES
from session import MutationSession

from mutants import Mutant, mutants

HERE = Path(__file__).parent
TESTS = HERE.parent

CHASSIS = ("outbox", "work", "due_commands", "relay", "retries", "breaker", "queues", "parking", "message_checks")
SUITES = (
    "unit/chassis",
    "unit/orders",
    "contract/orders",
    "integration/chassis/commands",
    "integration/chassis/test_breaker.py",
    "integration/chassis/test_parking.py",
    "integration/chassis/test_topology.py",
    "integration/chassis/test_work_costs.py",
    "integration/orders",
)
IN_PROCESSES = {"chassis.relay": "test_the_relay_of_a_service_is_a_process"}
# The same laws run in memory; on servers they take a minute.
LEFT_OUT = ("integration/orders/test_saga_on_servers.py", "integration/orders/test_bad_commands.py")


def modules() -> list[str]:
    """The modules whose guards are broken."""
    found = [f"chassis.{name}" for name in CHASSIS]
    for layer in ("domain", "usecases"):
        files = sorted((SERVICES / "orders" / layer).glob("[a-z]*.py"))
        found += [f"orders.{layer}.{path.stem}" for path in files if path.stem != "errors"]
    return found


def main() -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="only these, e.g. chassis.work; all of them when none is named")
    parser.add_argument("--seconds", type=float, default=1500.0, help="stop judging after this long")
    asked = parser.parse_args()
    chosen = asked.modules or modules()
    broken = [
        m for name in chosen for m in mutants(name, Path(importlib.import_module(name).__file__ or "").read_text())
    ]
    since = time.monotonic()
    # A failure is enough; the smallest one is nobody's concern here.
    settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
    settings.load_profile("mutants")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    session = MutationSession(broken, asked.seconds, IN_PROCESSES)
    suites = [str(TESTS / suite) for suite in SUITES if (TESTS / suite).exists()]
    left_out = [f"--ignore={TESTS / suite}" for suite in LEFT_OUT]
    code = pytest.main(["-q", "-s", "-p", "no:cacheprovider", "--timeout=50", *left_out, *suites], plugins=[session])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        return int(code)
    return report(session, chosen, time.monotonic() - since)


def report(session: MutationSession, chosen: list[str], seconds: float) -> int:
    """Print what survived; 0 when every survivor is explained, and every explanation is needed."""
    explained = tomllib.loads((HERE / "known_survivors.toml").read_text())
    killed = {mutant for mutant, verdict in session.results.items() if verdict.startswith("killed")}
    survivors = {mutant.name: verdict for mutant, verdict in session.results.items() if mutant not in killed}
    unexplained = [f"{verdict}: {name}" for name, verdict in survivors.items() if name not in explained]
    stale = [name for name in explained if name.partition(":")[0] in chosen and name not in survivors]
    for item in session.broken:
        sys.stdout.write(f"left out, it fails without any mutant: {item}\n")
    for item in session.spoilt:
        sys.stdout.write(f"no verdict can be trusted, this fails without any mutant now: {item}\n")
    for line in [*unexplained, *(f"explained, but it does not survive: {name}" for name in stale)]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(table(session.results, killed, set(explained)))
    sys.stdout.write(
        f"{len(session.results)} mutants, {len(killed)} killed, {len(survivors) - len(unexplained)} survivors explained, "
        f"{len(unexplained)} not, {seconds:.0f} s\n"
    )
    return 1 if unexplained or stale or session.spoilt else 0


def table(results: dict[Mutant, str], killed: set[Mutant], explained: set[str]) -> str:
    """A line a module."""
    all_of = Counter(mutant.module for mutant in results)
    killed_of = Counter(mutant.module for mutant in killed)
    explained_of = Counter(m.module for m in results if m not in killed and m.name in explained)
    return "".join(f"{m:32} {killed_of[m]:4} of {n:4} killed, {explained_of[m]} explained\n" for m, n in all_of.items())


if __name__ == "__main__":
    for name in ("DATABASE_URL", "BROKER_URL"):
        os.environ.pop(name, None)
    sys.exit(main())
