"""A watched platform of every capstone: what its processes show is what the registry says, what panels and rules ask for has data, and none
from who is dead, and alerts reach a receiver.

Every fault is played by `capstone alert-drill`. The last test leaves processes dead.
"""

import contextlib
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conductor import capstones
from conductor.capstones.orders import purchases
from conductor.capstones.orders.alert_faults import payments_out
from conductor.capstones.orders.api_client import OrdersApi
from conductor.commands import alerts
from conductor.errors import NotRunning
from conductor.harness import alert_faults, alert_plays, alert_queries
from conductor.harness.background import in_background
from conductor.laptop import observability, signalling, state
from conductor.laptop.backups import Backups
from conductor.laptop.lifecycle import down, up
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.wanted import Wanted
from conductor.observability import comparison
from conductor.observability.queries import PROMETHEUS, Query, excused, is_listed
from conductor.observability.registry import load
from conductor.run_directory import RunDirectory
from conductor.waiting import until
from watched import always, asked_of, family, need_watchers, requested, shown

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(600)]

DIVIDE = 20
PLAYED = ("OutboxLag", "Parked", "UnknownTask")

MEMORY_LIMIT_BYTES = 8 << 30


@pytest.fixture(scope="module")
def runtimes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LocalRuntime]]:
    """One of each capstone. Its processes have a limit, as in a container, and there is a backup."""
    run = RunDirectory(tmp_path_factory.mktemp("watched") / "run")
    settings = {"MEMORY_LIMIT_BYTES": f"{MEMORY_LIMIT_BYTES}"}
    up(run, Wanted(settings=settings, capstones=capstones.names(), observe=True), lambda _: None)
    try:
        yield [LocalRuntime.running(run, name) for name in capstones.names()]
    finally:
        down(run)


@pytest.fixture(scope="module")
def runtime(runtimes: list[LocalRuntime]) -> LocalRuntime:
    """The orders'."""
    return next(one for one in runtimes if one.platform.name == "orders")


def every_play(runtime: LocalRuntime) -> list[alert_plays.Play]:
    return [*alert_faults.plays(runtime), *alert_faults.of_capstone(runtime)]


def test_every_panel_and_every_rule_finds_something_and_what_needs_a_fault_nothing(
    runtimes: list[LocalRuntime], runtime: LocalRuntime, tmp_path: Path
) -> None:
    need_watchers()
    asked, faults = asked_of(runtime), load().only_in_faults
    lacking, wrong = always(asked), set()
    listed = {one for query in asked for one in query.selectors if is_listed(one, faults)}
    Backups(runtime.platform.run).take(runtime.platform.postgres)

    def all_have_been_seen() -> bool:
        lacking.difference_update(alert_queries.with_data(runtime, lacking))
        wrong.update(one for one in listed if alert_queries.result(runtime, one))
        return not lacking

    with requested(runtimes, tmp_path), alert_plays.watched(runtime, DIVIDE):
        assert until(all_have_been_seen, within_seconds=90), sorted(f"{one.where}: {one.expr}" for one in lacking)

    assert set() == wrong


def test_alerts_reach_a_receiver_and_are_over_and_the_registry_knows_all_that_is_shown_and_who_shows_it(
    runtimes: list[LocalRuntime], runtime: LocalRuntime, tmp_path: Path
) -> None:
    need_watchers()
    plays = [play for play in every_play(runtime) if play.expected[0].alert in PLAYED]
    moments = load().for_moments
    asked = {query for query in asked_of(runtime) if query.where in PLAYED or excused(query, moments)}
    seen: set[Query] = set()

    def notice(over: threading.Event) -> None:
        while not over.wait(1):
            seen.update(alert_queries.with_data(runtime, asked - seen))

    with requested(runtimes, tmp_path):
        with alert_plays.watched(runtime, 1) as receiver:
            alert_plays.roll(runtime, receiver, ["payments"])
        with alert_plays.watched(runtime, DIVIDE) as receiver, in_background(notice):
            for play in plays:
                alert_plays.measure(runtime, receiver, play, DIVIDE)

    registry, texts = load(), list(shown(runtimes))
    found = {(name, kind) for kinds, text in texts for name in comparison.shown(text) for kind in kinds}
    processes = {kind for kinds, _ in texts for kind in kinds}
    always_shown = {
        (name, kind) for name, one in registry.metrics.items() if one.seen == "always" for kind in one.source
    }

    assert set() == asked - seen
    assert [] == comparison.undeclared(registry, [text for _, text in texts])
    assert [] == [
        (name, kinds)
        for kinds, text in texts
        for name in comparison.shown(text)
        if not kinds & {*registry.metrics[name].source}
    ]
    assert set() == {(name, kind) for name, kind in always_shown - found if kind in processes}
    assert "chassis_parked_total" in {name for name, _ in found}


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


def test_nothing_has_a_value_while_the_exporter_that_knows_it_is_dead(
    runtimes: list[LocalRuntime], runtime: LocalRuntime, tmp_path: Path
) -> None:
    need_watchers()
    asked = always(asked_of(runtime))
    facts = {query for query in asked if query.sources == {"exporter"}}
    supervisor = runtime.platform.supervisor
    exporters = [observability.exporter_name(one.platform.name) for one in runtimes]

    with requested(runtimes, tmp_path), alert_plays.watched(runtime, DIVIDE):
        since = time.time()

        def known(capstone: str) -> Iterator[str]:
            """What is known of a capstone's facts."""
            return (query.expr for query in facts if alert_queries.known(runtime, query, since, capstone))

        def all_are_known() -> bool:
            return all(any(known(one.platform.name)) for one in runtimes)

        assert until(all_are_known, within_seconds=60)
        for one, exporter in zip(runtimes, exporters, strict=True):
            name = one.platform.name
            supervisor.begin_stop(exporter)
            assert until(lambda name=name: not any(known(name)), within_seconds=30), [*known(name)]  # type: ignore[misc]
        assert [] == [*known("")]
        lacking = {query for query in asked if "exporter" not in query.sources}

        def others_have_been_seen() -> bool:
            lacking.difference_update(alert_queries.with_data(runtime, lacking))
            return not lacking

        assert until(others_have_been_seen, within_seconds=60), lacking
        for exporter in exporters:
            supervisor.start_again(exporter)
        assert until(all_are_known, within_seconds=60)


def test_nothing_but_what_prometheus_knows_by_itself_has_a_value_when_all_processes_and_the_broker_are_dead(
    runtimes: list[LocalRuntime], runtime: LocalRuntime
) -> None:
    need_watchers()
    asked = {query for query in always(asked_of(runtime)) if PROMETHEUS not in query.sources}
    showing = {*(file.stem for file in runtime.platform.run.targets.glob("*.json")), runtime.broker}
    supervisor = runtime.platform.state.supervisor_pid
    assert supervisor

    with alert_plays.watched(runtime, DIVIDE):
        since = time.time()

        def known() -> Iterator[str]:
            return (query.expr for query in asked if alert_queries.known(runtime, query, since))

        assert until(lambda: len([*known()]) > len(asked) / 2, within_seconds=60)
        processes = [one for one in runtime.platform.supervisor.processes() if one.name in showing and one.pid]
        signalling.send(supervisor, signal.SIGSTOP)  # it would start them again
        try:
            for process in processes:
                for pid in family(process.pid):
                    signalling.send(pid, signal.SIGKILL)
            assert until(lambda: not any(known()), within_seconds=60), [*known()]
        finally:
            signalling.send(supervisor, signal.SIGCONT)
