"""Grades every answer of labs several times: the verdict must be the same each time, whatever else the machine does.

A check may say that this machine is too busy to tell; it must never say the opposite.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.adapters import guarded
from grader.adapters.box import Box
from grader.catalog import Catalog
from grader.domain.verdict import Outcome
from grader.proving import Proof, at_once, wanted

SPIN = "while True: pass"


@dataclass(frozen=True, slots=True)
class Repeated:
    """How one answer fared: how often it got what was expected, how often a check could not tell, how often it got anything else."""

    lab: str
    answer: str
    points: str
    as_expected: int
    untold: int
    otherwise: int
    seconds: str

    def row(self) -> str:
        """As a row of a Markdown table."""
        cells = (self.lab, self.answer, self.points, self.as_expected, self.untold, self.otherwise, self.seconds)
        return f"| {' | '.join(map(str, cells))} |"


HEAD = "| lab | answer | points | as expected | too busy to tell | otherwise | seconds |\n|---|---|---|---|---|---|---|"


def repeated(
    catalog: Catalog,
    slugs: list[str],
    box: Callable[[], Box],
    *,
    times: int,
    busy_times: int = 0,
    parallel: int = 1,
    only: str = "",
) -> Iterator[Repeated]:
    """Grade each answer so many times, the last of them with every core kept busy; so many gradings run at a time."""
    asked = wanted(catalog, slugs, only)
    proofs: dict[tuple[str, str], list[Proof]] = {(lab.slug, answer): [] for lab, answer in asked}
    for rounds, around in ((times - busy_times, contextlib.nullcontext()), (busy_times, busy())):
        with around if rounds else contextlib.nullcontext():
            for proof in at_once(catalog, asked * rounds, box, parallel):
                proofs[proof.lab, proof.answer].append(proof)
    for each in proofs.values():
        yield summed(each)


@contextlib.contextmanager
def busy(processes: int | None = None) -> Iterator[None]:
    """Keep every core of the machine busy, or run so many processes that only compute."""
    with tempfile.TemporaryDirectory(prefix="capstone-busy-") as made, contextlib.ExitStack() as ends:
        for _ in range(os.cpu_count() or 1 if processes is None else processes):
            folder = Path(made)
            spinning = guarded.start(
                [sys.executable, "-c", SPIN], directory=folder, environment={}, output=folder / "out"
            )
            ends.callback(spinning.end)
        yield


def summed(proofs: list[Proof]) -> Repeated:
    """One row of the gradings of one answer."""
    told = [proof for proof in proofs if not _undecided(proof)]
    points = sorted({proof.got["points"] for proof in told or proofs})
    seconds = [proof.seconds for proof in proofs]
    return Repeated(
        lab=proofs[0].lab,
        answer=proofs[0].answer,
        points=", ".join(map(str, points)),
        as_expected=sum(proof.holds for proof in told),
        untold=len(proofs) - len(told),
        otherwise=sum(not proof.holds for proof in told),
        seconds=f"{min(seconds):.0f}–{max(seconds):.0f}",
    )


def _undecided(proof: Proof) -> bool:
    return str(Outcome.ERROR) in proof.got["checks"].values()
