"""Compares two durations that are measured in turn, so that what else this machine does hits both.

A threshold on time is a ratio to a baseline of the same check; a machine that is too busy to tell is the grader's fault.
"""

from collections.abc import Callable
from statistics import median

from grader.errors import Unable

ROUNDS = 3
MOST_SPREAD = 0.4
"""By how much the slowest round of the baseline may exceed the fastest."""


def ratio(measured: Callable[[], float], baseline: Callable[[], float], *, rounds: int = ROUNDS) -> float:
    """How long `measured` takes, as a multiple of `baseline`: medians of rounds taken in turn; each callable returns seconds.

    Raises Unable when the rounds of the baseline differ too much to tell.
    """
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(baseline())
        ours.append(measured())
    if max(theirs) > (1 + MOST_SPREAD) * min(theirs):
        raise Unable(
            f"this machine is too busy to tell: the same work took {min(theirs):.2f} s and {max(theirs):.2f} s"
        )
    return median(ours) / median(theirs)
