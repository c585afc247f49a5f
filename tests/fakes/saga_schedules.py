"""Random schedules for one order, and the laws that hold at the end of each; for a platform in memory and for one on real servers.

A schedule is a list of moves: perform a command under some fault, kill the worker before or after the effect, deliver a finished command
again, lose the row or the message, cancel (between two steps or in the middle of one), let the reservation run out, let the carrier
report, let a request that timed out arrive late. After the schedule the outside behaves, and everything open is run to its end.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from fakes.orders_world import Fault, FaultyOutside, nothing
from orders.domain.saga import Advance, Saga, cancel, deliver

Move = tuple[str, Fault]
WANTED = 2  # pieces of the one line

_PERFORM = ["perform"] * 3 + ["perform_last", "die_before", "die_after", "repeat", "lose_row", "lose_message"]
_PERFORM += ["cancel_meanwhile", "expire_meanwhile"]
_EVENTS = ["cancel", "expire", "delivered", "arrive"]
# One draw a move: hypothesis spends most of the time on draws.
MOVES = [(name, fault) for name in _PERFORM for fault in Fault] + [(name, Fault.NONE) for name in _EVENTS] * 3
# A clean start of random length brings the trouble to every step; events are rare, or most orders would end at once.
START = st.integers(0, 7).map(lambda n: [("perform", Fault.NONE)] * n)
TROUBLE = st.lists(st.sampled_from(MOVES), max_size=12)
SCHEDULES = st.tuples(START, TROUBLE).map(lambda parts: parts[0] + parts[1])


def random_schedule(dice: random.Random) -> list[Move]:
    """The same without hypothesis, which takes six times as long to make a schedule as it takes to run one."""
    return [("perform", Fault.NONE)] * dice.randrange(8) + [dice.choice(MOVES) for _ in range(dice.randrange(13))]


@dataclass(frozen=True)
class Evidence:
    """What ledgers and records say of the order afterwards; `effects` are the outside's, `moved` the stock's, in order."""

    saga: Saga
    needs_attention: str | None
    effects: Sequence[str]
    parcel: str | None
    stock_before: int
    free: int
    held: int
    moved: Sequence[str]
    passed: frozenset[str]
    told: frozenset[str]
    """The kinds of lines on the timeline."""
    mailed: frozenset[str]


class Platform(ABC):
    """One order, and whatever runs its commands."""

    outside: FaultyOutside

    @abstractmethod
    def perform(self, *, last: bool = False, dies: str = "") -> None:
        """Run the first (or last) open command, if there is one; the worker may die `before` or `after` the effect."""

    @abstractmethod
    def repeat(self) -> None:
        """Deliver the last message again."""

    @abstractmethod
    def lose_row(self) -> None:
        """Delete the open step's command behind everybody's back, and reconcile."""

    @abstractmethod
    def lose_message(self) -> None:
        """Let the broker forget a message on its way."""

    @abstractmethod
    def happen(self, kind: str, change: Callable[[Saga], Advance | None]) -> None:
        """Apply an event from outside to the saga."""

    @abstractmethod
    def expire(self) -> None:
        """Let the reservation run out."""

    @abstractmethod
    def drain(self) -> None:
        """Run everything open to its end."""

    @abstractmethod
    def evidence(self) -> Evidence:
        """What can be seen afterwards."""

    def move(self, name: str, fault: Fault) -> None:
        match name:
            case "cancel":
                self.happen("cancel_requested", cancel)
            case "delivered" if "taken" in self.outside.parcels.values():
                self.happen("carrier.delivered", deliver)
            case "arrive":
                self.outside.arrive()
            case "cancel_meanwhile" | "expire_meanwhile":
                # The use case has read the order and calls the outside; it will find another when it records what came of it.
                self.outside.meanwhile = (
                    self.expire if name.startswith("expire") else lambda: self.happen("cancel_requested", cancel)
                )
                self.outside.fault = fault
                self.perform()
                self.outside.fault, self.outside.meanwhile = Fault.NONE, nothing
            case "expire" | "repeat" | "lose_row" | "lose_message":
                getattr(self, name)()
            case "perform" | "perform_last" | "die_before" | "die_after":
                self.outside.fault = fault
                self.perform(last=name == "perform_last", dies=name[4:] if name.startswith("die_") else "")
                self.outside.fault = Fault.NONE

    def run(self, schedule: Sequence[Move]) -> Evidence:
        """Apply the schedule, let all trouble end, and tell."""
        for name, fault in schedule:
            self.move(name, fault)
        self.drain()
        self.outside.arrive()
        self.drain()
        return self.evidence()


def assert_ledgers_agree(seen: Evidence) -> None:
    """Nothing lost, nothing doubled, and nobody paid for what they do not have."""
    captured, refunded = seen.effects.count("capture"), seen.effects.count("refund")
    delivered = seen.saga.state == "delivered"

    assert seen.saga.state.final
    assert captured <= 1
    assert refunded <= captured
    assert seen.effects.count("shipment") <= 1
    assert captured - refunded == int(delivered)
    assert seen.effects.count("handover") == int(delivered)
    assert seen.held == 0
    assert seen.free == seen.stock_before - (WANTED if delivered else 0)
    assert len(set(seen.moved)) == len(seen.moved)
    assert seen.parcel in (("taken",) if delivered else (None, "void"))


def assert_mails_fit(seen: Evidence) -> None:
    """The customer was told of the states the order passed, and of no others."""
    last = seen.saga.state

    assert last in seen.mailed
    assert ("confirmation" in seen.mailed) == ("paid" in seen.passed or last == "delivered")
    assert not {"cancelled", "failed"} & (seen.mailed - {last})
    # Of a cancellation that was taken, the customer hears how it ended.
    too_late = "cancel_requested" in seen.told and last == "delivered"
    assert (too_late, too_late) == ("cancel_refused" in seen.mailed, "cancel_refused" in seen.told)
