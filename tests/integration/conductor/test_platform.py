"""The whole platform by its command line, as a person uses it: up, up again, an order, a kill, a roll, down."""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from conductor.harness import dependency_faults
from conductor.laptop import orphans, state
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers import rabbitmq
from conductor.run_directory import RunDirectory
from conductor.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.drill, pytest.mark.timeout(600)]

ORDER = {
    "lines": [{"sku": "CD", "quantity": 1}],
    "email": "ann@customer.example",
    "name": "Ann",
    "address": {"street": "High Street 1", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "card": "tok_ok",
}


def capstone(run: RunDirectory, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CAPSTONE_RUN_DIR": str(run.path)}
    environment.pop("BROKER_URL", None)
    command = [sys.executable, "-m", "conductor", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


def living(run: RunDirectory) -> list[psutil.Process]:
    return orphans.find(state.loaded(run.state).run_id, run.starts)


on_valkey = pytest.mark.parametrize("broker", ["valkey"], indirect=True)
"""For what has nothing to do with the broker."""


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    if request.param == "rabbitmq" and not rabbitmq.installed():
        reason = "rabbitmq-server is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return str(request.param)


@pytest.fixture(scope="module")
def run(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDirectory]:
    """A platform that is up, in a directory of its own, beside whatever else runs here."""
    directory = RunDirectory(tmp_path_factory.mktemp("platform") / "run")
    started = capstone(directory, "up", "--broker", broker)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield directory
    finally:
        capstone(directory, "down")


@pytest.fixture
def runtime(run: RunDirectory) -> LocalRuntime:
    return LocalRuntime.running(run)


def place(runtime: LocalRuntime) -> str:
    headers = {"Authorization": f"Bearer {runtime.tokens()['customer']}", "Idempotency-Key": str(uuid.uuid4())}
    answer = httpx.post(f"{runtime.addresses()['api']}/orders", json=ORDER, headers=headers, timeout=30)
    return str(answer.raise_for_status().json()["order_id"])


def delivered(runtime: LocalRuntime, order_id: str) -> bool:
    headers = {"Authorization": f"Bearer {runtime.tokens()['customer']}"}

    def there() -> bool:
        answer = httpx.get(f"{runtime.addresses()['api']}/orders/{order_id}", headers=headers, timeout=30)
        return bool(answer.json()["state"] == "delivered")

    return until(there, within_seconds=90)


def status(run: RunDirectory) -> dict[str, Any]:
    return dict(json.loads(capstone(run, "status", "--json").stdout))


def pids(runtime: LocalRuntime) -> dict[str, int]:
    return {process.name: process.pid for process in runtime.platform.supervisor.processes()}


def test_a_platform_that_is_up_says_that_it_is_ready(run: RunDirectory, broker: str) -> None:
    found = status(run)

    assert (found["ready"], found["unready"], found["broker"]) == (True, [], broker)


@on_valkey
def test_a_second_start_changes_nothing_and_says_so(run: RunDirectory, runtime: LocalRuntime) -> None:
    before = pids(runtime)

    again = capstone(run, "up")

    assert (again.returncode, pids(runtime)) == (0, before)
    assert "nothing was changed" in again.stdout


def test_an_order_is_delivered(runtime: LocalRuntime) -> None:
    assert delivered(runtime, place(runtime))


@on_valkey
def test_a_mail_that_is_still_to_be_sent_is_waited_for_and_not_lost(run: RunDirectory, runtime: LocalRuntime) -> None:
    with dependency_faults.faults(runtime, "mail", {"rate": {"slow": 1.0}, "slow_seconds": 2.5}):
        assert delivered(runtime, place(runtime))

        verified = capstone(run, "ledger", "verify", "--json")

    judged = json.loads(verified.stdout)
    assert (0, [], 0) == (verified.returncode, judged["findings"], judged["mail_repeats"])


@on_valkey
def test_a_killed_pool_comes_back_and_works(run: RunDirectory, runtime: LocalRuntime) -> None:
    before = pids(runtime)["orders.saga-g1-0"]

    killed = json.loads(capstone(run, "kill", "saga", "--json").stdout)

    assert before in killed["pids"]
    assert delivered(runtime, place(runtime))
    assert pids(runtime)["orders.saga-g1-0"] not in (0, before)


@on_valkey
def test_a_roll_replaces_the_processes_once_the_new_ones_are_ready(run: RunDirectory, runtime: LocalRuntime) -> None:
    rolled = json.loads(capstone(run, "roll", "notifications", "--json").stdout)

    assert [one["started"] for one in rolled] == [["orders.notifications-g2-0"]]
    assert [(old["name"], old["killed"]) for old in rolled[0]["stopped"]] == [("orders.notifications-g1-0", False)]
    assert [tree.name for tree in runtime.trees("notifications")] == ["orders.notifications-g2-0"]


@on_valkey
def test_a_roll_whose_new_processes_do_not_come_up_leaves_the_old_ones(
    run: RunDirectory, runtime: LocalRuntime
) -> None:
    before = runtime.trees("fulfilment")

    refused = capstone(run, "roll", "fulfilment", "--set", "RELAY_LEASE_SECONDS=soon")

    assert refused.returncode == 1
    assert "fulfilment-g2-0 keeps ending" in refused.stderr
    assert [tree.pid for tree in runtime.trees("fulfilment")] == [tree.pid for tree in before]


def test_a_wiped_broker_is_declared_again_and_orders_go_on(runtime: LocalRuntime) -> None:
    runtime.wipe_broker()
    runtime.wait_ready(90)

    assert delivered(runtime, place(runtime))


@on_valkey
def test_what_the_command_line_prints_for_a_shell_is_the_services_environment(
    run: RunDirectory, runtime: LocalRuntime
) -> None:
    found = json.loads(capstone(run, "env", "--json").stdout)

    assert runtime.service_environment().items() <= found.items()
    assert (runtime.tokens()["customer"], runtime.addresses()["api"]) == (found["CUSTOMER_TOKEN"], found["API_URL"])


def secrets(run: RunDirectory) -> list[str]:
    own = state.loaded(run.state)
    logins = [
        word
        for login in own.logins.values()
        for word in (login.postgres, login.rabbitmq, *login.tokens.model_dump().values())
    ]
    return [*own.passwords.model_dump().values(), *logins]


@pytest.mark.parametrize(
    "command", [("up",), ("status",), ("status", "--json"), ("fault", "show"), ("logs", "-n", "1000")]
)
def test_no_secret_is_printed_that_was_not_asked_for(run: RunDirectory, command: tuple[str, ...]) -> None:
    done = capstone(run, *command)

    assert (0, []) == (done.returncode, [one for one in secrets(run) if one in done.stdout + done.stderr])


def test_only_its_owner_reads_a_file_that_holds_a_secret(run: RunDirectory) -> None:
    known = [one.encode() for one in secrets(run)]

    holding = [
        path for path in run.path.rglob("*") if path.is_file() and any(one in path.read_bytes() for one in known)
    ]
    assert run.state in holding
    assert [] == [path for path in holding if path.stat().st_mode & 0o077]


@on_valkey
def test_what_is_broken_on_purpose_is_told_in_a_sentence(run: RunDirectory) -> None:
    told = [
        capstone(run, "fault", "set", "carrier", "slow=0.25", "--expires", "5").stdout,
        capstone(run, "fault", "outage", "carrier", "5").stdout,
        capstone(run, "fault", "clear", "carrier").stdout,
        capstone(run, "kill", "saga", "--signal", "CONT").stdout,
    ]

    assert told[0].startswith("Of the calls to carrier fail for 5 s: slow 25%.")
    assert told[1].startswith("Every call to carrier fails for 5 s.")
    assert told[2] == "No call to carrier fails on purpose any more.\n"
    assert re.fullmatch(r"Sent SIGCONT to the first process of saga \(pid \d+\)( and \d+ below it)?\.\n", told[3])


@on_valkey
def test_an_unknown_pool_is_one_line_with_those_that_exist(run: RunDirectory) -> None:
    refused = capstone(run, "roll", "sage")

    assert refused.returncode == 1
    assert refused.stderr.startswith('error: no pool is named "sage"; there are api, relay, beat, saga')


def test_down_leaves_no_process(run: RunDirectory) -> None:
    stopped = capstone(run, "down")

    assert (stopped.returncode, stopped.stdout.strip(), living(run)) == (0, "stopped", [])


@on_valkey
def test_a_platform_that_was_rolled_comes_up_again(run: RunDirectory) -> None:
    """After the roll above, the supervisor dies and takes no leave."""
    assert capstone(run, "up").returncode == 0
    assert capstone(run, "roll", "payments").returncode == 0
    supervisor = state.loaded(run.state).supervisor_pid
    assert supervisor is not None
    psutil.Process(supervisor).kill()

    again = capstone(run, "up")

    found = status(run)
    assert (0, True, []) == (again.returncode, found["ready"], found["unready"])
    assert {"orders.payments-g1-0", "orders.notifications-g1-0"} == {
        one["name"] for one in found["processes"] if one["pool"] in ("payments", "notifications")
    }


def test_a_start_that_fails_names_the_process_and_leaves_nothing_running(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")

    failed = capstone(directory, "up", "--broker", "valkey", "--set", "RELAY_LEASE_SECONDS=soon")

    assert failed.returncode == 1
    assert "error: orders.declare ended with 1" in failed.stderr
    assert "RELAY_LEASE_SECONDS is 'soon'" in failed.stderr
    assert living(directory) == []
