"""Laws of the orders' saga over random schedules: whatever fails, dies, repeats or comes late, the ledgers agree in the end.

The real use cases run in memory; tests/integration/orders/test_saga_on_servers.py asserts the same laws on real servers.
"""

import random
from collections.abc import Iterator

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from fakes.memory_platform import MemoryPlatform
from fakes.saga_schedules import SCHEDULES, Move, assert_ledgers_agree, assert_mails_fit, random_schedule


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """A thousand schedules log ten thousand errors, all of them meant."""
    with capture_logs():
        yield


def test_two_thousand_random_schedules_end_final_and_the_ledgers_agree() -> None:
    dice = random.Random()
    for _ in range(2000):
        schedule, stock = random_schedule(dice), dice.choice([1, 5, 5, 5])
        try:
            assert_ledgers_agree(MemoryPlatform(stock).run(schedule))
        except AssertionError as error:
            raise AssertionError(f"with {stock} in stock: {schedule}") from error


@settings(max_examples=250)
@given(schedule=SCHEDULES, stock=st.sampled_from([1, 5, 5, 5]))
def test_every_schedule_ends_final_and_the_ledgers_agree(schedule: list[Move], stock: int) -> None:
    seen = MemoryPlatform(stock).run(schedule)

    event(f"{seen.saga.state}")
    assert_ledgers_agree(seen)


@given(schedule=SCHEDULES)
def test_every_final_order_owes_its_customer_exactly_the_mails_of_the_states_it_passed(schedule: list[Move]) -> None:
    assert_mails_fit(MemoryPlatform(5).run(schedule))


@given(schedule=SCHEDULES)
def test_no_finished_order_needs_attention(schedule: list[Move]) -> None:
    seen = MemoryPlatform(5).run(schedule)

    assert seen.needs_attention is None
