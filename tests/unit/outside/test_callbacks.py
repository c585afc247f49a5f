"""When a callback is sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outside.callbacks import LAST_BACKOFF_SECONDS, backoff_seconds, signature


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.25), (2, 0.5), (3, 1.0), (5, 4.0), (6, 5.0), (100, 5.0)])
def test_the_wait_doubles_up_to_a_ceiling(failures: int, seconds: float) -> None:
    assert seconds == backoff_seconds(failures, 1.0)


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_chance_takes_half_of_the_wait_at_most(failures: int, chance: float) -> None:
    full = backoff_seconds(failures, 1.0)

    assert full / 2 <= backoff_seconds(failures, chance) <= full <= LAST_BACKOFF_SECONDS


def test_a_signature_covers_secret_time_and_body() -> None:
    signed = {signature(s, t, b) for s in ("a", "b") for t in ("1", "2") for b in (b"{}", b"[]")}

    assert len(signed) == 8
