"""Grades every answer of labs several times: the verdict must be the same each time, whatever else the machine does.

A check may say that this machine is too busy to tell; it must never say the opposite.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from grader.adapters import guarded
from grader.adapters.box import Box
from grader.catalog import Catalog
from grader.domain.lab import Lab
from grader.fingerprint import fingerprint
from grader.gradings import Repeated, summed
from grader.proving import Proof, at_once, wanted

SPIN = "while True: pass"

Answer = tuple[Lab, str]


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
    """Grade each answer so many times, less those of `before`, the first with every core kept busy; one for each grading, as it ends.

    Whichever was graded least comes first, so that a command which is interrupted leaves no answer far behind the others.
    """
    asked = wanted(catalog, slugs, only)
    known = {(one.lab, one.answer): one for one in summed(catalog, before)}
    had = {(lab.slug, answer): known.get((lab.slug, answer)) for lab, answer in asked}
    beside = {key: max(0, busy_times - (one.busy if one else 0)) for key, one in had.items()}
    # Busy cores are the harder case: gradings beside them count as quiet ones as well.
    after = {key: (one.times if one else 0) + beside[key] for key, one in had.items()}
    rounds_busy = _rounds(asked, beside, {key: one.times if one else 0 for key, one in had.items()})
    rounds_quiet = _rounds(asked, {key: max(0, times - after[key]) for key in had}, after)
    for rounds, spinning in ((rounds_busy, True), (rounds_quiet, False)):
        with busy() if rounds and spinning else contextlib.nullcontext():
            for proof in at_once(catalog, rounds, box, parallel):
                yield graded(proof, fingerprint(catalog, proof.lab, proof.answer), spinning)


def _rounds(
    asked: Sequence[Answer], lacking: Mapping[tuple[str, str], int], had: Mapping[tuple[str, str], int]
) -> list[Answer]:
    """Each answer as often as it lacks gradings, in the order of how many it has by then."""
    every = [
        (had[lab.slug, answer] + number, place)
        for place, (lab, answer) in enumerate(asked)
        for number in range(lacking[lab.slug, answer])
    ]
    return [asked[place] for _, place in sorted(every)]


def graded(proof: Proof, version: str, beside_busy: bool) -> Repeated:
    """One grading."""
    return Repeated(
        lab=proof.lab,
        version=version,
        answer=proof.answer,
        points=() if proof.untold else (proof.got["points"],),
        as_expected=int(proof.holds and not proof.untold),
        untold=int(proof.untold),
        otherwise=int(not proof.holds and not proof.untold),
        busy=int(beside_busy),
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
