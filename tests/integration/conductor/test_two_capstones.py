"""Two capstones on one set of servers, by the command line: the second comes and goes, and the first does not notice."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from conductor.laptop import state
from conductor.laptop.platform import Platform
from conductor.laptop.runtime import LocalRuntime
from conductor.run_directory import CAPSTONE_PATH, RunDirectory
from conductor.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
STRANGER = ROOT / "tests" / "fixtures" / "tally"
NUMBER = {"value": 3}


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second capstone is found by these tests, and by no other test of the same process."""
    monkeypatch.setenv(CAPSTONE_PATH, str(STRANGER))


def typed(run: RunDirectory, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CAPSTONE_RUN_DIR": str(run.path), CAPSTONE_PATH: str(STRANGER)}
    environment.pop("BROKER_URL", None)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)


def capstone(run: RunDirectory, *arguments: str) -> subprocess.CompletedProcess[str]:
    return typed(run, sys.executable, "-m", "conductor", *arguments)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDirectory]:
    """The tally is started alone, as a person does, and the orders are added to it."""
    directory = RunDirectory(tmp_path_factory.mktemp("two") / "run")
    try:
        for name, *watched in (("tally", "OBSERVE=1"), ("orders",)):
            started = typed(directory, "make", "up", f"CAPSTONES={name}", *watched)
            assert started.returncode == 0, started.stdout + started.stderr
        yield directory
    finally:
        ended = capstone(directory, "down")
        assert ended.returncode == 0, ended.stderr


def pids(run: RunDirectory) -> dict[str, int]:
    supervisor = Platform(run, state.loaded(run.state)).supervisor
    return {process.name: process.pid for process in supervisor.processes() if process.name != "keeper"}


def sent(runtime: LocalRuntime, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "one"}
    return httpx.post(f"{runtime.addresses()['api']}/numbers", json=NUMBER, headers=headers, timeout=30)


def listed(runtime: LocalRuntime, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{runtime.addresses()['api']}/orders", headers=headers, timeout=30).status_code


def test_they_share_the_servers_and_nothing_else(run: RunDirectory) -> None:
    names = list(pids(run))

    assert 1 == names.count("postgres")
    assert {"tally.api-g1-0", "tally.counters-g1-0", "tally.relay-g1-0", "orders.api-g1-0", "orders.relay-g1-0"} <= set(
        names
    )


def test_prometheus_asks_for_the_queues_of_both(run: RunDirectory) -> None:
    platform = Platform(run, state.loaded(run.state))
    if not platform.rabbitmq or "prometheus" not in pids(run):
        pytest.skip("RabbitMQ or Prometheus is not installed")
    url = f"http://127.0.0.1:{platform.state.ports['prometheus']}/api/v1/status/config"

    def asked() -> list[str]:
        jobs = yaml.safe_load(httpx.get(url, timeout=10).raise_for_status().json()["data"]["yaml"])["scrape_configs"]
        (found,) = (one["params"]["vhost"] for one in jobs if one["job_name"] == "rabbitmq")
        return list(found)

    assert until(lambda: asked() == ["tally", "orders"], within_seconds=30), asked()


def test_each_works(run: RunDirectory) -> None:
    orders, tally = (LocalRuntime.running(run, name) for name in ("orders", "tally"))

    assert 202 == sent(tally, tally.tokens()["customer"]).status_code
    assert 200 == listed(orders, orders.tokens()["operator"])
    progress = tally.platform.capstone.progress(tally)
    assert until(lambda: progress.completed() == 1 and progress.settled(), within_seconds=60)
    progress.close()


def test_the_bearer_of_a_token_of_one_is_a_stranger_to_the_other(run: RunDirectory) -> None:
    orders, tally = (LocalRuntime.running(run, name) for name in ("orders", "tally"))

    assert [401, 401] == [sent(tally, orders.tokens()[name]).status_code for name in ("operator", "customer")]
    assert [401, 401] == [listed(orders, tally.tokens()[name]) for name in ("operator", "customer")]


def test_which_one_is_asked_for_where_a_command_means_one(run: RunDirectory) -> None:
    asked, pool = capstone(run, "env"), capstone(run, "kill", "relay")

    assert (1, "--capstone: which one? There run tally, orders") == (
        asked.returncode,
        asked.stderr.strip().removeprefix("error: "),
    )
    assert (1, "relay: which one? tally/relay, orders/relay") == (
        pool.returncode,
        pool.stderr.strip().removeprefix("error: "),
    )


def test_what_is_not_found_any_more_is_named(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "STRANGER", "")

    refused = capstone(run, "env", "--capstone", "tally")

    assert 1 == refused.returncode
    assert 'no capstone "tally" is found here' in refused.stderr
    assert "CAPSTONE_PATH" in refused.stderr


def test_the_one_goes_and_leaves_the_other_alone(run: RunDirectory) -> None:
    before = pids(run)

    ended = capstone(run, "down", "tally")

    assert (0, {name: pid for name, pid in before.items() if not name.startswith("tally.")}) == (
        ended.returncode,
        pids(run),
    )
    assert 200 == listed(LocalRuntime.running(run), LocalRuntime.running(run).tokens()["operator"])
