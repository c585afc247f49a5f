"""A start without the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from chassis.gc_paused import gc_paused


@pytest.fixture(autouse=True)
def whole_collector() -> Iterator[None]:
    """The collector sees everything, before and after, whatever a test froze."""
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_during_the_start() -> None:
    with gc_paused():
        assert not gc.isenabled()


def test_what_the_start_made_is_never_searched_again() -> None:
    with gc_paused():
        made = ["a model"]

    assert gc.get_freeze_count() > 0
    assert not any(one is made for one in gc.get_objects())


def test_garbage_is_collected_after_the_start() -> None:
    with gc_paused():
        pass

    assert gc.isenabled()


def test_a_start_that_fails_leaves_the_collector_as_it_was() -> None:
    with pytest.raises(OSError, match="no port"), gc_paused():
        raise OSError("no port")

    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
