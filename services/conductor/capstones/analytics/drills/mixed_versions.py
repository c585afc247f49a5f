"""Two versions of the code side by side, as in every deploy: the previous one counts with this one, and batches of a format that only a
newer one knows are parked by an older aggregator until they can be counted.

The newer edge comes before the newer aggregator, which is the wrong order: nothing is lost by it.
"""

from conductor.capstones.analytics.drills.edge_kill import API
from conductor.capstones.analytics.targets import AGGREGATE
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

NEWER = """

def _newer() -> None:
    # Reads both formats, and writes the newer one.
    from analytics.domain import batch
    from analytics.usecases import collect

    decode, encode = batch.decode, batch.encode
    batch.decode = lambda body: decode(b"\\x01" + body[1:] if body[:1] == b"\\x02" else body)
    collect.encode = lambda found: b"\\x02" + encode(found)[1:]


_newer()
"""

PARKED = 3
"""Batches of the newer format that the older aggregator has parked before it is replaced."""


def play(session: LaptopSession) -> None:
    """Run the previous version beside this one; then a newer edge before a newer aggregator, and replay what was parked."""
    with session.load():
        with session.versions() as versions:
            versions.previous_beside()
            session.await_loaded()
            before = session.outbox.parked()
            session.reporter.phase("a newer edge writes batches that this aggregator does not know")
            versions.forward(API, NEWER)
            session.wait_for(
                lambda: session.outbox.parked() >= before + PARKED,
                lambda: f"{PARKED} parked batches (there are {session.outbox.parked() - before})",
            )
            versions.forward(AGGREGATE.pool, NEWER)
            replayed = session.replay_parked(*[one["id"] for one in session.parked()])
            session.reporter.tell(f"replayed {len(replayed)} batches that the older aggregator had parked")
            session.await_progress()
            # No older aggregator may meet a batch of the newer edge: the edge goes back first, and what it wrote is counted.
            versions.back(API)
            session.await_progress()
        session.await_progress()
    session.expect(session.outbox.parked() == before, f"{session.outbox.parked() - before} batches are still parked")


DRILL = Drill(
    "mixed-versions",
    "runs two versions of the code and two formats of batches side by side",
    on_laptop=play,
    requests=500,
)
