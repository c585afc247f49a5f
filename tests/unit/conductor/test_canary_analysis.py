"""The judgement on a canary, and the counters that it is made from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.cluster import canary_analysis
from conductor.cluster.canary_analysis import Tally, Window

EXPOSITION = """\
# HELP chassis_tasks_total Tasks by how they ended
# TYPE chassis_tasks_total counter
chassis_tasks_total{outcome="succeeded",pool="payments",task="orders.take_payment"} 40.0
chassis_tasks_total{outcome="failed",pool="payments",task="orders.take_payment"} 2.0
chassis_tasks_started_total{pool="payments",task="orders.take_payment"} 42.0
chassis_commands_total{outcome="done",pool="payments",task="orders.take_payment"} 90.0
chassis_commands_total{outcome="retry",pool="payments",task="orders.take_payment"} 6.0
chassis_commands_total{outcome="park",pool="payments",task="orders.ask_payment"} 1.0
chassis_parked_total{pool="payments",reason="bug"} 1.0
"""

tallies = st.integers(0, 400).flatmap(
    lambda ended: st.builds(Tally, ended=st.just(ended), failed=st.integers(0, ended))
)


def test_commands_and_tasks_that_told_no_outcome_are_counted() -> None:
    assert Tally(ended=99, failed=9) == canary_analysis.tally(EXPOSITION)


def test_a_worker_that_did_nothing_yet_has_done_nothing() -> None:
    assert Tally() == canary_analysis.tally("")


@pytest.mark.parametrize(
    ("ours", "theirs", "judgement"),
    [
        (Tally(100, 0), Tally(100, 0), "sound"),
        (Tally(100, 3), Tally(100, 2), "sound"),
        (Tally(100, 0), Tally(100, 30), "sound"),
        (Tally(100, 40), Tally(300, 120), "sound"),  # the provider is down for both
        (Tally(99, 0), Tally(500, 0), "undecided"),
        (Tally(500, 0), Tally(99, 0), "undecided"),
        (Tally(100, 7), Tally(100, 1), "undecided"),  # a chance of 3 in 100
        (Tally(40, 12), Tally(40, 0), "worse"),  # long before enough was done
        (Tally(200, 36), Tally(200, 2), "worse"),
        (Tally(0, 0), Tally(0, 0), "undecided"),
        (Tally(5, 5), Tally(0, 0), "undecided"),  # nothing to compare with
    ],
)
def test_a_canary_is_judged_by_its_own_errors_beside_the_others(ours: Tally, theirs: Tally, judgement: str) -> None:
    assert judgement == canary_analysis.judge(ours, theirs, enough=100)


@given(tallies, tallies)
def test_a_chance_is_one(ours: Tally, theirs: Tally) -> None:
    assert 0.0 < canary_analysis.chance(ours, theirs) <= 1.0


@given(tallies, tallies)
def test_one_more_failure_never_makes_it_look_better(ours: Tally, theirs: Tally) -> None:
    if ours.failed < ours.ended:
        assert (
            canary_analysis.chance(Tally(ours.ended, ours.failed + 1), theirs)
            <= canary_analysis.chance(ours, theirs) + 1e-12
        )


def test_the_chance_is_fishers() -> None:
    # R: fisher.test(matrix(c(3, 7, 1, 9), 2), alternative = "greater")$p.value
    assert canary_analysis.chance(Tally(10, 3), Tally(10, 1)) == pytest.approx(0.2910216718)


def test_what_was_done_before_the_window_opened_does_not_count() -> None:
    window = Window()
    window.look({"old": Tally(1000, 50)})

    assert Tally(20, 1) == window.look({"old": Tally(1020, 51)})


def test_a_pod_that_came_later_counts_from_its_start() -> None:
    window = Window()
    window.look({"old": Tally(10, 0)})

    assert Tally(7, 2) == window.look({"old": Tally(10, 0), "new": Tally(7, 2)})


def test_a_pod_that_went_keeps_what_it_did() -> None:
    window = Window()
    window.look({"old": Tally(10, 0), "new": Tally(0, 0)})
    window.look({"old": Tally(15, 1), "new": Tally(3, 0)})

    assert Tally(9, 1) == window.look({"new": Tally(4, 0)})


def test_a_process_that_began_anew_loses_nothing_of_what_was_seen() -> None:
    window = Window()
    window.look({"pod": Tally(100, 5)})
    window.look({"pod": Tally(130, 8)})

    assert Tally(34, 3) == window.look({"pod": Tally(4, 0)})
    assert Tally(40, 4) == window.look({"pod": Tally(10, 1)})
