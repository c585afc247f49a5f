"""Two versions of the code side by side, as in every deploy: the previous commit's works with this one's, and what only a newer version
knows is put aside by an older one until it can be run.
"""

import json
import shutil
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import psycopg

from conductor import history
from conductor.cluster.install import RELEASE
from conductor.errors import Refused
from conductor.harness import parked
from conductor.harness.cluster_session import ClusterStage
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.laptop.platform import APPLICATION
from conductor.run_directory import CHECKOUT
from conductor.runtime import Change

NEWER_COMMANDS = 5
BESIDE = ("api", "relay", "saga", "payments")
"""Who writes commands, who publishes them, and two who run them: in a cluster one pod of each is newer."""

MANY_NEWER_COMMANDS = 40
"""In a cluster, where either version may get each of them."""

WORKED_OFF_SECONDS = 120.0
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
    orders = [accepted.order_id for accepted in history.read([stage.journal.path]).accepted.values()][-NEWER_COMMANDS:]
    before = _noted(stage)
    with psycopg.connect(stage.runtime.addresses()["database"]) as connection:
        for order_id in orders:
            connection.execute(_PUT, [f"{order_id}/note_v2", NEWER_TASK, order_id])
    stage.wait_for(lambda: _parked(stage) >= len(orders), f"{len(orders)} commands to be parked as unknown")
    stage.story.tell(f"{len(orders)} commands are parked: this version has no {NEWER_TASK}")
    stage.roll("saga", newer)
    replayed = parked.replay(
        stage.runtime, *[one["id"] for one in parked.parked(stage.runtime) if one["task"] == NEWER_TASK]
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


def play_on_cluster(stage: ClusterStage) -> None:
    """Run pods of a newer version beside the pools' own, then that version alone, and in the end what there was before."""
    runtime = stage.runtime
    if runtime.next_tag is None:
        raise Refused("--next-tag: which image is the newer version?")
    before = runtime.values()
    told = before.get("pools") or {}
    canary = {"canary": {"tag": runtime.next_tag, "replicas": 1}}
    with stage.orders():
        try:
            stage.await_open()
            runtime.deploy(
                values={**before, "pools": {**told, **{name: {**told.get(name, {}), **canary} for name in BESIDE}}}
            )
            stage.story.phase(f"{runtime.tag} and {runtime.next_tag} side by side: {', '.join(BESIDE)}")
            _knows(stage, f"deployment/{RELEASE}-saga-canary")
            stage.await_open()
            stage.await_progress()
            orders = _put_newer(stage)
            stage.await_open()
            runtime.deploy(f"image.tag={runtime.next_tag}", values=before)
            stage.story.tell(f"every pod is {runtime.next_tag}")
            _replay_newer(stage, orders)
        finally:
            runtime.deploy(values=before)
            stage.story.tell(f"every pod is {runtime.tag} again")
        stage.await_progress()
    stage.expect_no_failed_request()


def _knows(stage: ClusterStage, newer: str) -> None:
    script = f"from {APPLICATION} import app; print({NEWER_TASK!r} in app.tasks)"
    if stage.runtime.inside(newer, "python", "-c", script).split()[-1] != "True":
        raise Refused(f"--next-tag {stage.runtime.next_tag}: that version has no {NEWER_TASK}, as tests/e2e build it")


def _put_newer(stage: ClusterStage) -> list[str]:
    """Issue commands that only the newer version knows, and wait until each was done by it or put aside by the older one."""
    orders = [str(order) for order in stage.ask("accepted", last=MANY_NEWER_COMMANDS)["orders"]]
    statement = " ".join(_PUT.split()).replace("%s", "{!r}")
    stage.runtime.sql("".join(f"{statement.format(f'{order}/note_v2', NEWER_TASK, order)};" for order in orders))
    told = {"parked": 0, "done": 0}

    def each() -> bool:
        told["parked"], told["done"] = _parked_here(stage), _noted_here(stage, orders)[0]
        return sum(told.values()) >= len(orders)

    stage.wait_for(each, f"{len(orders)} newer commands to be done or parked: {told}", WORKED_OFF_SECONDS)
    stage.expect(told["parked"] > 0, f"no {NEWER_TASK} reached {stage.runtime.tag}")
    stage.story.tell(f"of {len(orders)} {NEWER_TASK} the older version parked {told['parked']}")
    return orders


def _replay_newer(stage: ClusterStage, orders: list[str]) -> None:
    tool = ("python", "-m", "chassis.parked", APPLICATION)
    pod = f"deployment/{RELEASE}-saga"
    records = json.loads(stage.runtime.inside(pod, *tool, "list", "--json").splitlines()[-1])["records"]
    ids = [str(one["id"]) for one in records if one["task"] == NEWER_TASK]
    stage.runtime.inside(pod, *tool, "replay", *ids, "--actor", "drill", "--json")
    stage.wait_for(
        lambda: _noted_here(stage, orders)[0] >= len(orders), "the replayed commands to be done", WORKED_OFF_SECONDS
    )
    count, distinct = _noted_here(stage, orders)
    stage.expect(count == distinct, f"{count - distinct} newer commands were done twice")
    stage.story.tell(f"replayed {len(ids)}; the newer version did all {count}, each once")


def _parked_here(stage: ClusterStage) -> int:
    return int(stage.runtime.sql(_PARKED.replace("%s", f"{NEWER_TASK!r}"))[0][0])


def _noted_here(stage: ClusterStage, orders: list[str]) -> tuple[int, int]:
    among = ", ".join(f"{order!r}" for order in orders)
    found = stage.runtime.sql(f"{_NOTED} AND order_id::text IN ({among})")[0]
    return int(found[0]), int(found[1])


DRILL = Drill("mixed-versions", "runs two versions of the code side by side", play, play_on_cluster, orders=500)
