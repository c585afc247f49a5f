"""The parts of one laptop platform, put together from its state: servers, outside world, pools, supervisor.

Supervisor and servers are there once; each capstone has a database, a vhost, pools and outside programs. Names are derived from its own.
"""

import dataclasses
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from conductor import pools
from conductor.capstone import Capstone, application, load
from conductor.laptop import environment, observability, outside
from conductor.laptop.orphans import MARKER
from conductor.laptop.programs import Program
from conductor.laptop.servers import Server
from conductor.laptop.servers.postgres import Postgres
from conductor.laptop.servers.rabbitmq import RabbitMQ
from conductor.laptop.servers.valkey import Store, Valkey
from conductor.laptop.servers.valkey_cluster import ClusterNode
from conductor.laptop.state import State
from conductor.laptop.supervisor import Supervisor, inherited
from conductor.own_servers import OwnStore
from conductor.pools import Pool
from conductor.run_directory import CAPSTONE_PATH, RunDirectory, roots, values
from conductor.runtime import UNCHANGED, Change

POOL_PROCESS = re.compile(r"(?P<capstone>\w+)\.(?P<pool>.+)-g(?P<generation>\d+)-(?P<replica>\d+)")


def capstone_of(process: str) -> str | None:
    """The capstone whose pool a process's name says it belongs to; None for a server or an outside program."""
    found = POOL_PROCESS.fullmatch(process)
    return found["capstone"] if found else None


def pool_of(process: str) -> str | None:
    """The pool that a process's name says it belongs to; None for a server."""
    found = POOL_PROCESS.fullmatch(process)
    return found["pool"] if found else None


def generation_of(process: str) -> int:
    """Which roll started it, from 1; 0 for a server."""
    found = POOL_PROCESS.fullmatch(process)
    return int(found["generation"]) if found else 0


@dataclass(frozen=True)
class Platform:
    """Everything that runs on this laptop, as the capstone `name` sees it: the first of those that run, when left out.

    Nothing is started by making one.
    """

    run: RunDirectory
    state: State
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.state.capstones[0])

    @cached_property
    def every(self) -> "tuple[Platform, ...]":
        """The same as each capstone that runs sees it."""
        return tuple(
            self if name == self.name else dataclasses.replace(self, name=name) for name in self.state.capstones
        )

    def of(self, capstone: str) -> "Platform | None":
        """The same as this capstone sees it; None when it does not run."""
        return next((one for one in self.every if one.name == capstone), None)

    @cached_property
    def base_environment(self) -> dict[str, str]:
        """What every process gets: the little that is inherited, where capstones lie, and the mark of this run."""
        _, *others = map(str, roots())
        path = {CAPSTONE_PATH: os.pathsep.join(others)} if others else {}
        return {**inherited(), **path, "PYTHONUNBUFFERED": "1", MARKER: self.state.run_id}

    @cached_property
    def capstone(self) -> Capstone:
        """The plug-in of the capstone."""
        return load(self.name)

    @cached_property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.run, self.state)

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.run, self.state, self.base_environment, self.name)

    @cached_property
    def valkey(self) -> Valkey:
        return Valkey(self.run, self.state, self.base_environment, self.name)

    @cached_property
    def rabbitmq(self) -> RabbitMQ | None:
        """Our own node, when it is the broker."""
        own = self.state.broker == "rabbitmq" and self.state.external_broker is None
        return RabbitMQ(self.run, self.state, self.base_environment, self.name) if own else None

    @cached_property
    def stores(self) -> Sequence[Store]:
        """The servers that only this capstone uses: its stores, or their nodes."""
        return [server for servers in self._own_stores.values() for server in servers]

    @property
    def store_addresses(self) -> dict[str, str]:
        """The URL of each of its stores by name; of a cluster those of all nodes, with commas between."""
        return {one.name: ",".join(server.address() for server in self._own_stores[one]) for one in self._own_stores}

    @cached_property
    def _own_stores(self) -> dict[OwnStore, list[Store]]:
        password, settings = self.state.logins[self.name].stores, self.state.settings

        def servers(one: OwnStore) -> list[Store]:
            names = one.nodes(settings)
            given = (self.run, self.state, self.base_environment, password)
            return (
                [Store(one.name, *given)] if len(names) == 1 else [ClusterNode(name, names, *given) for name in names]
            )

        return {one: servers(one) for one in self.capstone.stores}

    @property
    def store_names(self) -> set[str]:
        """What the processes of its stores are called."""
        return {name for one in self.capstone.stores for name in one.nodes(self.state.settings)}

    @property
    def servers(self) -> Sequence[Server]:
        """Those that all capstones share, and each one's own stores."""
        own = [store for one in self.every for store in one.stores]
        return [*self.shared_servers, *own]

    @property
    def shared_servers(self) -> Sequence[Server]:
        """Those that every capstone needs."""
        shared: list[Server] = [self.postgres, self.valkey]
        return [*shared, self.rabbitmq] if self.rabbitmq else shared

    @cached_property
    def pools(self) -> dict[str, Pool]:
        own = self.run.values(self.name)
        found = pools.load(own if own.exists() else values(self.name))
        for one in self.capstone.stores:
            for shard in range(1, one.shard_count(self.state.settings)):
                made = found[one.pool].of_shard(shard)
                found.setdefault(made.name, made)
        return found

    @property
    def broker_url(self) -> str:
        if self.state.external_broker:
            return self.state.external_broker
        return self.rabbitmq.address() if self.rabbitmq else self.valkey.address()

    def service_environment(self) -> dict[str, str]:
        """What every process of the service shares."""
        return environment.service(
            self.state,
            self.capstone,
            self.base_environment,
            database=self.postgres.address(),
            broker=self.broker_url,
            store=self.valkey.store_address(),
            own_stores={one.variable: self.store_addresses[one.name] for one in self.capstone.stores},
        )

    def outside_programs(self) -> Sequence[Program]:
        return outside.programs(self.capstone, self.run, self.state, self.base_environment)

    def pool_programs(self, pool: Pool, generation: int, change: Change = UNCHANGED) -> Sequence[Program]:
        """One generation of a pool's processes."""
        return [self._pool_program(pool, generation, replica, change) for replica in range(pool.replicas)]

    def _pool_program(self, pool: Pool, generation: int, replica: int, change: Change) -> Program:
        name = f"{self.name}.{pool.name}-g{generation}-{replica}"
        argv = pools.command(
            pool,
            self.state.broker,
            app=application(self.name),
            hostname=f"{name}@{socket.gethostname()}",
            schedule=self.run.data / f"{self.name}.beat-schedule",
        )
        api_port = self.state.ports_of(self.name)["api"]
        own = environment.process(self.run, self.name, api_port, pool, name, replica, code=change.code)
        port = observability.port_name(self.name, pool.name, replica, generation)
        shown = observability.environment(self.state, self.run.metrics, name, pool.role, port)
        variables = environment.layered(self.service_environment(), own, shown, change.settings)
        return Program(name, "pool", argv, variables, stop_seconds=pool.grace_seconds)

    def with_state(self, **changes: object) -> "Platform":
        """The same with another state, its parts made anew."""
        return dataclasses.replace(self, state=self.state.model_copy(update=changes))
