"""Trends in bounded memory: what they list, what they never list, and that replicas add up."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loadtests.analytics.trends import simulate

from analytics.domain.batch import Group, columnise
from analytics.domain.capped_counts import CappedCounts
from analytics.domain.counting import count
from analytics.domain.decayed_sketch import DecayedSketch, cells_of
from analytics.domain.events import KINDS, Event, Timing
from analytics.domain.parts import Part, part_id
from analytics.domain.trends import BETA, LEAST_SCORE, WINDOWS, Measure, Trends, ranked

NOW = 1_764_000_000.0
ADDITIONS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 50), st.floats(0, 5000)), min_size=1, max_size=20
)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_top_agrees_with_raw_events_and_bursts_are_listed_in_time(seed: int) -> None:
    found = simulate(contents=150_000, rate=200, seconds=240, bursts=36, seed=seed, width=1 << 13, least=100)

    assert 0.95 <= found["recall"]
    assert found["fast_bursts"]
    assert found["slowest_listed_seconds"] <= 5
    assert not found["best_seller_listed"]
    assert found["memory_ratio"] <= 0.2


def test_replicas_list_what_one_would() -> None:
    found = simulate(contents=2000, rate=400, seconds=300, bursts=40, seed=3, width=1 << 11, replicas=3)

    assert 0.95 <= found["recall"]
    assert not found["best_seller_listed"]


@given(ADDITIONS, ADDITIONS)
@settings(max_examples=50)
def test_two_sketches_add_up_to_that_of_both_streams(
    one: list[tuple[str, int, float]], other: list[tuple[str, int, float]]
) -> None:
    def sketch(landmark: float, *streams: list[tuple[str, int, float]]) -> DecayedSketch:
        found = DecayedSketch(300, now=landmark, width=64)
        for key, number, at in (item for stream in streams for item in stream):
            for cell in cells_of(key, 64):
                found.cells[cell] += number * found.weight(NOW + at)
        found.settle()
        return found

    merged, whole = sketch(NOW, one), sketch(NOW + 1000, one, other)
    merged.merge(sketch(NOW + 2000, other))

    for key in "abcdefgh":
        cells = cells_of(key, 64)
        assert math.isclose(whole.read(cells, NOW + 5000), merged.read(cells, NOW + 5000), rel_tol=1e-9, abs_tol=1e-9)


def test_a_sum_fades_and_survives_years() -> None:
    sums = DecayedSketch(300, now=NOW, width=64)
    cells = cells_of("a", 64)
    for cell in cells:
        sums.cells[cell] += 100.0
    sums.settle()

    assert math.isclose(100 / math.e, sums.read(cells, NOW + 300))
    sums.rescale(NOW + 86_400 * 1000)
    assert 0.0 <= sums.read(cells, NOW + 86_400 * 1000) < 1e-9
    assert sums.weight(NOW + 86_400 * 1000) == 1.0


def steady(trends: Trends, key: str, rate: int, begin: int, end: int) -> None:
    for second in range(begin, end, 5):
        trends.add({key: rate * 5}, at=NOW + second + 2.5, now=NOW + second + 5)


def test_the_reason_says_how_many_times_the_usual() -> None:
    trends = Trends(NOW, width=64)
    steady(trends, "a", 1, 0, 7200)
    steady(trends, "a", 12, 7200, 7260)

    measure = trends.measure(0, "a", NOW + 7260)

    expected = 300 * math.exp(-0.2) + 12 * 300 * (1 - math.exp(-0.2))
    assert math.isclose(expected, measure.count, rel_tol=0.02)
    assert 300 <= measure.usual <= 330
    assert f"{measure.count / measure.usual:.3g}× its usual" == measure.reason
    assert Measure(5.2, 0).reason == "5 events, usually none"


def test_nothing_is_unusual_at_first() -> None:
    trends = Trends(NOW)
    trends.add({"a": 1000}, at=NOW + 29, now=NOW + 30)

    assert [] == ranked([trends.candidates(0, NOW + 30)], 20)


def test_saved_trends_are_the_same() -> None:
    trends = Trends(NOW, width=64)
    steady(trends, "a", 3, 0, 600)

    again = Trends.decode(trends.encode())

    for position in range(len(WINDOWS)):
        assert trends.candidates(position, NOW + 700) == again.candidates(position, NOW + 700)
    with pytest.raises(ValueError):
        Trends.decode(b"\x93")


def test_trends_that_are_merged_know_what_is_usual() -> None:
    dead, alive = Trends(NOW, width=64), Trends(NOW + 7200, width=64)
    steady(dead, "best-seller", 50, 0, 7200)
    steady(alive, "best-seller", 50, 7200, 7320)
    alone = ranked([alive.candidates(0, NOW + 7320)], 20)

    alive.merge(dead)

    assert abs(alive.measure(0, "best-seller", NOW + 7320).score) < LEAST_SCORE
    assert [] == ranked([alive.candidates(0, NOW + 7320)], 20)
    assert alone == []  # it began with both


def test_a_key_that_a_replica_did_not_report_is_not_listed() -> None:
    high = Measure(1000, 0)

    assert [("a", Measure(2000, 0))] == ranked([{"a": high, "b": high}, {"a": high}], 20)
    assert [] == ranked([], 20)
    assert [] == ranked([{"a": Measure(LEAST_SCORE * math.sqrt(BETA) - 0.1, 0)}], 20)


def counted(events: list[Event]) -> list[tuple[Group, int, int]]:
    return count([columnise([Part(part_id("c", "k", 0), events)], 1, lambda _: Timing.ON_TIME)]).counted


def test_a_user_counts_once_in_five_minutes() -> None:
    minute = 29_400_000  # begins a period
    counts = CappedCounts()
    for _ in range(3):
        counts.add(
            counted([Event(str(i), "loud", "c", KINDS[i % 5], minute * 60_000 + i, ("t", "t")) for i in range(1000)])
        )
    counts.add(counted([Event(str(i), f"u{i}", "d", "view", minute * 60_000, ("t",)) for i in range(1000)]))
    counts.add(counted([Event("x", "loud", "c", "view", (minute + 5) * 60_000)]))

    taken = counts.take()

    assert {"c": 1, "d": pytest.approx(1000, abs=3)} == dict(taken[minute].contents)
    assert {"t": pytest.approx(1001, abs=4)} == dict(taken[minute].topics)
    assert {"c": 1} == dict(taken[minute + 5].contents)
    assert {} == counts.take()


def test_what_is_taken_back_makes_no_trend() -> None:
    counts = CappedCounts()
    counts.add(counted([Event("1", "u", "c", kind, 1) for kind in ("unlike", "unfollow", "delete")]))

    assert {} == counts.take()


def test_candidates_are_bounded() -> None:
    dice = random.Random(1)
    trends = Trends(NOW, width=1 << 14)
    for second in range(10):
        trends.add({f"k{dice.randrange(10**9)}": 30 for _ in range(3000)}, at=NOW + second, now=NOW + second)

    assert len(trends.candidates(0, NOW + 10)) <= 4000
