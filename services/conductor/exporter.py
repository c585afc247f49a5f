"""`python -m conductor.exporter --capstone NAME`: what a capstone's database says about now, for Prometheus to scrape.

States, ages and waits are facts of the database, not of a process, so one program counts them once, with a login that only reads.
DATABASE_URL says where. A database that does not answer is `chassis_database_up 0`, and no stale numbers: what cannot be known is absent.
So is a store that nobody named (`--store NAME=VARIABLE`), and the disk and the backups without `--data` and `--backups`. A server that is
spoken to over TLS is asked for its certificate; `--tls NAME=VARIABLE` names more of them.
"""

import argparse
import contextlib
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import psycopg
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from conductor import capstones, redis_cluster
from conductor.capstone import Capstone, Gauge
from conductor.certificates import Certificates
from conductor.errors import Refused, StoreUnreachable
from conductor.http_server import WsgiServer
from conductor.redis_client import connected, nodes

PORT = 9105
ANSWER_SECONDS = 0.8
"""How long a scrape waits for the database: one that is stopped takes connections and answers nothing, and a scrape may take a second."""

LEASE_SECONDS = "30"
"""The relay's lease where RELAY_LEASE_SECONDS does not say another."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked beside the database: stores by name with their URLs, a disk, base backups, certificates."""

    stores: Mapping[str, str]
    data: Path | None = None
    backups: Path | None = None
    certificates: Certificates | None = None

    def facts(self) -> Iterator[tuple[str, str, Sequence[str], Sequence[tuple[Any, ...]]]]:
        """Name, help, labels and rows of each metric; what ends in `_total` is a counter."""
        stores = {name: _asked(urls) for name, urls in self.stores.items()}
        ups = [(name, float(store.up)) for name, store in stores.items()]
        yield "chassis_store_up", "Whether a store answers, with all that it holds", ("store",), ups
        fullest = {name: max(store.servers, key=_share) for name, store in stores.items() if store.servers}
        used = [(name, _used(one)) for name, one in fullest.items()]
        yield "chassis_store_memory_bytes", "Memory of a store that counts towards its limit", ("store",), used
        limits = [(name, one["maxmemory"]) for name, one in fullest.items() if one["maxmemory"]]
        yield "chassis_store_memory_limit_bytes", "The most memory that a store may use", ("store",), limits
        gone = [
            (name, sum(one["evicted_keys"] for one in store.servers))
            for name, store in stores.items()
            if store.complete  # without one of its servers the sum would fall, and rise again
        ]
        yield "chassis_store_evicted_keys_total", "Keys that a store threw away to make room", ("store",), gone
        if self.data is not None:
            free = shutil.disk_usage(self.data).free
            yield "conductor_disk_free_bytes", "Free space where the data lies", (), [(free,)]
        if self.certificates and (told := self.certificates.expiries()):
            name = "conductor_certificate_expires_timestamp_seconds"
            yield name, "When the certificate that a server shows expires", ("server",), told
        made = [path.stat().st_mtime for path in self.backups.glob("*Z/backup.json")] if self.backups else []
        if made:
            yield "conductor_backup_timestamp_seconds", "When the last base backup was made", (), [(max(made),)]


MACHINE = Machine({})


@dataclass(frozen=True, slots=True)
class Store:
    """What the servers of a store that answer say of themselves; `complete` when all do."""

    servers: Sequence[Mapping[str, Any]]
    complete: bool

    @property
    def up(self) -> bool:
        """Whether every key has a server: of a cluster one that answers tells of all."""
        slots = [one["cluster_slots_ok"] for one in self.servers if "cluster_slots_ok" in one]
        return redis_cluster.SLOTS in slots if slots else self.complete


def _asked(urls: str) -> Store:
    """All servers are asked at once, because each that is away takes the time that a scrape has."""
    each = nodes(urls)
    with ThreadPoolExecutor(len(each)) as pool:
        told = [one for one in pool.map(_server, each) if one]
    return Store(told, complete=len(told) == len(each))


def _server(url: str) -> Mapping[str, Any]:
    """What a server says of itself, and how many slots of its cluster are served; nothing when it does not answer."""
    with contextlib.suppress(StoreUnreachable), connected(url, answer_seconds=0.5) as client:
        client.ping()  # a server that still reads its files says what it is, and does no work
        told = client.info()
        if told["cluster_enabled"]:
            told["cluster_slots_ok"] = int(redis_cluster.info(client)["cluster_slots_ok"])
        return told
    return {}


def _used(server: Mapping[str, Any]) -> float:
    return float(server["used_memory"] - server["mem_not_counted_for_evict"])


def _share(server: Mapping[str, Any]) -> float:
    """How full it is; the one of several that is fullest refuses writes first."""
    return _used(server) / server["maxmemory"] if server["maxmemory"] else 0.0


class Exporter(Collector):
    """Asks at every scrape, over one connection that is made anew when it broke."""

    def __init__(self, capstone: Capstone, url: str, machine: Machine = MACHINE) -> None:
        self._capstone = capstone
        self._url = url
        self._machine = machine
        self._connection: psycopg.Connection[Any] | None = None
        self._asking = ThreadPoolExecutor(1)
        lease = os.environ.get("RELAY_LEASE_SECONDS") or LEASE_SECONDS
        self._options = f"-c statement_timeout=4000 -c chassis.lease_seconds={float(lease)}"

    def collect(self) -> Iterator[Metric]:
        """Everything, as of now."""
        asked = self._asking.submit(self._ask)
        try:
            found = asked.result(ANSWER_SECONDS)
        except (psycopg.Error, TimeoutError):
            self._let_go()
            found = []
        yield self._family("chassis_database_up", "Whether the database answers", (), [(float(bool(found)),)])
        for gauge, rows in found:
            yield self._family(gauge.name, gauge.help, gauge.labels, rows)
        for name, text, labels, facts in self._machine.facts():
            yield self._family(name, text, labels, facts)

    def _family(self, name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Metric:
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        family = kind(name, text, labels=("capstone", *labels))
        for *values, number in rows:
            family.add_metric([self._capstone.name, *map(str, values)], float(number))
        return family

    def _ask(self) -> list[tuple[Gauge, list[tuple[Any, ...]]]]:
        return [(gauge, self._rows(gauge.query)) for gauge in self._capstone.gauges]

    def _let_go(self) -> None:
        """Ask over a new connection next, from a new thread; the one that waits for an answer is woken, and ends."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as own:
                own.shutdown(socket.SHUT_RDWR)
        self._asking.shutdown(wait=False, cancel_futures=True)
        self._asking = ThreadPoolExecutor(1)

    def _rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=2, options=self._options, application_name="exporter"
            )
        return self._connection.execute(query).fetchall()


class Quiet(WSGIRequestHandler):
    """Ends a connection that sends nothing, and logs no scrape."""

    timeout = 10

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def serve(exporter: Exporter, port: int) -> WSGIServer:
    """A server, not yet serving: /metrics, and at any other path only that it is well. One scrape at a time, having one connection."""
    registry = CollectorRegistry()
    registry.register(exporter)
    metrics = make_wsgi_app(registry)

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            told: Iterable[bytes] = metrics(environ, start_response)
            return told
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"well\n"]

    return make_server("", port, answer, server_class=WsgiServer, handler_class=Quiet)


def _named(pairs: Sequence[str]) -> dict[str, str]:
    """The URLs of NAME=VARIABLE, by name."""
    return {name: os.environ[variable] for name, _, variable in (pair.partition("=") for pair in pairs)}


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m conductor.exporter", description="Facts of a database, as metrics."
    )
    parser.add_argument("--capstone", required=True, choices=capstones.names())
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--store", action="append", default=[], metavar="NAME=VARIABLE", help="a store to ask, too")
    parser.add_argument(
        "--tls", action="append", default=[], metavar="NAME=VARIABLE", help="one whose certificate counts"
    )
    parser.add_argument("--data", type=Path, help="a folder whose disk is watched")
    parser.add_argument("--backups", type=Path, help="the folder of the base backups")
    asked = parser.parse_args()
    capstone = capstones.named(asked.capstone)
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise Refused("DATABASE_URL is not set")
    stores = _named(asked.store)
    certificates = Certificates({"database": url, **stores, **_named(asked.tls)})
    machine = Machine(stores, asked.data, asked.backups, certificates)
    serve(Exporter(capstone, url, machine), asked.port).serve_forever()


if __name__ == "__main__":
    main()
