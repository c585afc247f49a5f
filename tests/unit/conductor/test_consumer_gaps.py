"""How long no consumer was seen; time is an argument."""

from conductor.harness.consumer_gaps import Gaps

QUEUES = ("orders.saga", "orders.payments")


def watched(*looks: tuple[float, dict[str, int]]) -> Gaps:
    gaps = Gaps(QUEUES, now=0.0)
    for at, consumers in looks:
        gaps.look(consumers, at)
    return gaps


def test_between_two_sights_of_a_consumer_there_may_have_been_none() -> None:
    gaps = watched((0.1, {"orders.saga": 1, "orders.payments": 1}), (0.3, {"orders.saga": 2, "orders.payments": 1}))

    assert {"orders.saga": 0.2, "orders.payments": 0.2} == gaps.told(0.3)["gaps"]


def test_a_gap_lasts_from_the_last_sight_to_the_next() -> None:
    both = {"orders.saga": 1, "orders.payments": 1}
    gaps = watched((1.0, both), (2.0, {"orders.saga": 0, "orders.payments": 1}), (4.5, both), (5.0, both))

    told = gaps.told(5.0)

    assert {"orders.saga": 3.5, "orders.payments": 2.5} == told["gaps"]
    assert {"orders.saga": [0, 1], "orders.payments": [1, 1]} == told["consumers"]
    assert (4, 2.5) == (told["looks"], told["coarsest"])


def test_a_queue_that_is_not_there_has_no_consumer() -> None:
    gaps = watched((1.0, {"orders.payments": 1}), (2.0, {"orders.payments": 1}))

    assert {"orders.saga": 2.0, "orders.payments": 1.0} == gaps.told(2.0)["gaps"]


def test_a_gap_that_goes_on_counts() -> None:
    gaps = watched((1.0, {"orders.saga": 1, "orders.payments": 1}))

    assert {"orders.saga": 8.0, "orders.payments": 8.0} == gaps.told(9.0)["gaps"]
