"""A seeded sample of real purchases through the whole platform, to the cent; all of them: `make replay-cdnow`."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loadtests import cdnow

from conductor.run_directory import RunDirectory

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(900)]

ROWS, SEED = 2000, 8


@pytest.fixture(scope="module")
def file() -> Path:
    try:
        return cdnow.fetched()
    except (cdnow.Unavailable, OSError, subprocess.TimeoutExpired) as error:
        reason = f"the CDNOW purchases cannot be had: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def sample(file: Path) -> list[tuple[int, Decimal]]:
    """The lines that the sample draws and their amounts, read by other means than the replay's."""
    purchases = [
        (line, Decimal(text.split()[3])) for line, text in enumerate(file.read_text().splitlines(), 1) if line > 1
    ]
    drawn = random.Random(SEED).sample(range(len(purchases)), ROWS)
    return [purchases[at] for at in sorted(drawn)]


def capstone(run: RunDirectory, *arguments: str) -> str:
    environment = {**os.environ, "CAPSTONE_RUN_DIR": str(run.path)}
    done = subprocess.run(
        [sys.executable, "-m", "conductor", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDirectory]:
    directory = RunDirectory(tmp_path_factory.mktemp("cdnow") / "run")
    try:
        capstone(directory, "up")
        yield directory
    finally:
        capstone(directory, "down")


def replayed(run: RunDirectory, file: Path) -> dict[str, Any]:
    output = capstone(
        run, "replay", str(file), *cdnow.OPTIONS, "--sample", str(ROWS), "--seed", str(SEED), "--wait", "--json"
    )
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def summary(run: RunDirectory, file: Path) -> dict[str, Any]:
    return replayed(run, file)


def test_every_purchase_is_delivered_to_the_cent(summary: dict[str, Any], sample: list[tuple[int, Decimal]]) -> None:
    total = str(sum(amount for _, amount in sample))

    assert summary["orders"] == {"delivered": len([1 for _, amount in sample if amount])}
    assert (summary["accepted_sum"], summary["orders_sum"]) == (total, total)


def test_purchases_of_nothing_are_refused_by_line(summary: dict[str, Any], sample: list[tuple[int, Decimal]]) -> None:
    nothing = [line for line, amount in sample if not amount]

    assert [row["line"] for row in summary["refusals"]] == nothing
    assert {row["reason"] for row in summary["refusals"]} == {"the amount is zero"}


@pytest.mark.parametrize("journal", ["kept", "lost"])
def test_replaying_again_makes_no_order(run: RunDirectory, file: Path, summary: dict[str, Any], journal: str) -> None:
    if journal == "lost":
        for kept in run.journals("orders").glob("replay-*"):
            kept.unlink()

    again = replayed(run, file)

    assert (again["orders"], again["orders_sum"]) == (summary["orders"], summary["orders_sum"])
