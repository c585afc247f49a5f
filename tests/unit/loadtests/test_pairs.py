"""Ways that take turns are compared with the plain one of their turn."""

import os
import time

from loadtests.pairs import PLAIN, costs, cpu_ns, middle, slices


def test_each_way_is_compared_with_the_plain_one_of_its_own_turn() -> None:
    plain = [1.0, 2.0, 1.0, 4.0, 1.0]  # the machine was busy during two of them
    more = [1.01, 1.02, 1.03, 1.00, 0.99]

    found = costs([{PLAIN: us, "metrics": us * by} for us, by in zip(plain, more, strict=True)])

    assert (0.0, 1.0, [-1.0, 3.0]) == (
        found[PLAIN]["more_percent"],
        found["metrics"]["more_percent"],
        found["metrics"]["more_percent_from_to"],
    )
    assert 1.03 == found["metrics"]["us"]


def test_each_way_has_as_many_slices_and_none_is_always_first() -> None:
    drawn = list(slices(("a", "b"), 50, seed=1))

    assert {"a", "b"} == set(drawn[::2])
    assert all({"a", "b"} == set(drawn[at : at + 2]) for at in range(0, 100, 2))


def test_the_clock_of_a_process_is_its_own() -> None:
    before, own = cpu_ns(os.getpid()), time.process_time_ns()
    while time.process_time_ns() < own + 20_000_000:
        pass

    assert abs(cpu_ns(os.getpid()) - before - 20_000_000) < 10_000_000


def test_the_middle_leaves_out_what_was_disturbed() -> None:
    assert [2.5, 7.0] == [middle([100.0, 2.0, 3.0, 0.0]), middle([7.0])]
