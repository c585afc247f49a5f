"""`python -m loadtests.analytics.stages`: microseconds of CPU an event for each stage of edge, aggregator and archiver, without any server.

CPU time and not wall time, so that a crowded machine tells nearly the same.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analytics.adapters.archive_files import ArchiveFiles, Rows
from analytics.domain.batch import columnise, decode, encode
from analytics.domain.counting import count
from analytics.domain.events import Timing
from analytics.domain.parsing import parse_array, parse_lines
from analytics.domain.parts import cut
from loadtests.analytics import events

BODIES, ROUNDS = 16, 5
"""Bodies are as many batches as end a window."""


def main() -> int:
    """Print a table as Markdown; medians."""
    with tempfile.TemporaryDirectory(prefix="stages-") as folder:
        return _measure(folder)


def _measure(folder: str) -> int:
    now_ms = time.time_ns() // 1_000_000
    made = events.bodies(BODIES, users=10_000, contents=1_000, zipf=False, now_ms=now_ms)
    lines = [events.ndjson(body) for body in made]
    arrays = [b"[" + body.replace(b"\n", b",") + b"]" for body in lines]
    parsed = [parse_lines(body, limit=events.EVENTS).events for body in lines]
    parts = [list(cut("bench", f"key-{number}", one)) for number, one in enumerate(parsed)]
    batches = [columnise(one, now_ms, lambda _: Timing.ON_TIME) for one in parts]
    bodies = [encode(batch) for batch in batches]
    decoded = [decode(body) for body in bodies]
    archive = ArchiveFiles(f"file://{folder}")
    rows = [archive.rows(batch) for batch in decoded]
    stages: dict[str, Callable[[], Any]] = {
        "edge: parse NDJSON": lambda: [parse_lines(body, limit=events.EVENTS) for body in lines],
        "edge: parse a JSON array instead": lambda: [parse_array(body, limit=events.EVENTS) for body in arrays],
        "edge: cut into parts": lambda: [list(cut("bench", "key", one)) for one in parsed],
        "edge: columnise": lambda: [columnise(one, now_ms, lambda _: Timing.ON_TIME) for one in parts],
        "edge: encode": lambda: [encode(batch) for batch in batches],
        "aggregator: decode": lambda: [decode(body) for body in bodies],
        "aggregator: count a window": lambda: count(decoded),
        "archiver: decode and make columns": lambda: [archive.rows(decode(body)) for body in bodies],
        "archiver: write a file": lambda: _write(archive, rows),
    }
    print("| stage | us an event |\n|---|---|")
    for name, run in stages.items():
        print(f"| {name} | {statistics.median(_us_per_event(run) for _ in range(ROUNDS)):.2f} |")
    print(
        f"\nA batch has {len(bodies[0]) / events.EVENTS:.0f} bytes an event, JSON {len(lines[0]) / events.EVENTS:.0f}."
    )
    size = sum(path.stat().st_size for path in Path(folder).glob("hour=*/*.parquet"))
    print(f"An archived event has {size / (BODIES * events.EVENTS):.1f} bytes.")
    return 0


def _write(archive: ArchiveFiles, rows: Sequence[Rows]) -> None:
    shutil.rmtree(archive.root)  # a window whose file is there would not be written again
    archive.write(rows)


def _us_per_event(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return (time.process_time() - began) / (BODIES * events.EVENTS) * 1e6


if __name__ == "__main__":
    sys.exit(main())
