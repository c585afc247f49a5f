"""One clock decides what is due, expired or old, the database's: a service reads the machine's only in the places named here."""

import ast
from collections.abc import Iterator
from pathlib import Path

SERVICES = Path(__file__).resolve().parents[2] / "services"
READS = {
    *(("datetime", name) for name in ("now", "utcnow", "today")),
    *(("date", name) for name in ("today",)),
    *(("time", name) for name in ("time", "time_ns", "localtime", "gmtime", "ctime")),
}
ALLOWED = {
    "chassis/beat.py": "where the steady clock starts",
    "chassis/exposition.py": "when this process began, which Prometheus compares with its own clock",
    "chassis/relay.py": "when a round ended, which Prometheus compares with its own clock",
    "chassis/clock.py": "is compared with the database's",
    "chassis/tracing.py": "when a span began and ended, which decides nothing",
    "orders/adapters/instant.py": "stands for a carrier's own clock",
    "orders/adapters/mail.py": "the Date of a letter, which decides nothing",
    "orders/adapters/wire.py": "an HTTP date of Retry-After; a wrong one waits 10 minutes at most",
}


def read_clocks(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of whatever reads the machine's clock, called or handed on, and of its import by name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in READS:
                yield node.lineno, f"{owner}.{name}"
            case ast.Attribute(value=ast.Attribute(attr=owner), attr=name) if (owner, name) in READS:
                yield node.lineno, f"{owner}.{name}"
            case ast.ImportFrom(module="time", names=names):
                yield from ((node.lineno, f"time.{each.name}") for each in names if ("time", each.name) in READS)


def test_no_service_reads_the_machines_clock_to_decide() -> None:
    found = {
        str(path.relative_to(SERVICES)): hits
        for service in ("chassis", "orders")
        for path in sorted((SERVICES / service).rglob("*.py"))
        if (hits := list(read_clocks(path.read_text())))
    }

    assert {} == {path: hits for path, hits in found.items() if path not in ALLOWED}
    assert set() == set(ALLOWED) - set(found), "no longer needed"


def test_every_way_to_read_it_is_seen() -> None:
    source = (
        "from time import time, monotonic\ndatetime.now(UTC)\ndt.datetime.utcnow()\nf = time.time\ntime.monotonic()\n"
    )

    assert [(1, "time.time"), (2, "datetime.now"), (3, "datetime.utcnow"), (4, "time.time")] == sorted(
        read_clocks(source)
    )
