"""What the bench of the analytics says of its runs."""

import pytest
from loadtests.analytics import events
from loadtests.analytics.asking import Asked
from loadtests.analytics.http_client import Answered
from loadtests.analytics.measured import Measured
from loadtests.analytics.memory import times
from loadtests.analytics.recommendations_served import good_enough, summary
from loadtests.analytics.report import compared
from loadtests.analytics.visibility import delays, quantile

SIDES = ("ours", "naive", "lean")


def measured(side: str, per_second: float, differences: list[str] | None = None) -> Measured:
    return Measured(side, 1000, 1000 / per_second, {"edge": 0.002}, differences or [])


def test_a_ratio_is_the_median_of_each_round_s_own() -> None:
    runs = [
        (side, rate)
        for rates in ((900, 1, 3), (400, 2, 2), (600, 2, 4))
        for side, rate in zip(SIDES, rates, strict=True)
    ]

    found = compared([measured(side, rate) for side, rate in runs])

    assert [900, 200, 300] == found["ratios"]
    assert 300 == found["ratio"]
    assert [300, 200, 150] == found["ratios_lean"]
    assert 200 == found["ratio_lean"]


def test_a_run_with_a_difference_is_not_exact() -> None:
    assert measured("ours", 1.0).document()["exact"]
    assert not measured("ours", 1.0, ["t:like:1 60 is 1, not 2"]).document()["exact"]


def test_cpu_is_told_in_microseconds_an_event() -> None:
    assert {"edge": 2.0} == measured("ours", 1.0).us_per_event()


def test_events_are_visible_when_as_many_are_counted_as_were_sent_until_then() -> None:
    sent = [Answered(10.0, 10.1, 5, 0), Answered(11.0, 11.1, 5, 0), Answered(10.5, 10.6, 5, 0)]
    seen = [(10.2, 5), (10.9, 9), (12.0, 15)]

    found = delays(sent, seen)

    assert pytest.approx([0.2, 1.0, 1.5]) == found


def test_events_that_nobody_saw_are_an_error() -> None:
    with pytest.raises(ValueError, match="10 events were sent, 9 were seen"):
        delays([Answered(10.0, 10.1, 10, 0)], [(10.5, 9)])


def test_a_quantile_is_a_value_that_was_there() -> None:
    values = [float(number) for number in range(1, 101)]

    assert (51.0, 100.0, 100.0) == (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0))


def test_a_body_that_is_sent_twice_counts_twice() -> None:
    made = events.bodies(2, users=3, contents=3, zipf=False, now_ms=60_000_000, size=10)

    found = events.expected(made, times(3, 2))

    assert 30 == sum(sum(counter.values()) for key, counter in found.items() if key.startswith("u:"))
    assert found == events.expected([made[0], made[0], made[1]], [1, 1, 1])


@pytest.mark.parametrize(
    ("answers", "good"),
    [
        ([Asked(0.002, 200, similar=True)] * 100, True),
        ([Asked(0.002, 200, similar=True)] * 98 + [Asked(0.02, 200, similar=True)] * 2, False),
        ([Asked(0.002, 200, similar=True)] * 99 + [Asked(0.002, 503, similar=False)], False),
        ([Asked(0.002, 200, similar=True)] * 20 + [Asked(0.002, 200, similar=False)] * 80, False),
    ],
    ids=["all", "two slow ones", "one refused", "hardly anything learned"],
)
def test_recommendations_are_served_well_when_all_are_answered_soon_with_what_was_learned(
    answers: list[Asked], good: bool
) -> None:
    assert good == good_enough(summary(answers), most_ms=10.0)
