"""What a batch consumer holds: messages that were delivered and are not acknowledged, in the order of their delivery. Pure.

A message that is delivered again is set apart from the fresh ones: some delivery of it ended a worker, so it may be the cause, and
whatever is flushed together with it would be delivered again with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False, slots=True)
class Held:
    """One message that is held, and what was read from it; `batch` is None until it was read."""

    message: Any
    batch: Any = None


@dataclass(slots=True)
class Window:
    """The messages that are held: `fresh` are flushed together, each of `alone` by itself."""

    fresh: list[Held] = field(default_factory=list)
    alone: list[Held] = field(default_factory=list)
    parking: list[Held] = field(default_factory=list)
    """Given to the parking, which acknowledges each after its commit."""

    def add(self, message: Any) -> None:
        """Hold one more message."""
        (self.alone if redelivered(message) else self.fresh).append(Held(message))

    def isolate(self) -> None:
        """Flush what is fresh one by one from now on, because together it failed."""
        self.alone = self.fresh + self.alone
        self.fresh = []

    def park(self, held: Held) -> None:
        """Leave a message to the parking."""
        self.take_out([held])
        self.parking.append(held)

    def take_out(self, done: Iterable[Held]) -> None:
        """Forget messages that are flushed."""
        gone = set(map(id, done))
        self.fresh = [held for held in self.fresh if id(held) not in gone]
        self.alone = [held for held in self.alone if id(held) not in gone]

    def clear(self) -> None:
        """Forget all, because their connection is lost and they will be delivered again."""
        self.fresh, self.alone, self.parking = [], [], []

    def __len__(self) -> int:
        """Number of messages that are not acknowledged."""
        self.parking = [held for held in self.parking if not held.message.acknowledged]
        return len(self.fresh) + len(self.alone) + len(self.parking)

    def oldest_tag(self) -> int | None:
        """The lowest delivery tag that is held; None when nothing is held."""
        len(self)
        return min((held.message.delivery_tag for held in (*self.fresh, *self.alone, *self.parking)), default=None)


def redelivered(message: Any) -> bool:
    """Whether the broker delivered this message before: a flag of the delivery on RabbitMQ, a header on Redis (kombu)."""
    return bool((message.delivery_info or {}).get("redelivered") or (message.headers or {}).get("redelivered"))


def acknowledge(done: list[Held], oldest_left: int | None) -> None:
    """Acknowledge flushed messages that are out of the window. `oldest_left` is the lowest delivery tag still held.

    On RabbitMQ one frame acknowledges all tags up to one, so it may only be sent below the oldest that is held. Raises what the
    connection raises.
    """
    if not done:
        return
    if not isinstance(done[0].message.delivery_tag, int):  # kombu's virtual transports have no acknowledging of several
        for held in done:
            held.message.ack()
        return
    below = [held for held in done if oldest_left is None or held.message.delivery_tag < oldest_left]
    if below:
        max(below, key=lambda held: held.message.delivery_tag).message.ack(multiple=True)
    for held in done:
        if oldest_left is not None and held.message.delivery_tag > oldest_left:
            held.message.ack()
