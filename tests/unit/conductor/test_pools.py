"""Pools: what is read, what is refused, and the command lines that come out."""

import sys
from pathlib import Path
from typing import Any

import pytest

from chassis.database import CONNECT_SECONDS
from chassis.work import LAST_SECONDS
from conductor import pools
from conductor.drills import stuck_consumer
from conductor.errors import PoolsRefused
from conductor.harness import runner
from conductor.laptop import environment
from conductor.run_directory import RunDirectory, values

DEFAULTS: dict[str, Any] = {
    "replicas": 1,
    "poolType": "prefork",
    "prefetch": 1,
    "timeLimitSeconds": 60,
    "softTimeLimitSeconds": 45,
    "preStopSeconds": 0,
    "drainSeconds": 65,
    "graceSeconds": 75,
    "startupSeconds": 60,
}
WORKER: dict[str, Any] = {"role": "worker", "queues": ["orders.saga"], "concurrency": 2}


def parse(**own: Any) -> pools.Pool:
    return pools.parse({"defaults": DEFAULTS, "pools": {"saga": {**WORKER, **own}}})["saga"]


def test_the_chart_holds_the_pools_of_the_orders_capstone() -> None:
    found = pools.load(values("orders"))

    assert list(found) == ["api", "relay", "beat", "saga", "payments", "fulfilment", "notifications"]


def test_a_pool_says_only_what_differs_from_the_defaults() -> None:
    assert parse(drainSeconds=70).drain_seconds == 70
    assert parse().drain_seconds == 65


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"concurency": 2}, "pools.saga.concurency: Extra inputs are not permitted"),
        ({"queues": []}, "pools.saga: queues is missing: a worker consumes what it names, never a default queue"),
        (
            {"concurrency": None},
            "pools.saga: concurrency is missing: the number of cores of the machine is no default",
        ),
        (
            {"timeLimitSeconds": None},
            "pools.saga: timeLimitSeconds is missing: a task without a limit holds its child for ever",
        ),
        (
            {"softTimeLimitSeconds": 60},
            "pools.saga: softTimeLimitSeconds 60 must be less than timeLimitSeconds 60",
        ),
        (
            {"drainSeconds": 64},
            "pools.saga: drainSeconds 64 is less than timeLimitSeconds 60 + 5 to record the outcome",
        ),
        (
            {"preStopSeconds": 11},
            "pools.saga: graceSeconds 75 is less than preStopSeconds 11 + drainSeconds 65",
        ),
        ({"poolType": "solo"}, "pools.saga: concurrency 2 with poolType solo: it runs one task at a time"),
        ({"concurrency": 0}, "pools.saga.concurrency: Input should be greater than or equal to 1"),
        (
            {"role": "beat", "replicas": 2, "queues": []},
            "pools.saga: replicas 2: more than one beat doubles every periodic task",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_its_path_and_its_numbers(own: dict[str, Any], message: str) -> None:
    with pytest.raises(PoolsRefused) as refused:
        parse(**own)

    assert message == str(refused.value)


def test_an_unknown_key_of_the_file_is_refused() -> None:
    with pytest.raises(PoolsRefused, match=r"^pool: unknown key"):
        pools.parse({"pool": {}})


def test_a_file_without_pools_is_refused() -> None:
    with pytest.raises(PoolsRefused, match=r"^pools: a map of at least one pool"):
        pools.parse({"defaults": DEFAULTS})


def test_a_worker_consumes_its_queues_within_its_limits() -> None:
    line = pools.command(parse(maxTasksPerChild=100), "rabbitmq", app="orders.app", hostname="saga-g1-0@here")

    expected = (
        "-m celery --app orders.app:app worker --queues orders.saga --concurrency 2 --pool prefork"
        " --hostname saga-g1-0@here --without-gossip --without-mingle --prefetch-multiplier 1"
        " --time-limit 60 --soft-time-limit 45 --max-tasks-per-child 100 --loglevel INFO"
    )
    assert [sys.executable, *expected.split()] == line


def test_a_worker_on_valkey_takes_nothing_that_no_child_is_free_for() -> None:
    assert "--disable-prefetch" in pools.command(parse(), "valkey", app="orders.app", hostname="a@b")
    assert "--disable-prefetch" not in pools.command(parse(), "rabbitmq", app="orders.app", hostname="a@b")


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("api", "-m chassis.serve orders.app"),
        ("relay", "-m chassis.relay orders.app"),
        ("beat", "-m celery --app orders.app:app beat --schedule /run/schedule --loglevel INFO"),
    ],
)
def test_the_other_roles_have_one_line_each(role: str, expected: str) -> None:
    pool = parse(role=role, queues=[])

    line = pools.command(pool, "rabbitmq", app="orders.app", hostname="a@b", schedule=Path("/run/schedule"))

    assert [sys.executable, *expected.split()] == line


def limits(name: str) -> list[tuple[int, int]]:
    """The soft and the hard limit of every pool of a capstone that has both."""
    found = pools.load(values(name)).values()
    return [(p.soft_time_limit_seconds, p.time_limit_seconds) for p in found if p.soft_time_limit_seconds]


@pytest.mark.parametrize(
    ("soft_seconds", "hard_seconds"),
    [
        *limits("orders"),
        *limits("analytics"),
        *((p["softTimeLimitSeconds"], p["timeLimitSeconds"]) for p in (runner.POOLS, stuck_consumer.DRILL.pools)),
    ],
)
def test_a_task_that_is_cut_short_has_said_so_before_its_child_is_killed(soft_seconds: int, hard_seconds: int) -> None:
    assert hard_seconds - soft_seconds > LAST_SECONDS + CONNECT_SECONDS


@pytest.mark.parametrize(
    ("own", "old_first"),
    [
        ({}, False),
        ({"kind": "StatefulSet"}, True),
        ({"role": "beat", "queues": []}, True),
        ({"role": "api", "queues": []}, False),
    ],
)
def test_what_its_name_holds_has_one_holder(own: dict[str, Any], old_first: bool) -> None:
    assert old_first == parse(**own).old_first


def test_a_process_of_a_stateful_set_keeps_its_folder_from_generation_to_generation(tmp_path: Path) -> None:
    run, stateful = RunDirectory(tmp_path), parse(kind="StatefulSet")

    def told(pool: pools.Pool, name: str, replica: int) -> str | None:
        return environment.process(run, "orders", 8000, pool, name, replica, code=None).get("DATA_DIR")

    first = told(stateful, "orders.saga-g1-0", 0)
    assert first == told(stateful, "orders.saga-g2-0", 0)
    assert first != told(stateful, "orders.saga-g2-1", 1)
    assert told(parse(), "orders.saga-g1-0", 0) is None
