"""The registry as data: what it finds undeclared, what a query asks for, how times are divided; and how a laptop's processes are found."""

import json
import re

import pytest

from chassis import heartbeat
from conductor.laptop import observability, programs
from conductor.laptop.programs import Program
from conductor.laptop.state import State
from conductor.observability import comparison, rules
from conductor.observability.registry import FILE, load, metrics_of, runbook
from conductor.run_directory import RunDirectory

REGISTRY = load()

SHOWN = {
    "nothing": ("", []),
    "what is declared": ('chassis_tasks_total{pool="saga",task="orders.prune",outcome="failed"} 1', []),
    "another metric": ("invented_total 1", ["invented"]),
    "another label": (
        'chassis_messages_held{pool="saga",host="a"} 1',
        ["chassis_messages_held: labels host, pool"],
    ),
    "a value from outside": (
        'chassis_messages_held{pool="0f8fad5b"} 1',
        ['chassis_messages_held: pool="0f8fad5b"'],
    ),
    "a library's own": ("process_open_fds 7", []),
}


@pytest.mark.parametrize(("text", "wrong"), SHOWN.values(), ids=SHOWN)
def test_what_is_shown_and_not_declared_is_named(text: str, wrong: list[str]) -> None:
    kind = "# TYPE chassis_tasks_total counter\n" if text.startswith("chassis_tasks") else ""

    assert wrong == [name.removesuffix("_total") for name in comparison.undeclared(REGISTRY, [f"{kind}{text}\n"])]


def test_a_query_asks_for_metrics_and_not_for_labels_or_functions() -> None:
    query = 'sum by (le, pool_name) (rate(chassis_task_seconds_bucket{task=~"a_b"}[5m])) / on (capstone) count(up) > slo:error_ratio:300s'

    assert {"chassis_task_seconds", "up"} == metrics_of(query)


def test_times_are_divided_and_numbers_are_not() -> None:
    assert "rate(x[3s]) > 3 and y > 60 for 1500ms" == rules.timed("rate(x[{60s}]) > {60} and y > 60 for {30s}", 20)


def test_a_runbook_is_found_by_the_alerts_name() -> None:
    assert "queue-stalled.md" == runbook("QueueStalled")


def test_a_process_that_shows_metrics_is_a_target_for_as_long_as_it_is_known(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    run.make()
    name = "orders.payments-g3-0"
    programs.write(Program(name, "pool", ["true"], {"METRICS_PORT": "9207", "POOL": "payments"}), run)
    programs.write(Program("valkey", "server", ["true"], {}), run)
    (run.metrics / name).mkdir(parents=True)
    targets = {file.name: json.loads(file.read_text()) for file in run.targets.iterdir()}

    programs.forget(name, run)

    labels = {"capstone": "orders", "pool": "payments"}
    assert {f"{name}.json": [{"targets": ["127.0.0.1:9207"], "labels": labels}]} == targets
    assert ([], []) == (list(run.targets.iterdir()), list(run.metrics.iterdir()))


def test_a_generation_and_the_next_one_have_ports_of_their_own_and_the_third_the_firsts() -> None:
    first, second, third = (observability.port_name("orders", "saga", 0, generation) for generation in (1, 2, 3))

    assert first == third != second


def test_an_unwatched_platform_tells_its_processes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, port = tmp_path_factory.mktemp("metrics"), observability.port_name("orders", "saga", 0, 1)
    unwatched = State.fresh("valkey").model_copy(update={"ports": {port: 9201}})
    watched = unwatched.model_copy(update={"observe": True})

    assert {} == observability.environment(unwatched, folder, "a", "worker", port)
    assert {"METRICS_PORT": "9201"} == observability.environment(watched, folder, "a", "api", port)
    assert (
        str(folder / "a") == observability.environment(watched, folder, "a", "beat", port)["PROMETHEUS_MULTIPROC_DIR"]
    )


def test_the_states_of_the_registry_are_those_of_a_heartbeat() -> None:
    states = {value for name, value in vars(heartbeat).items() if name.isupper() and isinstance(value, str)}

    assert states == set(REGISTRY.metrics["chassis_state_seconds"].labels["state"])


def test_no_part_of_the_registry_stands_there_twice() -> None:
    parts = re.findall(r"^(\w+):", FILE.read_text(), flags=re.MULTILINE)

    assert sorted(set(parts)) == sorted(parts)
