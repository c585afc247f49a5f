"""A watched platform: what its processes show is what the registry says, and its alerts reach a receiver.

The whole of it, with every fault, is `capstone alert-drill`.
"""

import contextlib
import functools
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from loadtests.watching import query_result

from conductor import capstones
from conductor.capstones.orders import purchases
from conductor.capstones.orders.alert_faults import payments_out
from conductor.capstones.orders.api_client import OrdersApi
from conductor.commands import alerts
from conductor.errors import NotRunning
from conductor.harness import alert_faults, alert_plays
from conductor.laptop import observability, state
from conductor.laptop.lifecycle import down, up
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.wanted import Wanted
from conductor.observability import comparison
from conductor.observability.registry import Registry, load, metrics_of
from conductor.run_directory import CHECKOUT, RunDirectory
from conductor.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(300)]

DIVIDE = 20
DASHBOARDS = CHECKOUT / "observability" / "dashboards"
PLAYED = ("OutboxLag", "Parked", "UnknownTask")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    run = RunDirectory(tmp_path_factory.mktemp("watched") / "run")
    up(run, Wanted(observe=True), lambda _: None)
    try:
        yield LocalRuntime.running(run)
    finally:
        down(run)


def need_watchers() -> None:
    """A laptop without Prometheus and Alertmanager skips, CI fails."""
    if observability.missing():
        reason = f"not installed: {', '.join(observability.missing())}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def every_play(runtime: LocalRuntime) -> list[alert_plays.Play]:
    return [*alert_faults.plays(runtime), *alert_faults.of_capstone(runtime)]


def shown(run: RunDirectory) -> Iterator[str]:
    """What each process shows that Prometheus is told of."""
    for file in sorted(run.targets.glob("*.json")):
        [one] = json.loads(file.read_text())
        yield urllib.request.urlopen(f"http://{one['targets'][0]}/metrics", timeout=10).read().decode()


def test_alerts_reach_a_receiver_and_are_over_every_panel_has_data_and_the_registry_knows_all_that_is_shown(
    runtime: LocalRuntime, tmp_path: Path
) -> None:
    need_watchers()
    plays = [play for play in every_play(runtime) if play.expected[0].alert in PLAYED]
    with alert_plays.requested(runtime, tmp_path):
        with alert_plays.watched(runtime, 1) as receiver:
            alert_plays.roll(runtime, receiver, ["payments"])
        with alert_plays.watched(runtime, DIVIDE) as receiver:
            for play in plays:
                alert_plays.measure(runtime, receiver, play, DIVIDE)
            see_panels(runtime)

    registry, texts = load(), list(shown(runtime.platform.run))
    found = {name for text in texts for name in comparison.shown(text)}
    others = ("chassis_batches", *(f"{name}_" for name in capstones.names() if name != runtime.platform.name))
    always = {
        name
        for name, metric in registry.metrics.items()
        if metric.seen == "always" and "prometheus" not in metric.source and not name.startswith(others)
    }

    assert [] == comparison.undeclared(registry, texts)
    assert set() == always - found
    assert {"chassis_parked_total"} < found


def test_a_person_is_told_what_fires_and_where_to_read_on_also_by_a_prometheus_that_lost_its_disk(
    runtime: LocalRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_watchers()
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(runtime.platform.run.path))
    play = next(play for play in every_play(runtime) if play.expected[0].alert == "UnknownTask")
    supervisor, disk = runtime.platform.supervisor, runtime.platform.run.data / "prometheus"
    paged: set[str] = set()

    def told() -> list[str]:
        found = []
        with contextlib.suppress(NotRunning):  # it has evaluated nothing yet
            found = alerts.firing()
        paged.update(one["alert"] for one in found if one["severity"] == "page")
        return [one["runbook"] for one in found if one["alert"] == "UnknownTask"]

    with alert_plays.requested(runtime, tmp_path), play.fault(runtime):
        assert until(lambda: told() == ["docs/runbooks/unknown-task.md"], within_seconds=30)
        before = set(paged)
        supervisor.begin_stop("prometheus")
        supervisor.wait_stopped("prometheus", within_seconds=30)
        shutil.rmtree(disk)
        supervisor.start_again("prometheus")
        assert until(lambda: told() == ["docs/runbooks/unknown-task.md"], within_seconds=120)

    assert before == paged


def panels(registry: Registry) -> dict[str, set[str]]:
    """The dashboards' queries that a platform of the orders can always answer, with the metrics that each asks for."""
    others = ("chassis_batches", *(f"{name}_" for name in capstones.names() if name != "orders"))
    always = {name for name, one in registry.metrics.items() if one.seen == "always" and not name.startswith(others)}
    not_here = ('state="unreachable"', *(f'capstone="{name}"' for name in capstones.names() if name != "orders"))
    boards = [json.loads(file.read_text()) for file in DASHBOARDS.glob("*.json")]
    asked = {target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]}
    return {
        expr.replace("$__rate_interval", "1m"): found
        for expr in asked
        if (found := set(metrics_of(expr))) and found <= always and not any(one in expr for one in not_here)
    }


def see_panels(runtime: LocalRuntime) -> None:
    """Every panel has data, and none of those that an exporter alone knows while that is dead."""
    registry = load()
    wanted = panels(registry)
    of_exporter = {name for name, one in registry.metrics.items() if one.source == ["exporter"]}
    facts = {expr for expr, asked in wanted.items() if asked <= of_exporter}
    still = functools.partial(alert_faults.program_still, observability.exporter_name(runtime.platform.name))
    lacking, shown = {*wanted}, {*facts}

    def all_have_been_seen() -> bool:
        lacking.difference_update([expr for expr in lacking if query_result(runtime, expr)])
        return not lacking

    def none_is_shown() -> bool:
        shown.intersection_update([expr for expr in shown if query_result(runtime, expr)])
        return not shown

    assert until(all_have_been_seen, within_seconds=60), lacking
    assert len(facts) > 3
    with still(runtime):
        assert until(none_is_shown, within_seconds=60), shown
        lacking.update(expr for expr, asked in wanted.items() if not asked & of_exporter)
        assert until(all_have_been_seen, within_seconds=60), lacking


CAPSTONE = Path(sys.executable).parent / "capstone"

STUCK_DIVIDE = 150
"""An order is stuck after a quarter of an hour, or six seconds."""

COMMAND_SECONDS = 2.0
"""Of CPU, which a crowded machine does not change."""


def said(*words: str) -> str:
    """What a command prints; it takes COMMAND_SECONDS at most."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([CAPSTONE, *words], capture_output=True, text=True, check=False, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < COMMAND_SECONDS, words
    return done.stdout


def following(text: str, about: str = "") -> list[str]:
    """The words of the command that a text says is next, after it has named something."""
    found = re.search(rf"{about}.*?next: +\S*capstone ([^\n]+)", text, re.DOTALL)
    assert found, text
    return shlex.split(found[1])


def test_three_commands_lead_from_a_firing_alert_to_the_log_lines_of_a_stuck_order(
    runtime: LocalRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_watchers()
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(runtime.platform.run.path))
    with alert_plays.watched(runtime, STUCK_DIVIDE), payments_out(runtime), OrdersApi.of(runtime) as api:
        wish = purchases.purchase("stuck", sku="CLOCK", quantity=1, card="tok_ok")
        order_id = str(api.place("stuck", wish.body)["order_id"])
        assert until(lambda: "SagaStuck" in {one["alert"] for one in alerts.firing()}, within_seconds=60)
        orders = said(*following(said("alerts"), "SagaStuck"))
        logs = following(orders)
        lines = said(*logs)

    assert order_id in orders
    assert re.search(rf" command_retried .*order_id={logs[-1]}", lines), lines


def test_every_job_has_a_limit_of_samples_and_one_of_labels(runtime: LocalRuntime) -> None:
    jobs = yaml.safe_load((runtime.platform.run.watch / "prometheus.yml").read_text())["scrape_configs"]

    assert {"processes", "prometheus"} <= {one["job_name"] for one in jobs}
    assert [] == [one["job_name"] for one in jobs if not (one.get("sample_limit") and one.get("label_limit"))]


def test_a_process_that_is_stopped_leaves_no_target(runtime: LocalRuntime) -> None:
    before = {file.stem for file in runtime.platform.run.targets.glob("*.json")}
    runtime.roll("saga")
    after = {file.stem for file in runtime.platform.run.targets.glob("*.json")}

    assert 1 == len(before - after) == len(after - before)
    assert all(name in after for name in ("orders.exporter",))
    assert state.loaded(runtime.platform.run.state).observe
