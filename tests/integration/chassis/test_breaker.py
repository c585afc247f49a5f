"""The breaker's shared state on a real Valkey; its rules are unit tests, run here again on this state."""

import time

import pytest
import redis

from chassis.breaker import MEMORY_SECONDS, Breaker, SharedState
from chassis.errors import CircuitOpen, Transient
from servers import Valkey, wait_until


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Transient), breaker.guard():
            raise Transient("down")


def is_open(breaker: Breaker) -> bool:
    try:
        with breaker.guard():
            return False
    except CircuitOpen:
        return True


def test_what_one_process_finds_out_spares_the_others(store_url: str) -> None:
    one, other = (Breaker("bank", store_url=store_url) for _ in range(2))

    fail(one, 5)

    assert is_open(other)


def test_breakers_of_other_systems_are_untouched(store_url: str) -> None:
    fail(Breaker("bank", store_url=store_url), 5)

    assert not is_open(Breaker("post", store_url=store_url))


def test_an_open_circuit_names_the_seconds_to_wait(store_url: str) -> None:
    breaker = Breaker("bank", store_url=store_url, reset_seconds=5)
    fail(breaker, 5)

    with pytest.raises(CircuitOpen) as refused, breaker.guard():
        pytest.fail("was tried")

    assert refused.value.retry_after_seconds == pytest.approx(5, abs=1)


def test_after_the_pause_one_probe_is_let_through(store_url: str) -> None:
    state, other = (SharedState("bank", store_url, 1, 0.2) for _ in range(2))
    state.failed()
    wait_until(lambda: state.ask() < 0, what="the probe", seconds=5)

    assert other.ask() > 0


def test_a_probe_that_succeeds_closes_the_circuit_for_all(store_url: str) -> None:
    state, other = (SharedState("bank", store_url, 1, 0.1) for _ in range(2))
    state.failed()
    wait_until(lambda: state.ask() < 0, what="the probe", seconds=5)

    state.succeeded()

    assert other.ask() == 0


def test_a_probe_that_fails_opens_it_again(store_url: str) -> None:
    state = SharedState("bank", store_url, 3, 0.2)
    for _ in range(3):
        state.failed()
    wait_until(lambda: state.ask() < 0, what="the probe", seconds=5)

    state.failed()

    assert state.ask() > 0


def test_a_probe_that_says_nothing_lets_the_next_one_through(store_url: str) -> None:
    state = SharedState("bank", store_url, 1, 0.2)
    state.failed()
    wait_until(lambda: state.ask() < 0, what="the probe", seconds=5)

    state.undecided()

    assert state.ask() < 0


def test_an_answer_ends_the_row_of_failures(store_url: str) -> None:
    breaker = Breaker("bank", store_url=store_url)
    fail(breaker, 4)
    with breaker.guard():
        pass
    fail(breaker, 4)

    assert not is_open(breaker)


def test_without_its_store_a_process_keeps_its_own_state(valkey: Valkey, store_url: str) -> None:
    breaker = Breaker("bank", store_url=store_url)
    valkey.stop()
    try:
        fail(breaker, 5)

        assert is_open(breaker)
    finally:
        valkey.start()


def test_a_store_that_hangs_costs_little(valkey: Valkey, store_url: str) -> None:
    breaker = Breaker("bank", store_url=store_url)
    with breaker.guard():
        pass
    valkey.pause()
    try:
        began = time.monotonic()
        for _ in range(20):
            with breaker.guard():
                pass
        seconds = time.monotonic() - began
    finally:
        valkey.resume()

    assert seconds < 3


def test_failures_are_forgotten_after_a_while_without_a_new_one(store_url: str) -> None:
    SharedState("bank", store_url, 5, 1.0).failed()

    with redis.Redis.from_url(store_url) as client:
        assert MEMORY_SECONDS - 60 < client.ttl("breaker:{bank}:failures") <= MEMORY_SECONDS


def test_a_probe_that_failed_leaves_room_for_the_next_one(store_url: str) -> None:
    state = SharedState("bank", store_url, 1, 1.0)
    state.failed()
    with redis.Redis.from_url(store_url) as client:
        client.delete("breaker:{bank}:open")  # the pause is over
        assert state.ask() < 0
        state.failed()
        client.delete("breaker:{bank}:open")

    assert state.ask() < 0
