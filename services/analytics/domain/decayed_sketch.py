"""Sums of events by key that fade with time, in bounded memory. Pure.

A count-min sketch (Cormode, Muthukrishnan, J. Algorithms 2005) whose increments grow with time instead of its cells fading (forward decay:
Cormode, Shkapenyuk, Srivastava, Xu, ICDE 2009). So it is linear: the sum of two sketches is the sketch of both streams, in whatever order
events came. A read takes the least of a key's cells, and from it what a key that never came would read, which is the median of some.

Error: when N is the sum of all keys, a sum is too large by more than e N / width for one key in e^3 = 20 at most, and never too small by
more than what is taken off. On Zipf's law it is far smaller, because few keys share a cell with a large one.
"""

from array import array
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from math import exp
from statistics import median

ROWS = 3
WIDTH = 1 << 15

_RESCALE = 50.0
"""A weight of e^50 still leaves 10^286 of a float's range to the sum."""

_MOST = 700.0
"""e^709 is the largest float. What is older than that many times the span is nothing, whatever it is divided by."""

_PROBES = 101


class DecayedSketch:
    """Sums of what was added, each addition fading to 1/e in `seconds`."""

    __slots__ = ("background", "cells", "landmark", "seconds", "width")

    def __init__(self, seconds: float, *, now: float, width: int = WIDTH) -> None:
        """`now` is in seconds since 1970, as are all moments here; `width` is the number of cells of a row, a power of two."""
        self.seconds = seconds
        self.width = width
        self.cells = array("d", bytes(8 * ROWS * width))
        self.landmark = now
        self.background = 0.0
        """What a key that never came would read; see `settle`."""

    def weight(self, at: float) -> float:
        """What an addition at `at` is multiplied with; additions and reads must not be mixed with an older weight after `rescale`."""
        return exp(min(_MOST, (at - self.landmark) / self.seconds))

    def rescale(self, now: float) -> None:
        """Move the landmark to `now` when weights have become large; called before anything is added at `now`."""
        if now - self.landmark > _RESCALE * self.seconds:
            self._move(now)

    def read(self, cells: Sequence[int], now: float) -> float:
        """The sum of a key as it is at `now`, at least 0."""
        i, j, k = cells
        return max(0.0, min(self.cells[i], self.cells[j], self.cells[k]) - self.background) / self.weight(now)

    def settle(self) -> None:
        """Work out the background again; called after cells were added to."""
        cells = self.cells
        self.background = median([min(cells[i], cells[j], cells[k]) for i, j, k in _probes(self.width)])

    def merge(self, other: "DecayedSketch") -> None:
        """Add what another sketch of the same size holds."""
        self._move(max(self.landmark, other.landmark))
        scale = other.weight(self.landmark)
        self.cells = array("d", [mine + its / scale for mine, its in zip(self.cells, other.cells, strict=True)])
        self.settle()

    def _move(self, landmark: float) -> None:
        scale = self.weight(landmark)
        self.cells = array("d", [cell / scale for cell in self.cells])
        self.background /= scale
        self.landmark = landmark


@cache
def _probes(width: int) -> list[tuple[int, int, int]]:
    return [cells_of(f"\0{number}", width) for number in range(_PROBES)]


def cells_of(key: str, width: int) -> tuple[int, int, int]:
    """The cell of a key in each row; the same in every process."""
    digest = int.from_bytes(blake2b(key.encode(), digest_size=12).digest())
    mask = width - 1
    return digest & mask, width + (digest >> 32 & mask), 2 * width + (digest >> 64 & mask)
