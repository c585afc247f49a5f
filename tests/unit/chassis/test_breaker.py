"""The breaker's rules, in one process, with time as an argument."""

import pytest
from redis.exceptions import RedisError

from chassis.breaker import STORE_RETRY_SECONDS, Breaker, SharedState
from chassis.errors import CircuitOpen, Permanent, Transient


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("bank", failure_threshold=3, reset_seconds=5, clock=clock)


def call(breaker: Breaker, outcome: Exception | None = None) -> str:
    """Make one call that ends so; what became of it."""
    try:
        with breaker.guard():
            if outcome is not None:
                raise outcome
    except CircuitOpen:
        return "refused"
    except (Transient, Permanent, KeyError):
        return "failed"
    return "answered"


def trip(breaker: Breaker) -> None:
    for _ in range(3):
        call(breaker, Transient("down"))


def test_failures_below_the_threshold_change_nothing(breaker: Breaker) -> None:
    outcomes = [call(breaker, Transient("down")) for _ in range(2)]

    assert [*outcomes, call(breaker)] == ["failed", "failed", "answered"]


def test_the_next_probe_may_go_when_the_time_of_the_last_is_over(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0
    with breaker.guard():
        clock.now = 14.9
        refused = call(breaker)
        clock.now = 15.0
        with breaker.guard():
            beside_it = call(breaker)

    assert ("refused", "refused") == (refused, beside_it)


def test_at_the_threshold_nothing_is_tried_any_more(breaker: Breaker) -> None:
    trip(breaker)

    assert call(breaker) == "refused"


def test_a_refusal_names_the_system_and_the_seconds_to_wait(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 2.0

    with pytest.raises(CircuitOpen, match="bank is known to be down") as refused, breaker.guard():
        pytest.fail("was tried")

    assert refused.value.retry_after_seconds == 3.0


def test_an_answer_ends_the_row(breaker: Breaker) -> None:
    for _ in range(2):
        call(breaker, Transient("down"))
    call(breaker)
    for _ in range(2):
        call(breaker, Transient("down"))

    assert call(breaker) == "answered"


def test_a_permanent_error_is_an_answer(breaker: Breaker) -> None:
    for _ in range(2):
        call(breaker, Transient("down"))
    call(breaker, Permanent("declined"))
    call(breaker, Transient("down"))

    assert call(breaker) == "answered"


def test_a_bug_says_nothing_about_the_outside(breaker: Breaker) -> None:
    for _ in range(5):
        call(breaker, KeyError("bug"))

    assert call(breaker) == "answered"


def test_a_bug_does_not_end_the_row(breaker: Breaker) -> None:
    for _ in range(2):
        call(breaker, Transient("down"))
    call(breaker, KeyError("bug"))
    call(breaker, Transient("down"))

    assert call(breaker) == "refused"


def test_after_the_pause_one_probe_goes_through_and_the_rest_wait(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0

    with breaker.guard():
        others = [call(breaker) for _ in range(3)]

    assert others == ["refused"] * 3


def test_a_probe_that_is_answered_closes_the_circuit(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0

    assert [call(breaker), call(breaker)] == ["answered", "answered"]


def test_a_probe_that_fails_opens_the_circuit_again(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0
    call(breaker, Transient("still down"))
    clock.now = 9.9

    assert call(breaker) == "refused"


def test_a_probe_that_ends_in_a_bug_lets_the_next_one_through(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0
    call(breaker, KeyError("bug"))

    assert call(breaker) == "answered"


def test_a_probe_whose_process_died_is_not_waited_for_for_ever(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0
    breaker._own.ask()
    clock.now = 15.0

    assert call(breaker) == "answered"


def test_a_circuit_that_is_open_further_out_is_no_failure_of_this_one(breaker: Breaker) -> None:
    for _ in range(5):
        call(breaker, CircuitOpen("another"))

    assert call(breaker) == "answered"


def test_a_pause_after_a_failed_probe_is_as_long_as_the_first(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0
    call(breaker, Transient("still down"))
    clock.now = 10.0

    assert "answered" == call(breaker)


def test_another_breakers_refusal_inside_is_no_failure(breaker: Breaker) -> None:
    for _ in range(5):
        call(breaker, CircuitOpen("another system"))

    assert "answered" == call(breaker)


def test_a_probe_that_another_breaker_refused_lets_the_next_one_through(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now = 5.0
    call(breaker, CircuitOpen("another system"))

    assert "answered" == call(breaker)


@pytest.mark.parametrize("error", [CircuitOpen("x"), Transient("x"), Permanent("x"), KeyError("x")])
def test_every_error_reaches_the_caller(breaker: Breaker, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, breaker.guard():
        raise error

    assert raised.value is error


class AwayStore:
    """A shared state whose store does not answer; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def _away(self) -> float:
        self.asked += 1
        raise RedisError

    ask = succeeded = failed = undecided = _away


def test_a_store_that_is_away_is_left_alone_for_a_while(clock: Clock) -> None:
    breaker, store = Breaker("bank", clock=clock), AwayStore()
    breaker._shared = store  # type: ignore[assignment]
    asked = []
    for clock.now in (0.0, STORE_RETRY_SECONDS - 0.1, STORE_RETRY_SECONDS):
        call(breaker)
        asked.append(store.asked)

    assert [1, 1, 2] == asked


def test_a_process_keeps_its_connection_to_the_store_and_its_child_makes_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = SharedState("bank", "redis://127.0.0.1:1/0", 5, 5.0)
    mine = state._connected()
    kept = state._connected()
    monkeypatch.setattr("os.getpid", lambda: -1)

    assert kept is mine
    assert state._connected() is not mine
