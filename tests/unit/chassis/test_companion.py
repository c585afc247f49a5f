"""What a worker owns besides its consumer: looked after by one thread, its trouble told by the heartbeat, its end awaited."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from chassis import heartbeat
from chassis.app import make_app
from chassis.companion import UNATTENDED_SECONDS, Attendant, CompanionOf
from chassis.settings import ServiceSettings
from chassis.worker_heartbeat import WorkerHeartbeat
from servers import wait_until


class Recorded:
    """A companion that says what it was told to, and who called it."""

    def __init__(self, *, fails: int = 0, clean: bool = True) -> None:
        self.said, self.fails, self.clean = "", fails, clean
        self.calls: list[str] = []
        self.threads: set[int] = set()

    def start(self) -> None:
        self._called("start")
        if self.fails:
            self.fails -= 1
            raise OSError("no memory")

    def check(self) -> str:
        self._called("check")
        if self.said == "raise":
            raise ValueError("broken")
        return self.said

    def stop(self) -> bool:
        self._called("stop")
        return self.clean

    def metrics(self) -> bytes:
        return b"one 1\n"

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.get_ident())


def attended(companion: Recorded) -> Attendant:
    made = Attendant(
        CompanionOf(lambda: companion, check_seconds=0.005, patience_seconds=7, serves_without_broker=True)
    )
    made.start()
    return made


def test_it_is_started_checked_and_stopped_by_one_thread_that_is_not_the_workers() -> None:
    companion = Recorded()
    attendant = attended(companion)
    wait_until(lambda: companion.calls.count("check") > 1 and not attendant.trouble(time.monotonic()), what="checks")

    attendant.end()

    assert companion.calls[0] == "start"
    assert companion.calls[-1] == "stop"
    assert len(companion.threads) == 1
    assert threading.get_ident() not in companion.threads
    assert attendant.clean


@pytest.mark.parametrize("said", ["the engine is dead", "raise"])
def test_its_trouble_is_told_until_it_is_over(said: str) -> None:
    companion = Recorded()
    attendant = attended(companion)
    companion.said = said
    wait_until(lambda: attendant.trouble(time.monotonic()) != "", what="trouble")
    companion.said = ""

    wait_until(lambda: attendant.trouble(time.monotonic()) == "", what="the end of it")
    attendant.end()


def test_one_that_cannot_start_is_tried_again() -> None:
    companion = Recorded(fails=2)
    attendant = attended(companion)

    wait_until(lambda: "check" in companion.calls, what="a start")
    attendant.end()
    assert companion.calls.count("start") == 3


def test_an_end_that_was_not_clean_is_told() -> None:
    attendant = attended(Recorded(clean=False))
    wait_until(lambda: not attendant.trouble(time.monotonic()), what="its start")

    attendant.end()

    assert not attendant.clean


def test_one_that_nobody_looks_after_is_in_trouble() -> None:
    attendant = Attendant(CompanionOf(Recorded))

    assert "looked after" in attendant.trouble(time.monotonic() + UNATTENDED_SECONDS + 1)


STATES = [
    (heartbeat.IDLE, "", heartbeat.IDLE),
    (heartbeat.IDLE, "dead", heartbeat.DEGRADED),
    (heartbeat.CANCELLED, "", heartbeat.CANCELLED),
    (heartbeat.UNREACHABLE, "", heartbeat.SERVING),
    (heartbeat.UNREACHABLE, "dead", heartbeat.DEGRADED),
    (heartbeat.DRAINING, "dead", heartbeat.DRAINING),
]


@pytest.mark.parametrize(("state", "trouble", "shown"), STATES)
def test_the_heartbeat_says_whose_trouble_it_is(state: str, trouble: str, shown: str) -> None:
    companion: Any = SimpleNamespace(
        trouble=lambda now: trouble, settings=CompanionOf(Recorded, serves_without_broker=True)
    )
    step = WorkerHeartbeat.__new__(WorkerHeartbeat)
    step._worker = SimpleNamespace(companion=companion)

    assert step._with_companion(state, "", 0.0)[0] == shown


def test_a_queue_that_is_none_of_the_app_has_no_companion() -> None:
    settings = ServiceSettings(database_url="postgresql+psycopg://h/d", broker_url="amqp://h/v")

    with pytest.raises(ValueError, match=r"shop\.other"):
        make_app("shop", ("shop.till",), settings, companions={"shop.other": CompanionOf(Recorded)})
