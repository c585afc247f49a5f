"""The store of the counters has no memory left and evicts nothing: aggregators wait until it has some again."""

import contextlib
from collections.abc import Iterator

from conductor.capstones.analytics import COUNTERS
from conductor.capstones.analytics.stalls import stall
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.redis_client import connected


def play(session: LaptopSession) -> None:
    """Take its memory away under load until an aggregator says so, and give it back."""
    with session.load() as workload:
        assert isinstance(workload, AnalyticsWorkload), "the load of this capstone"
        session.await_progress()
        session.reporter.tell(f"[red]{COUNTERS} is full[/red]")
        stall(session, workload, _full(session))
        session.reporter.tell(f"{COUNTERS} has memory again")
        session.await_progress()


@contextlib.contextmanager
def _full(session: LaptopSession) -> Iterator[None]:
    """No write is taken in the block."""
    _limit_memory(session, 1)
    try:
        yield
    finally:
        _limit_memory(session, 0)


def _limit_memory(session: LaptopSession, most_bytes: int) -> None:
    """0 is no limit."""
    with connected(session.access.addresses()[COUNTERS]) as store:
        store.config_set("maxmemory", most_bytes)


DRILL = Drill("counters-full", "takes all memory from the store of the counters", on_laptop=play, requests=500)
