"""Several capstones on one platform: what each is given, and how a pool is named."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from conductor import capstones
from conductor.errors import NotRunning, Refused
from conductor.laptop import lifecycle, logs, observability, state, wanted
from conductor.laptop.platform import Platform, capstone_of, pool_of
from conductor.laptop.runtime import LocalRuntime
from conductor.laptop.servers.rabbitmq import definitions
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory

PORTS = {"postgres": 1, "valkey": 2, "rabbitmq": 3, "epmd": 4, "erlang": 5}
OTHER_PORTS = dict.fromkeys(("orders.api", "supervisor", "payments", "carrier", "smtp", "mail"), 6)
POOLS = {"orders": {"saga": None, "relay": None}, "tally": {"counts": None, "relay": None}}


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run directory in which two capstones run."""
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(Platform, "pools", property(lambda platform: POOLS[platform.name]))
    run = RunDirectory(tmp_path)
    state.save(State.fresh("rabbitmq", "orders", "tally").model_copy(update={"ports": PORTS}), run.state)
    return run


def platforms(run: RunDirectory, **changes: Any) -> dict[str, Platform]:
    own = state.loaded(run.state).model_copy(update=changes)
    return {one.name: one for one in Platform(run, own).every}


@pytest.mark.parametrize("broker", ["rabbitmq", "valkey"])
def test_no_two_capstones_share_a_database_a_vhost_or_a_store(both: RunDirectory, broker: str) -> None:
    each = platforms(both, broker=broker).values()

    given = [(one.postgres.address(), one.broker_url, one.valkey.store_address()) for one in each]
    assert 6 == len({url for urls in given for url in urls})


def test_names_of_database_vhost_and_login_are_the_capstones(both: RunDirectory) -> None:
    tally = platforms(both)["tally"]

    words = tally.state.logins["tally"]
    assert f"postgresql://tally:{words.postgres}@127.0.0.1:1/tally" == tally.postgres.address()
    assert f"amqp://tally:{words.rabbitmq}@127.0.0.1:3/tally" == tally.broker_url
    assert tally.valkey.store_address().endswith("@127.0.0.1:2/3")


def test_a_login_may_do_everything_in_its_own_vhost_only() -> None:
    told = definitions(State.fresh("rabbitmq", "orders", "tally").logins)

    assert {("orders", "orders"), ("tally", "tally")} == {(one["user"], one["vhost"]) for one in told["permissions"]}
    assert {"orders", "tally"} == {one["name"] for one in told["users"]} == {one["name"] for one in told["vhosts"]}


def test_prometheus_asks_for_the_queues_of_each_and_of_one_that_comes_later_and_the_rest_of_its_file_stays(
    both: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    signalled = []
    server = SimpleNamespace(processes=lambda: [SimpleNamespace(name=name, pid=n) for n, name in enumerate(WATCHERS)])
    monkeypatch.setattr(Platform, "supervisor", server)
    monkeypatch.setattr(os, "kill", lambda pid, number: signalled.append((pid, number)))
    watched = PORTS | {"prometheus": 7, "alertmanager": 8, "rabbitmq-metrics": 9}
    both.make()
    platform = Platform(both, State.fresh("rabbitmq", "orders", "analytics").model_copy(update={"ports": watched}))
    observability.provision(platform, divide=20)
    before = jobs(both)

    observability.follow(platform.with_state(**wanted.with_capstones(platform.state, ["trading"])))

    assert ["orders", "analytics"] == before["rabbitmq"].pop("params")["vhost"]
    after = jobs(both)
    assert ["orders", "analytics", "trading"] == after["rabbitmq"].pop("params")["vhost"]
    assert before == after
    assert [(WATCHERS.index("prometheus"), signal.SIGHUP)] == signalled


WATCHERS = ("keeper", "alertmanager", "prometheus")


def jobs(run: RunDirectory) -> dict[str, Any]:
    """The jobs of a laptop's Prometheus, and all else that it is told."""
    told = yaml.safe_load((run.watch / "prometheus.yml").read_text())
    return {"": told["global"], **{one["job_name"]: one for one in told["scrape_configs"]}}


@pytest.mark.parametrize(
    ("process", "found"),
    [("orders.saga-g1-0", ("orders", "saga")), ("orders.a-b-g12-3", ("orders", "a-b")), ("saga-g1-0", (None, None))],
)
def test_a_process_says_whose_it_is(process: str, found: tuple[str | None, str | None]) -> None:
    assert found == (capstone_of(process), pool_of(process))


@pytest.mark.parametrize(
    ("named", "capstone", "meant"),
    [
        ("saga", None, ("orders", "saga")),
        ("counts", None, ("tally", "counts")),
        ("tally/relay", None, ("tally", "relay")),
        ("relay", "orders", ("orders", "relay")),
        ("tally/all", None, ("tally", "all")),
    ],
)
@pytest.mark.usefixtures("both")
def test_a_pool_is_found_by_its_name_while_that_is_unique(
    named: str, capstone: str | None, meant: tuple[str, str]
) -> None:
    runtime, pool = LocalRuntime.of_pool(named, capstone)

    assert meant == (runtime.platform.name, pool)


@pytest.mark.parametrize(
    ("named", "capstone", "why"),
    [
        ("relay", None, "relay: which one? orders/relay, tally/relay"),
        ("all", None, "all: which one? orders/all, tally/all"),
        ("sage", None, 'no pool is named "sage"; there are orders/saga, orders/relay, tally/counts, tally/relay'),
        ("orders/relay", "tally", '"orders/relay" contradicts --capstone tally'),
    ],
)
@pytest.mark.usefixtures("both")
def test_a_pool_that_may_be_meant_twice_or_is_none_is_refused_with_those_there_are(
    named: str, capstone: str | None, why: str
) -> None:
    with pytest.raises(Refused) as refused:
        LocalRuntime.of_pool(named, capstone)

    assert why == str(refused.value)


@pytest.mark.usefixtures("both")
def test_a_capstone_that_does_not_run_is_named_with_those_that_do() -> None:
    with pytest.raises(NotRunning, match=r"^trading does not run here; there runs orders, tally$"):
        LocalRuntime.running(capstone="trading")


@pytest.mark.usefixtures("both")
def test_which_one_is_asked_where_several_run() -> None:
    with pytest.raises(Refused, match=r"^--capstone: which one\? There run orders, tally$"):
        LocalRuntime.running()


def brings(ports: Mapping[str, Mapping[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Capstones whose outside programs have these ports."""
    outside = {name: [SimpleNamespace(laptop_ports=own)] for name, own in ports.items()}
    monkeypatch.setattr(wanted, "load", lambda name: SimpleNamespace(name=name, outside=outside[name]))


def test_capstones_that_bring_the_same_outside_program_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    brings({"orders": {"payments": 1}, "tally": {"payments": 1}}, monkeypatch)

    with pytest.raises(Refused, match="orders and tally both bring an outside program named payments"):
        wanted.refuse_together(State.fresh("valkey", "orders", "tally"))


def test_a_broker_of_somebody_else_carries_one_capstone(monkeypatch: pytest.MonkeyPatch) -> None:
    brings({"orders": {}, "tally": {}}, monkeypatch)
    own = State.fresh("rabbitmq", "orders", "tally").model_copy(update={"external_broker": "amqp://b/v"})

    with pytest.raises(Refused, match="BROKER_URL names one vhost, and orders, tally need one each"):
        wanted.refuse_together(own)


def test_an_unknown_capstone_is_refused_before_anything_is_started() -> None:
    with pytest.raises(Refused, match=r'no capstone is named "order"; there are .*orders'):
        capstones.known(["order"])


def test_all_is_every_capstone_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capstones, "names", lambda: ("orders",))

    assert ("orders", "orders") == capstones.known(["all", "orders"])


def test_logs_are_of_a_pool_of_one_capstone(tmp_path: Path) -> None:
    for name in ("orders.relay-g1-0", "tally.relay-g1-0", "tally.migrate", "postgres"):
        (tmp_path / f"{name}.log").write_text("line\n")

    def read(process: str | None, capstone: str | None = None) -> list[str]:
        return [name for name, _ in logs.read(tmp_path, process, lines=1, follow=False, capstone=capstone)]

    assert ["tally.relay-g1-0"] == read("tally/relay")
    assert ["orders.relay-g1-0", "tally.relay-g1-0"] == read("relay")
    assert ["tally.migrate", "tally.relay-g1-0"] == read(None, "tally")


def test_files_of_an_earlier_version_get_their_names(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.make()
    (tmp_path / "journals").mkdir()
    (tmp_path / "journals" / "kills.jsonl").write_text("{}\n")
    (tmp_path / "values.yaml").write_text("pools: {}\n")

    lifecycle._take_over(
        Platform(run, State.fresh("valkey").model_copy(update={"ports": {**PORTS, **OTHER_PORTS}})), print
    )

    assert ("{}\n", "pools: {}\n") == (run.kills("orders").read_text(), run.values("orders").read_text())
    assert [] == [*tmp_path.glob("journals/*.jsonl"), *tmp_path.glob("values.yaml")]
