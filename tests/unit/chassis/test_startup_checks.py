"""The command lines that a worker refuses."""

from types import SimpleNamespace
from typing import Any

import pytest

from chassis.startup_checks import check_startup, problems

GOOD = {"concurrency": 2, "time_limit": 30, "soft_time_limit": 20, "prefetch_multiplier": 1}


def worker(redis: bool = False, tasks: dict[str, bool] | None = None, **shape: Any) -> Any:
    settings = SimpleNamespace(broker_is_redis=redis, visibility_timeout_seconds=60)
    registered = {name: SimpleNamespace(acks_late=late) for name, late in (tasks or {}).items()}
    app = SimpleNamespace(settings=settings, tasks=registered, conf=SimpleNamespace(task_acks_late=True))
    app.service_queues, app.batch_queues = ("shop.till",), {"shop.columns": object()}
    return SimpleNamespace(app=app, **{**GOOD, **shape})


def test_a_complete_command_line_is_taken() -> None:
    assert problems(worker(tasks={"shop.note": True, "celery.chord": False}), {}) == []


BAD = {
    "no concurrency": ({"concurrency": None}, "--concurrency"),
    "a concurrency that depends on the node": ({"concurrency": "auto"}, "--concurrency"),
    "a concurrency of none": ({"concurrency": 0}, "--concurrency"),
    "no hard limit": ({"time_limit": None}, "--time-limit"),
    "no soft limit": ({"soft_time_limit": None}, "--soft-time-limit"),
    "a soft limit that is the hard one": ({"soft_time_limit": 30}, "--soft-time-limit"),
    "a soft limit beyond the hard one": ({"soft_time_limit": 40}, "--soft-time-limit"),
    "a limit beyond the visibility timeout": ({"redis": True, "time_limit": 60}, "VISIBILITY_TIMEOUT_SECONDS 60"),
    "a limit beyond the consumer timeout": ({"time_limit": 1800}, "1800 s that RabbitMQ waits"),
    "prefetching": ({"prefetch_multiplier": 4}, "--prefetch-multiplier"),
    "prefetching without end": ({"prefetch_multiplier": 0}, "--prefetch-multiplier"),
    "a task that acknowledges early": ({"tasks": {"shop.note": False}}, "shop.note"),
}


@pytest.mark.parametrize(("shape", "named"), BAD.values(), ids=BAD)
def test_a_worker_refuses(shape: dict[str, Any], named: str) -> None:
    found = problems(worker(**shape), {})

    assert len(found) == 1
    assert named in found[0]


@pytest.mark.parametrize("option", ["autoscale", "beat"])
def test_a_worker_refuses_the_option(option: str) -> None:
    assert len(problems(worker(), {option: True})) == 1


def test_a_limit_below_the_visibility_timeout_is_taken_on_redis() -> None:
    assert problems(worker(redis=True, time_limit=59), {}) == []


def test_all_refusals_are_said_at_once() -> None:
    with pytest.raises(SystemExit) as refused:
        check_startup(worker(concurrency=None, time_limit=None), {})

    assert str(refused.value).count("\n") == 2


BATCHES = {
    "its own pool": ("shop.columns", "solo", 1, ""),
    "no batches": ("shop.till", "prefork", 2, ""),
    "a queue of tasks beside it": ("shop.till,shop.columns", "solo", 1, "a pool of its own"),
    "processes": ("shop.columns", "prefork", 1, "--pool is prefork"),
    "more than one": ("shop.columns", "solo", 2, "--concurrency 2"),
}


@pytest.mark.parametrize(("queues", "pool", "concurrency", "named"), BATCHES.values(), ids=BATCHES)
def test_a_queue_of_batches_has_a_solo_worker_of_its_own(queues: str, pool: str, concurrency: int, named: str) -> None:
    found = problems(worker(pool_cls=pool, concurrency=concurrency), {"queues": queues})

    assert (len(found), named in "".join(found)) == (bool(named), True)
