"""Prometheus, Alertmanager and the exporters of a laptop: their programs, their files, and who is scraped.

A process that shows metrics has a file in .run/targets/ for as long as the supervisor knows it, so a pool that is dead is a target that
does not answer. Ports are reserved like all others; old and new generation of a pool have one each. A program that is not installed is left
out.
"""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from conductor.laptop.programs import Program
from conductor.laptop.state import State, write_private
from conductor.observability import rules

if TYPE_CHECKING:
    from conductor.laptop.platform import Platform

METRICS = 9200
"""The first port to try for the metrics of a process."""

USUAL = {"prometheus": 9090, "alertmanager": 9093, "rabbitmq-metrics": 15692}

INSTALL = "apt-get install prometheus prometheus-alertmanager"

EACH = 40
"""Ports between the first ones of two capstones."""

SCRAPE_SECONDS = 5.0
SAMPLES_LIMIT = 5000
LABELS_LIMIT = 30
QUEUE_FAMILIES = ("queue_coarse_metrics", "queue_consumer_count")
"""What RabbitMQ is asked for of each queue: messages and consumers."""

GENERATIONS = 2
"""Generations of a pool that run beside each other while it is rolled."""


def binary(name: str) -> str | None:
    """An installed program, by its own name or Debian's; None when there is none."""
    return shutil.which(name) or shutil.which(f"prometheus-{name}")


def missing() -> Sequence[str]:
    """What is not installed of what watches."""
    return [name for name in ("prometheus", "alertmanager") if binary(name) is None]


def port_name(capstone: str, pool: str, replica: int, generation: int) -> str:
    """The name of the port of one pool process: a later generation has its grandmother's."""
    return f"{capstone}.{pool}.metrics-{replica}-{generation % GENERATIONS}"


def exporter_name(capstone: str) -> str:
    """What the exporter of a capstone's database is called."""
    return f"{capstone}.exporter"


def ports(platform: "Platform") -> dict[str, int]:
    """The ports that are needed to watch all that runs, each with the one to try first."""
    ours = platform.state.broker == "rabbitmq" and platform.state.external_broker is None
    found = {name: port for name, port in USUAL.items() if name != "rabbitmq-metrics" or ours}
    for one in platform.every:
        names = [
            port_name(one.name, pool.name, n, generation)
            for pool in one.pools.values()
            for n in range(pool.replicas)
            for generation in range(GENERATIONS)
        ]
        first = METRICS + EACH * platform.state.logins[one.name].place
        found |= {name: first + n for n, name in enumerate([exporter_name(one.name), *names])}
    return found


def programs(platform: "Platform") -> Iterator[Program]:
    """What is installed of what watches, beside the exporters of all capstones."""
    for one in platform.every:
        yield exporter(one)
    own, run = platform.state.ports, platform.run
    if (prometheus := binary("prometheus")) is not None:
        argv = [
            prometheus,
            f"--config.file={run.watch / 'prometheus.yml'}",
            f"--storage.tsdb.path={run.data / 'prometheus'}",
            "--storage.tsdb.retention.time=3d",
            "--storage.tsdb.retention.size=300MB",
            f"--web.listen-address=127.0.0.1:{own['prometheus']}",
            # What Alertmanager did not hear, because it was not there yet, it hears soon.
            "--rules.alert.resend-delay=10s",
            "--log.level=warn",
        ]
        yield Program("prometheus", "server", argv, platform.base_environment)
    if (alertmanager := binary("alertmanager")) is not None:
        argv = [
            alertmanager,
            f"--config.file={run.watch / 'alertmanager.yml'}",
            f"--storage.path={run.data / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{own['alertmanager']}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        yield Program("alertmanager", "server", argv, platform.base_environment)


def exporter(platform: "Platform") -> Program:
    """The process that shows what a capstone's database, its stores and the machine say."""
    name, port = platform.name, str(platform.state.ports[exporter_name(platform.name)])
    servers = {store.name: store.address() for store in platform.stores}
    urls = {"store": platform.valkey.store_address(), **servers}
    variables = {store: f"{store.upper()}_URL" for store in urls}
    argv = [sys.executable, "-m", "conductor.exporter", "--capstone", name, "--port", port]
    argv += [word for store, variable in variables.items() for word in ("--store", f"{store}={variable}")]
    argv += ["--data", str(platform.run.data), "--backups", str(platform.run.backups / "base")]
    told = {
        **platform.base_environment,
        "DATABASE_URL": platform.postgres.address(),
        **{variables[store]: url for store, url in urls.items()},
        "METRICS_PORT": port,
        "POOL": "exporter",
    }
    if broker := platform.state.external_broker:  # no server of ours speaks TLS
        argv += ["--tls", "broker=BROKER_URL"]
        told["BROKER_URL"] = broker
    if lease := platform.state.settings.get("RELAY_LEASE_SECONDS"):
        told["RELAY_LEASE_SECONDS"] = lease
    return Program(exporter_name(name), "keeper", argv, told)


def environment(state: State, folder: Path, name: str, role: str, port: str) -> dict[str, str]:
    """What a pool process is told so that it shows metrics; nothing where none are wanted. `folder` holds those of all processes."""
    if not state.observe or port not in state.ports:
        return {}
    own = {"METRICS_PORT": str(state.ports[port])}
    return own if role == "api" else {**own, "PROMETHEUS_MULTIPROC_DIR": str(folder / name)}


def provision(platform: "Platform", *, divide: float = 1, receiver: str | None = None) -> None:
    """Write what Prometheus and Alertmanager read. `divide` makes the rules' times shorter, `receiver` is a URL that is told of alerts."""
    run = platform.run
    run.watch.mkdir(mode=0o700, exist_ok=True)
    run.targets.mkdir(mode=0o700, exist_ok=True)
    scrape_seconds = SCRAPE_SECONDS if divide == 1 else 1.0
    write_private(run.watch / "rules.yaml", rules.text(divide))
    write_private(run.watch / "prometheus.yml", yaml.safe_dump(_prometheus(platform, scrape_seconds), sort_keys=False))
    write_private(run.watch / "alertmanager.yml", yaml.safe_dump(_alertmanager(receiver, divide), sort_keys=False))


def follow(platform: "Platform") -> None:
    """Have Prometheus ask for the queues of a capstone that came later. Whatever else its file says stays, as divided times in a drill."""
    file = platform.run.watch / "prometheus.yml"
    told = yaml.safe_load(file.read_text())
    for job in told["scrape_configs"]:
        if job["job_name"] == "rabbitmq" and platform.rabbitmq:
            job["params"] = queues_asked(platform.rabbitmq.vhosts())
    write_private(file, yaml.safe_dump(told, sort_keys=False))
    for process in platform.supervisor.processes():
        if process.name == "prometheus" and process.pid:
            os.kill(process.pid, signal.SIGHUP)


def queues_asked(vhosts: Sequence[str]) -> dict[str, list[str]]:
    """What a scrape of RabbitMQ asks for: of the queues in these virtual hosts, and in no other."""
    return {"vhost": [*vhosts], "family": [*QUEUE_FAMILIES]}


def _prometheus(platform: "Platform", scrape_seconds: float) -> Mapping[str, Any]:
    ports = platform.state.ports
    limits = {"sample_limit": SAMPLES_LIMIT, "label_limit": LABELS_LIMIT}

    def static(job: str, port: str, **more: Any) -> dict[str, Any]:
        targets = [{"targets": [f"127.0.0.1:{ports[port]}"]}]
        return {"job_name": job, **limits, "static_configs": targets, **more}

    jobs = [
        {
            "job_name": "processes",
            "honor_labels": True,
            **limits,
            "file_sd_configs": [{"files": [str(platform.run.targets / "*.json")]}],
        },
        static("prometheus", "prometheus"),
    ]
    if binary("alertmanager"):
        jobs.append(static("alertmanager", "alertmanager"))
    if platform.rabbitmq:
        detailed = {"metrics_path": "/metrics/detailed", "params": queues_asked(platform.rabbitmq.vhosts())}
        jobs.append(static("rabbitmq", "rabbitmq-metrics", **detailed))
    return {
        "global": {
            "scrape_interval": rules.duration(scrape_seconds),
            "scrape_timeout": rules.duration(min(4.0, scrape_seconds)),
            "evaluation_interval": rules.duration(scrape_seconds),
        },
        "rule_files": [str(platform.run.watch / "rules.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}]},
        "scrape_configs": jobs,
    }


def _alertmanager(receiver: str | None, divide: float) -> Mapping[str, Any]:
    """Routes by severity. Without a receiver nobody is told; `capstone alerts` asks."""
    hooks = {"webhook_configs": [{"url": receiver, "send_resolved": True}]} if receiver else {}
    wait = rules.duration(max(1.0, 10.0 / divide))
    # Who is told by another name is told anew of what fires already.
    name = f"-{receiver}" if receiver else ""
    routes = [
        {"receiver": f"{severity}{name}", "matchers": [f'severity="{severity}"']} for severity in ("ticket", "watchdog")
    ]
    return {
        "route": {
            "receiver": f"page{name}",
            "group_by": ["alertname", "capstone"],
            "group_wait": wait,
            "group_interval": wait,
            "repeat_interval": "4h",
            "routes": routes,
        },
        "receivers": [{"name": f"{severity}{name}", **hooks} for severity in ("page", "ticket", "watchdog")],
    }
