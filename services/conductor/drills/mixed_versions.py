"""Two versions of the code side by side, as in every deploy: the previous commit's works with this one's, and what only a newer version
knows is put aside by an older one until it can be run.
"""

import shutil
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import psycopg

from conductor import journal, parked_client
from conductor.drills import Drill
from conductor.run_directory import CHECKOUT
from conductor.runtimes import Change
from conductor.stage import Stage

NEWER_COMMANDS = 5
SMALL_POOLS = ("api", "relay", "payments")
"""Who writes commands, who publishes them, who runs them: in a small drill one of each goes back."""

# A newer version has one task more.
NEWER_TASK = "orders.note_v2"
NEWER_CODE = """

def _note(conn: Any, works: Any) -> Any:
    import sqlalchemy as sa

    from chassis.outbox import Done

    statement = sa.text("INSERT INTO timeline (order_id, kind) VALUES (CAST(:order AS uuid), 'v2.noted')")
    for work in works:
        conn.execute(statement, {"order": work.body["order"]})
    return {work.id: Done() for work in works}


tasks._batch(app, "orders.note_v2", lambda ids: _orders()._runner.run(ids, _note))
"""

_PUT = """
    INSERT INTO outbox (key, task, queue, body) VALUES (%s, %s, 'orders.saga', jsonb_build_object('v', 1, 'order', %s::text))
"""
_PARKED = "SELECT count(*) FROM parked WHERE task = %s AND status = 'parked' AND reason = 'unknown_task'"
_NOTED = "SELECT count(*), count(DISTINCT order_id) FROM timeline WHERE kind = 'v2.noted'"


def play(stage: Stage) -> None:
    """Roll to the previous code and back, pool by pool; then to a newer one, whose task came too early."""
    with tempfile.TemporaryDirectory(prefix="capstone-versions-") as folder, stage.orders():
        previous = _previous(Path(folder) / "previous")
        if previous is None:
            stage.story.tell("there is no previous commit here: this version is its own predecessor")
        else:
            _beside_previous(stage, Change(code=previous))
        _newer(stage, Change(code=_next(Path(folder) / "next")))
        # The code goes with its folder: whoever runs it is rolled back first.
        stage.roll("saga")


def _beside_previous(stage: Stage, previous: Change) -> None:
    pools = list(stage.runtime.pools()) if stage.size.large else list(SMALL_POOLS)
    stage.story.phase("the previous commit's code beside this one's")
    for pool in pools:
        stage.await_open()
        stage.story.tell(f"{pool} goes back to the previous commit")
        stage.roll(pool, previous)
        stage.await_progress(1)
    stage.story.phase("and forward again")
    for pool in reversed(pools):
        stage.await_open()
        stage.roll(pool)
        stage.await_progress(1)


def _newer(stage: Stage, newer: Change) -> None:
    stage.story.phase(f"a newer version's {NEWER_TASK} reaches this one")
    stage.await_open()
    orders = [accepted.order_id for accepted in journal.read([stage.journal.path]).accepted.values()][-NEWER_COMMANDS:]
    before = _noted(stage)
    with psycopg.connect(stage.runtime.addresses()["database"]) as connection:
        for order_id in orders:
            connection.execute(_PUT, [f"{order_id}/note_v2", NEWER_TASK, order_id])
    stage.wait_for(lambda: _parked(stage) >= len(orders), f"{len(orders)} commands to be parked as unknown")
    stage.story.tell(f"{len(orders)} commands are parked: this version has no {NEWER_TASK}")
    stage.roll("saga", newer)
    replayed = parked_client.replay(
        stage.runtime, *[one["id"] for one in parked_client.parked(stage.runtime) if one["task"] == NEWER_TASK]
    )
    stage.wait_for(lambda: _noted(stage)[0] >= before[0] + len(orders), "the replayed commands to be done")
    count, distinct = _noted(stage)
    stage.expect(count == distinct, f"{count - distinct} replayed commands were done twice")
    stage.story.tell(f"replayed {len(replayed)}; the newer version did them, each once")


def _parked(stage: Stage) -> int:
    rows = stage.facts.rows(_PARKED, NEWER_TASK)
    return int(rows[0][0]) if rows else 0


def _noted(stage: Stage) -> tuple[int, int]:
    rows = stage.facts.rows(_NOTED)
    return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)


def _previous(folder: Path) -> Path | None:
    """The services of the commit before the last one, unpacked; None where there is none (no git, no history)."""
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", "HEAD~1", "services"], cwd=CHECKOUT, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder if (folder / "services" / "orders" / "app.py").exists() else None


def _next(folder: Path) -> Path:
    """This checkout's services with one task more."""
    for package in ("chassis", "orders"):
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(CHECKOUT / "services" / package, folder / "services" / package, ignore=ignored)
    with (folder / "services" / "orders" / "app.py").open("a") as app:
        app.write(NEWER_CODE)
    return folder


DRILL = Drill("mixed-versions", "runs two versions of the code side by side", play, orders=500)
