"""However events come, no more pass than the rate and one body beyond it."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.pace import Pace


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 50)), max_size=30))
def test_what_passes_is_bounded_and_the_wait_is_enough(asked: list[tuple[float, int]]) -> None:
    pace, now, passed = Pace(10), 0.0, 0
    for later, events in asked:
        now += later
        wait = pace.take(events, now)
        if not wait:
            passed += events
        else:
            assert pace.take(0, now + wait + 0.01) == 0
            now += wait + 0.01
        assert passed <= 10 + 10 * now + 50


def test_a_body_of_any_length_passes_and_is_waited_for() -> None:
    pace = Pace(10)

    assert [0, 9, 0.001] == [pace.take(100, 0), pace.take(1, 0), pace.take(1, 9)]
    assert 0 == pace.take(1, 9.001)
