"""Full jitter, as laws."""

import random

from hypothesis import given
from hypothesis import strategies as st

from chassis.retries import backoff


class Highest:
    def uniform(self, a: float, b: float) -> float:
        return b


@given(failures=st.integers(0, 10_000), seed=st.integers())
def test_a_wait_is_between_nothing_and_the_cap(failures: int, seed: int) -> None:
    assert 0 <= backoff(failures, cap_seconds=30, rng=random.Random(seed)) <= 30


@given(failures=st.integers(0, 2_000))
def test_the_longest_wait_never_shrinks(failures: int) -> None:
    assert backoff(failures, rng=Highest()) <= backoff(failures + 1, rng=Highest())


def test_the_longest_wait_doubles_up_to_the_cap() -> None:
    waits = [backoff(n, base_seconds=0.5, cap_seconds=5, rng=Highest()) for n in range(6)]

    assert waits == [0.5, 1, 2, 4, 5, 5]


def test_waits_are_spread_from_nothing_on() -> None:
    rng = random.Random(1)
    waits = [backoff(3, base_seconds=1, rng=rng) for _ in range(1000)]

    assert min(waits) < 0.1
    assert max(waits) > 7.9
