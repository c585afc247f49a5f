"""Seconds come out the same however flushes are asked for."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.seconds import Flush, seconds

FLUSHES = st.lists(
    st.builds(Flush, st.integers(0, 9_999), st.integers(0, 500), st.fixed_dictionaries({"events": st.integers(1, 9)})),
    max_size=20,
)


@given(FLUSHES, st.integers(0, 10))
def test_seconds_that_are_asked_for_in_two_parts_are_those_of_one(flushes: list[Flush], cut: int) -> None:
    whole = seconds(flushes, 0, 10_000)
    parts = seconds(flushes, 0, cut * 1000) + seconds(flushes, cut * 1000, 10_000)

    assert whole == parts
    assert list(range(0, 10_000, 1000)) == [second["at_ms"] for second in whole]
    assert sum(flush.counts["events"] for flush in flushes) == sum(second["events"] for second in whole)
    longest = {at: [flush.delay_ms for flush in flushes if flush.at_ms // 1000 == at] for at in range(10)}
    assert [max(longest[at], default=None) for at in range(10)] == [second["delay_ms"] for second in whole]


def test_what_another_release_counts_apart_is_left_out() -> None:
    (second,) = seconds([Flush(1500, 7, {"events": 3, "flagged": 1, "odd": 2})], 1000, 2000)

    assert {"at_ms": 1000, "events": 3, "late": 0, "future": 0, "flagged": 1, "refused": 0, "delay_ms": 7} == second
