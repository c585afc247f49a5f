"""Two versions of the code side by side, as in every deploy: the previous one works with this one, and what only a newer version knows is
parked by an older one until it can be processed.
"""

import json

from conductor.capabilities import HasNewerVersion
from conductor.capstone import capability
from conductor.harness import cluster_versions
from conductor.harness.drill import Drill
from conductor.harness.session import Session

NEWER_COMMANDS = 40
"""So many that either version gets some of them, where both run."""

WORKED_OFF_SECONDS = 120.0

# Each is due a moment after the one before: those that are due together go in one message, and all of them to one version.
_PUT = """
    INSERT INTO outbox (key, task, queue, body, due_at)
    SELECT key, %s, %s, body::jsonb, clock_timestamp() + place * interval '100 ms'
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS command (key, body, place)
"""
_PARKED = "SELECT count(*) FROM parked WHERE task = %s AND status = 'parked' AND reason = 'unknown_task'"


def play(session: Session) -> None:
    """Run the previous version beside this one, and then a newer one, whose task comes too early."""
    with session.load():
        with session.versions() as versions:
            versions.previous_beside()
            session.await_loaded()
            versions.newer_beside()
            session.await_progress()
            requests = _put(session)
            session.await_loaded()
            versions.newer_alone()
            _replay(session, requests)
        session.await_progress()
    session.expect_no_failed_request()


def _put(session: Session) -> list[str]:
    """Issue commands that only the newer version knows, and wait until each was done by it or parked by the older one."""
    newer = capability(session.capstone, HasNewerVersion)
    requests = session.accepted(NEWER_COMMANDS)
    keys = [f"{request}/newer" for request in requests]
    bodies = [json.dumps(newer.body(request)) for request in requests]
    queue = session.runtime.pools()[newer.pool].queues[0]
    session.sql(_PUT, newer.task, queue, keys, bodies)
    told = {"parked": 0, "done": 0}

    def each() -> bool:
        told["parked"] = int(session.sql(_PARKED, newer.task)[0][0])
        told["done"] = _done(session, requests)[0]
        return sum(told.values()) >= len(requests)

    session.wait_for(each, lambda: f"{len(requests)} newer commands to be done or parked: {told}", WORKED_OFF_SECONDS)
    session.expect(told["parked"] > 0, f"no {newer.task} reached the older version")
    session.reporter.tell(
        f"of {len(requests)} {newer.task} the older version, which has no such task, parked {told['parked']}"
    )
    return requests


def _replay(session: Session, requests: list[str]) -> None:
    task = capability(session.capstone, HasNewerVersion).task
    replayed = session.replay_parked(*[one["id"] for one in session.parked() if one["task"] == task])
    session.wait_for(
        lambda: _done(session, requests)[0] >= len(requests), "the replayed commands to be done", WORKED_OFF_SECONDS
    )
    count, distinct = _done(session, requests)
    session.expect(count == distinct, f"{count - distinct} newer commands were done twice")
    session.reporter.tell(f"replayed {len(replayed)}; the newer version did all {count}, each once")


def _done(session: Session, requests: list[str]) -> tuple[int, int]:
    row = session.sql(capability(session.capstone, HasNewerVersion).done, requests)[0]
    return int(row[0]), int(row[1])


DRILL = Drill(
    "mixed-versions",
    "runs two versions of the code side by side",
    play,
    needs=(HasNewerVersion,),
    requests=500,
    prerequisite=cluster_versions.newer_tag,
)
