"""Grades every answer of labs several times: the verdict must be the same each time, whatever else the machine does.

A check may say that this machine is too busy to tell; it must never say the opposite.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from grader.adapters import guarded
from grader.adapters.box import Box
from grader.catalog import Catalog
from grader.fingerprint import fingerprint
from grader.gradings import Repeated, summed
from grader.proving import Proof, at_once, wanted

SPIN = "while True: pass"

MOST_IDLE = 0.05
"""The share of all processor time of a grading that may be left over, when its cores are to be called busy. One alone leaves more."""


def repeated(
    catalog: Catalog,
    slugs: list[str],
    box: Callable[[], Box],
    *,
    times: int,
    busy_times: int = 0,
    parallel: int = 1,
    only: str = "",
    before: Sequence[Repeated] = (),
) -> Iterator[Repeated]:
    """Grade each answer so many times, less those of `before`, `busy_times` of them beside busy cores; one for each grading, as it ends.

    Cores that other work keeps busy will do; for what is lacking at the end this keeps them busy. Whichever answer was graded least
    comes first, so that a command which is interrupted leaves none far behind.
    """
    asked, every = wanted(catalog, slugs, only), list(before)
    for spinning in (False, True, False):
        known = {(one.lab, one.answer): one for one in summed(catalog, every)}
        had = [known.get((lab.slug, answer)) for lab, answer in asked]
        times_had = [one.times if one else 0 for one in had]
        lacking = [max(0, busy_times - (one.busy if one else 0)) for one in had]
        if not spinning:
            # Busy cores are the harder case: gradings beside them count as quiet ones as well.
            lacking = [max(0, times - so_many - busy) for so_many, busy in zip(times_had, lacking, strict=True)]
        turns = sorted(
            (so_many + number, place) for place, so_many in enumerate(times_had) for number in range(lacking[place])
        )
        with busy() if turns and spinning else contextlib.nullcontext():
            for proof in at_once(catalog, [asked[place] for _, place in turns], box, parallel):
                every.append(graded(proof, fingerprint(catalog, proof.lab, proof.answer), spinning))
                yield every[-1]


def graded(proof: Proof, version: str, spinning: bool) -> Repeated:
    """One grading, and whether it was beside busy cores: kept so by this, or by whatever else the machine does."""
    return Repeated(
        lab=proof.lab,
        version=version,
        answer=proof.answer,
        points=() if proof.untold else (proof.got["points"],),
        as_expected=int(proof.holds and not proof.untold),
        untold=int(proof.untold and not proof.contradicted),
        otherwise=int(proof.contradicted),
        busy=int(spinning or proof.idle <= MOST_IDLE),
        fastest=proof.seconds,
        slowest=proof.seconds,
    )


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Keep every core of the machine busy with a process that only computes."""
    with tempfile.TemporaryDirectory(prefix="capstone-busy-") as made, contextlib.ExitStack() as ends:
        for _ in range(os.cpu_count() or 1):
            folder = Path(made)
            spinning = guarded.start(
                [sys.executable, "-c", SPIN], directory=folder, environment={}, output=folder / "out"
            )
            ends.callback(spinning.end)
        yield
