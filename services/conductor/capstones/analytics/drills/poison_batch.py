"""Batches that cannot be read come between the others: each is parked with the reason, and no other one waits or is lost."""

from conductor.capstones.analytics.targets import AGGREGATE
from conductor.harness.broker_client import BrokerClient
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "no batch": b"\xff\xfe\x00",
    "JSON": b'{"events": []}',
    "a version from the future": b"\xc8" + b"\x90",
    "a batch that was cut off": b"\x01\x94\xcf\x00\x00",
    "a batch without columns": b"\x01\x90",
}

ROUNDS, SMALL_ROUNDS = 10, 2


def play(session: LaptopSession) -> None:
    """Send each of them in every round under load."""
    (queue,) = session.runtime.pools()[AGGREGATE.pool].queues
    rounds = ROUNDS if session.size.large else SMALL_ROUNDS
    before = session.outbox.parked()
    with session.load():
        for number in range(1, rounds + 1):
            session.await_loaded()
            with BrokerClient.of(session.runtime) as broker:
                for body in UNREADABLE.values():
                    broker.send_raw(
                        queue, body, headers={}, content_type="application/octet-stream", content_encoding="binary"
                    )
            _await_parked(session, before + number * len(UNREADABLE))
            session.await_progress()
            session.reporter.tell(f"parked, and nothing waits behind them: {'; '.join(UNREADABLE)}")
    session.drop_parked(*[one["id"] for one in session.parked()])


def _await_parked(session: LaptopSession, wanted: int) -> None:
    session.wait_for(
        lambda: session.outbox.parked() >= wanted,
        lambda: f"{wanted} parked batches (there are {session.outbox.parked()})",
    )


DRILL = Drill("poison-batch", "sends batches that cannot be read", on_laptop=play, requests=500)
