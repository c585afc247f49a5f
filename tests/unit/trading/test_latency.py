"""Percentiles of a histogram in powers of two, and alerts that are certain."""

from random import Random

import pytest

from trading.domain.latency import LEAST_INPUTS, Bounds, Breach, breaches, percentile

POWER, BUCKETS = 10, 21


def histogram(durations_ns: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for duration in durations_ns:
        counts[min(max(duration.bit_length() - POWER, 0), BUCKETS - 1)] += 1
    return counts


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_percentile_lies_between_its_bounds(share, seed):
    rng = Random(seed)
    durations = sorted(int(rng.lognormvariate(10, 1.5)) for _ in range(rng.randint(1, 3000)))
    at = max(-(-len(durations) * share // 1), 1)

    bounds = percentile(histogram(durations), POWER, share)
    assert bounds.low_ns <= durations[int(at) - 1] < bounds.high_ns


def test_the_first_bucket_begins_at_nothing_and_no_input_has_no_percentile():
    assert Bounds(0, 1024) == percentile([5] + [0] * 20, POWER, 0.99)
    assert percentile([0] * BUCKETS, POWER, 0.5) is None


@pytest.mark.parametrize(
    ("budget_us", "over"), [(2000.0, False), (1049.0, False), (1048.576, True), (40.0, True), (0.0, False)]
)
def test_what_is_alerted_is_certain(budget_us, over):
    counts = histogram([5_000] * 900 + [1_100_000] * 100)

    found = breaches(counts, POWER, {0.5: 50.0, 0.99: budget_us})
    assert ([Breach(0.99, 1048.576, budget_us)] if over else []) == found
    if over:
        assert f"p99 is at least 1048.58 µs, its budget is {budget_us:g} µs" == str(found[0])


def test_few_inputs_alert_nothing():
    assert [] == breaches(histogram([10**9] * (LEAST_INPUTS - 1)), POWER, {0.5: 1.0})
    assert 1 == len(breaches(histogram([10**9] * LEAST_INPUTS), POWER, {0.5: 1.0}))
