"""A watched platform of several capstones, for tests: requests to all of them, what they show, what their Prometheus can be asked."""

import contextlib
import json
import os
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from conductor.capstones.trading import alert_faults as trading_faults
from conductor.harness import alert_plays, alert_queries
from conductor.harness.background import in_background
from conductor.laptop import observability
from conductor.laptop.runtime import LocalRuntime
from conductor.observability.queries import Query, excused, is_listed, queries
from conductor.observability.registry import load

COMPANIONS = {"engine": {"shard"}, "market": {"feed"}}
"""What shows metrics in the worker of a pool, beside it."""


def need_watchers() -> None:
    """A laptop without Prometheus and Alertmanager skips, CI fails."""
    if observability.missing():
        reason = f"not installed: {', '.join(observability.missing())}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def shown(runtimes: Iterable[LocalRuntime]) -> Iterator[tuple[set[str], str]]:
    """What each process shows that Prometheus is told of, with the kinds of process that it is."""
    pools = {(one.platform.name, name): pool for one in runtimes for name, pool in one.pools().items()}
    for file in sorted(next(iter(runtimes)).platform.run.targets.glob("*.json")):
        [one] = json.loads(file.read_text())
        pool = pools.get((one["labels"]["capstone"], one["labels"]["pool"]))
        kinds = {pool.role, *COMPANIONS.get(pool.name, ())} if pool else {one["labels"]["pool"]}
        yield kinds, urllib.request.urlopen(f"http://{one['targets'][0]}/metrics", timeout=10).read().decode()


@contextlib.contextmanager
def requested(runtimes: Iterable[LocalRuntime], folder: Path) -> Iterator[None]:
    """Requests come to every capstone during the block, orders to the trading over HTTP as well."""
    with contextlib.ExitStack() as loads:
        for one in runtimes:
            loads.enter_context(alert_plays.requested(one, folder / one.platform.name))
        loads.enter_context(in_background(lambda over: trading_faults.order(named(runtimes, "trading"), over)))
        yield


def named(runtimes: Iterable[LocalRuntime], name: str) -> LocalRuntime:
    return next(one for one in runtimes if one.platform.name == name)


def asked_of(runtime: LocalRuntime) -> list[Query]:
    """What panels and rules ask for, but for what a laptop, or the broker that there is, has not."""
    registry = load()
    asked = queries(registry, alert_queries.WINDOW)
    here = [query for query in asked if not any(is_listed(one, registry.not_on_laptops) for one in query.selectors)]
    return [query for query in here if runtime.broker == "rabbitmq" or "rabbitmq" not in query.sources]


def always(asked: Iterable[Query]) -> set[Query]:
    """Those that have data while nothing is wrong."""
    registry = load()
    return {query for query in asked if not excused(query, {**registry.only_in_faults, **registry.for_moments})}


def family(pid: int) -> list[int]:
    """A process with all that it started."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []
