"""What Prometheus asks RabbitMQ for, as the overlays configure it: the queues of the capstones, and of nobody else."""

import contextlib
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import amqp
import pytest
import yaml
from tests.k8s import installed_programs
from tests.k8s.conftest import CHECKOUT
from tests.k8s.installed_programs import series

from conductor import capstones
from conductor.cluster.names import Names
from conductor.laptop import observability
from conductor.observability import comparison, rules
from servers import PASSWORD, RabbitMQ, free_port, wait_until

SCRAPES = yaml.safe_load((CHECKOUT / "k8s/components/observability/prometheus-config.yaml").read_text())
(JOB,) = (one for one in SCRAPES["scrape_configs"] if one["job_name"] == "rabbitmq")
QUEUE = "orders.payments"
STRANGER = "stranger"


def test_the_virtual_hosts_that_the_overlays_name_are_those_of_the_capstones() -> None:
    assert sorted(Names(name).vhost for name in capstones.names()) == JOB["params"]["vhost"]


def test_a_laptop_asks_for_the_same_of_each_queue() -> None:
    assert JOB["params"] == observability.queues_asked(JOB["params"]["vhost"])


@contextlib.contextmanager
def consumed(rabbitmq: RabbitMQ, vhost: str) -> Iterator[None]:
    """A queue in a virtual host, which has a consumer during the block."""
    connection = amqp.Connection(f"127.0.0.1:{rabbitmq.port}", userid="tester", password=PASSWORD, virtual_host=vhost)
    connection.connect()
    channel = connection.channel()
    channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.basic_consume(QUEUE, callback=lambda _: None)
    try:
        yield
    finally:
        connection.close()


@pytest.fixture
def hosts(rabbitmq: RabbitMQ) -> Iterator[tuple[str, ...]]:
    """The virtual hosts of a capstone and of a stranger."""
    both = ("orders", STRANGER)
    for name in both:
        rabbitmq.api("PUT", f"vhosts/{name}")
    yield both
    for name in both:
        rabbitmq.api("DELETE", f"vhosts/{name}")


@pytest.fixture
def prometheus(rabbitmq: RabbitMQ, hosts: tuple[str, ...], tmp_path: Path) -> Iterator[int]:
    """The port of a Prometheus with the overlays' job and rules, twenty times as fast. Processes of both answer it."""
    port = free_port()
    alerts = tmp_path / "rules.yaml"
    alerts.write_text(rules.text(divide=20))
    left_out = ("kubernetes_sd_configs", "relabel_configs")
    asked = {key: value for key, value in JOB.items() if key not in left_out}
    processes = [{"targets": [f"127.0.0.1:{port}"], "labels": {"capstone": name}} for name in hosts]
    told = {
        "global": dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1s"),
        "rule_files": [str(alerts)],
        "scrape_configs": [
            {**asked, "static_configs": [{"targets": [f"127.0.0.1:{rabbitmq.metrics_port}"]}]},
            {"job_name": "processes", "static_configs": processes},
        ],
    }
    with installed_programs.prometheus(port, tmp_path, told):
        yield port


def shown(rabbitmq: RabbitMQ, **params: list[str]) -> set[str]:
    """The virtual hosts whose queues RabbitMQ shows when it is asked so."""
    query = urllib.parse.urlencode(params, doseq=True)
    with urllib.request.urlopen(f"http://127.0.0.1:{rabbitmq.metrics_port}{JOB['metrics_path']}?{query}") as answer:
        each_metric = comparison.shown(answer.read().decode())
    return {labels["vhost"] for each in each_metric.values() for labels in each if "vhost" in labels}


def test_the_queues_of_a_stranger_are_no_series_and_a_capstones_queue_without_a_consumer_raises_its_alert(
    rabbitmq: RabbitMQ, hosts: tuple[str, ...], prometheus: int
) -> None:
    consumers = "rabbitmq_detailed_queue_consumers == 1"
    fires = 'ALERTS{alertname="NoConsumer", alertstate="firing"}'
    with consumed(rabbitmq, hosts[0]), consumed(rabbitmq, hosts[1]):
        wait_until(lambda: bool(series(prometheus, consumers)), what="a consumer that is seen")
        wait_until(
            lambda: set(hosts) <= shown(rabbitmq, family=JOB["params"]["family"]), what="both when all is asked for"
        )

        assert {"orders"} == shown(rabbitmq, **JOB["params"])
        assert [] == series(prometheus, fires)
    wait_until(lambda: bool(series(prometheus, fires)), what="an alert")

    assert [("orders", QUEUE)] == [(one["capstone"], one["queue"]) for one in series(prometheus, fires)]
    kinds = series(prometheus, '{__name__=~"rabbitmq_detailed_queue.*"}')
    assert {("orders", QUEUE)} == {(one["vhost"], one["queue"]) for one in kinds}
    assert {"rabbitmq_detailed_queue_consumers", "rabbitmq_detailed_queue_messages"} <= {
        one["__name__"] for one in kinds
    }
