"""The platform on this laptop, as drills see it: supervised processes and servers under one run directory."""

import contextlib
import fcntl
import signal as signals
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import psutil

from conductor.errors import NotRunning, Refused, Unready
from conductor.laptop import environment, outside, signalling, start, state, tcp_queues
from conductor.laptop.platform import Platform, capstone_of, generation_of, pool_of
from conductor.laptop.servers import Server
from conductor.laptop.supervisor import Process
from conductor.laptop.volume import own_volume
from conductor.pools import Broker, Pool
from conductor.run_directory import RunDirectory
from conductor.runtime import UNCHANGED, Change, ProcessTree, Rolled, ServerName, Stopped, Volume, Which
from conductor.waiting import until

OBEYING_SECONDS = 30.0
"""How long a process may take to die of SIGKILL or stop by SIGSTOP: it does so when it next gets a core, and a disk may hold it."""


class LocalRuntime:
    """A `Runtime` over the supervisor of one run directory."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @classmethod
    def running(cls, run: RunDirectory | None = None, capstone: str | None = None) -> "LocalRuntime":
        """A capstone of a run directory (the chosen one by default), or the only one that runs there when none is named.

        NotRunning when it never ran, or ran without this capstone; Refused when several run and none is named.
        """
        run = run or RunDirectory.chosen()
        own = state.loaded(run.state)
        if capstone is None and len(own.capstones) > 1:
            raise Refused(f"--capstone: which one? There run {', '.join(own.capstones)}")
        if capstone is not None and capstone not in own.capstones:
            raise NotRunning(f"{capstone} does not run here; there runs {', '.join(own.capstones)}")
        return cls(Platform(run, own, capstone or own.capstones[0]))

    @classmethod
    def every(cls, capstone: str | None = None) -> "list[LocalRuntime]":
        """One for each capstone that runs in the chosen run directory, or only for the one that is named. NotRunning when it does not."""
        if capstone:
            return [cls.running(capstone=capstone)]
        run = RunDirectory.chosen()
        return [cls(one) for one in Platform(run, state.loaded(run.state)).every]

    @classmethod
    def of_pool(cls, named: str, capstone: str | None = None) -> "tuple[LocalRuntime, str]":
        """The capstone that a pool belongs to, and the pool: NAME/POOL, or a name that only one of those that run has.

        `all` is every pool of a capstone. Refused when several have it, or none.
        """
        name, slash, pool = named.rpartition("/")
        if slash and capstone not in (None, name):
            raise Refused(f'"{named}" contradicts --capstone {capstone}')
        if slash or capstone:
            return cls.running(capstone=name or capstone), pool
        runtimes = cls.every()
        having = [one for one in runtimes if pool == "all" or pool in one.pools()]
        if len(having) > 1:
            raise Refused(f"{pool}: which one? {', '.join(f'{one.platform.name}/{pool}' for one in having)}")
        if not having and len(runtimes) > 1:
            known = [f"{one.platform.name}/{each}" for one in runtimes for each in one.pools()]
            raise Refused(f'no pool is named "{pool}"; there are {", ".join(known)}')
        return (having or runtimes)[0], pool

    @property
    def broker(self) -> Broker:
        return self.platform.state.broker

    def pools(self) -> Mapping[str, Pool]:
        return self.platform.pools

    def trees(self, pool: str) -> Sequence[ProcessTree]:
        self._pool(pool)
        return [_tree(process, pool) for process in self._processes(pool) if process.pid]

    def roll(self, pool: str, change: Change = UNCHANGED, *, between: Callable[[], None] | None = None) -> Rolled:
        wanted = self._pool(pool)
        if between and not wanted.old_first:
            raise Refused(
                f"{pool}: its new processes start before the old ones end, so nothing can be done between them"
            )
        with locked(self.platform.run):
            old = [process.name for process in self._processes(pool)]
            generation = max((generation_of(name) for name in old), default=0) + 1
            programs = self.platform.pool_programs(wanted, generation, change)
            names = tuple(program.name for program in programs)
            if wanted.old_first:
                stopped = self._end(old, wanted.grace_seconds)
                try:
                    if between:
                        between()
                finally:
                    self.platform.supervisor.add(*programs)
                start.await_pools(self.platform, names, wanted.startup_seconds)
                return Rolled(pool, names, stopped)
            self.platform.supervisor.add(*programs)
            try:
                start.await_pools(self.platform, names, wanted.startup_seconds)
            except BaseException:
                self._end(names, wanted.grace_seconds)
                raise
            return Rolled(pool, names, self._end(old, wanted.grace_seconds))

    def kill(self, pool: str, which: Which = "tree", signal: int = signals.SIGKILL, index: int = 0) -> Sequence[int]:
        trees = self.trees(pool)
        if not trees:
            return ()
        tree = trees[index % len(trees)]
        targets = {
            "tree": (tree.pid, *tree.children),
            "parent": (tree.pid,),
            "child": tree.children and (tree.children[index // len(trees) % len(tree.children)],),
        }[which]
        hit = [pid for pid in targets if signalling.send(pid, signal)]
        obeyed = signalling.OBEYED.get(signal)
        if obeyed and not until(lambda: all(map(obeyed, hit)), within_seconds=OBEYING_SECONDS):
            told = signals.Signals(signal).name
            raise Unready(f"{pool} was sent {told}, and goes on after {OBEYING_SECONDS:g} s: processes {hit}")
        return hit

    def ports(self, pids: Collection[int]) -> frozenset[int]:
        return frozenset(port for pid in pids for port in _ports(pid))

    def restart_server(self, name: ServerName, *, hard: bool) -> None:
        server = self._server(name)
        supervisor = self.platform.supervisor
        process = supervisor.process(name)
        if hard:
            signalling.send(process.pid, signals.SIGKILL)
            with contextlib.suppress(psutil.Error):
                psutil.Process(process.pid).wait(10)
        else:
            self._stop_server(name)
            supervisor.start_again(name)
        start.await_server(self.platform, name, server.answers)

    @contextlib.contextmanager
    def server_away(self, name: ServerName) -> Iterator[None]:
        """A server that is not there during the block: it takes no connection, and nobody starts it again."""
        server = self._server(name)
        self._stop_server(name)
        try:
            yield
        finally:
            self.platform.supervisor.start_again(name)
            start.await_server(self.platform, name, server.answers)

    @contextlib.contextmanager
    def stopped_server(self, name: ServerName) -> Iterator[None]:
        pid = self._server_pid(name)
        signalling.send(pid, signals.SIGSTOP)
        if not until(lambda: signalling.still(pid), within_seconds=OBEYING_SECONDS, every_seconds=0.01):
            raise Unready(f"{name} was sent SIGSTOP, and goes on after {OBEYING_SECONDS:g} s")
        try:
            yield
        finally:
            signalling.send(pid, signals.SIGCONT)

    def unread_of(self, name: ServerName, pids: Collection[int]) -> int:
        return tcp_queues.unread(self.platform.state.ports[name], self.ports(pids))

    def _server_pid(self, name: str) -> int:
        return self.platform.supervisor.process(self._server(name).name).pid

    def wipe_broker(self) -> None:
        if self.platform.state.external_broker:
            raise Refused("BROKER_URL names a broker that is not ours: it is not wiped")
        server = self._server(self.broker)
        self._stop_server(self.broker)
        server.wipe()
        self.platform.supervisor.start_again(server.name)
        start.await_server(self.platform, server.name, server.answers)
        for one in self.platform.every:
            start.declare(one)

    @contextlib.contextmanager
    def memory_alarm(self) -> Iterator[None]:
        if self.platform.state.external_broker:
            raise Refused("BROKER_URL names a broker that is not ours: its memory is left alone")
        broker = self.platform.rabbitmq or self.platform.valkey
        broker.alarm()
        try:
            yield
        finally:
            broker.end_alarm()

    @contextlib.contextmanager
    def read_only_database(self) -> Iterator[None]:
        self.platform.postgres.set_read_only(True)
        try:
            yield
        finally:
            self.platform.postgres.set_read_only(False)

    def own_volume(self, pool: str, free_mebibytes: int, change: Change = UNCHANGED) -> AbstractContextManager[Volume]:
        return own_volume(self, self._pool(pool), free_mebibytes, change)

    def log(self, process: str) -> str:
        return self.platform.run.log(process).read_text(errors="replace")

    def addresses(self) -> Mapping[str, str]:
        return {
            "api": f"http://127.0.0.1:{self.platform.state.ports_of(self.platform.name)['api']}",
            **outside.addresses(self.platform.capstone, self.platform.state),
            "database": self.platform.postgres.address(),
            "broker": self.platform.broker_url,
            "store": self.platform.valkey.store_address(),
            **self.platform.store_addresses,
            **{name: f"tcp://127.0.0.1:{self.platform.state.ports[name]}" for name in self.platform.capstone.ports},
            **{
                f"{pool.name}.data": environment.folder(self.platform.run, self.platform.name, pool, 0).as_uri()
                for pool in self.platform.pools.values()
                if pool.kind == "StatefulSet"
            },
        }

    def tokens(self) -> Mapping[str, str]:
        state = self.platform.state
        return {**state.logins[self.platform.name].tokens.model_dump(), "outside": state.passwords.outside_admin}

    def service_environment(self) -> Mapping[str, str]:
        return self.platform.service_environment()

    def wait_ready(self, within_seconds: float = 60) -> None:
        start.wait_ready(self.platform, within_seconds)

    def _pool(self, name: str) -> Pool:
        if name not in self.platform.pools:
            raise Refused(f'no pool is named "{name}"; there are {", ".join(self.platform.pools)}')
        return self.platform.pools[name]

    def _processes(self, pool: str) -> list[Process]:
        return [
            process
            for process in self.platform.supervisor.processes()
            if (capstone_of(process.name), pool_of(process.name)) == (self.platform.name, pool)
        ]

    def _end(self, names: Sequence[str], grace_seconds: int) -> tuple[Stopped, ...]:
        began = time.monotonic()
        supervisor = self.platform.supervisor
        for name in names:
            supervisor.begin_stop(name)
        ended = []
        for name in names:
            supervisor.wait_stopped(name, within_seconds=grace_seconds + 5)
            ended.append(Stopped(name, time.monotonic() - began, killed=supervisor.process(name).exit_status == -1))
            supervisor.remove(name)
        return tuple(ended)

    def _server(self, name: str) -> Server:
        found = next((server for server in self.platform.servers if server.name == name), None)
        if found is None:
            raise Refused(f"{name} is not a server of this platform: its broker is {self.broker}")
        return found

    def _stop_server(self, name: str) -> None:
        if name == "rabbitmq" and self.platform.rabbitmq:
            self.platform.rabbitmq.shutdown()
        self.platform.supervisor.begin_stop(name)
        self.platform.supervisor.wait_stopped(name, within_seconds=60)


@contextlib.contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Hold the run directory: who starts, stops or rolls it waits for whoever does so now."""
    with run.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tree(process: Process, pool: str) -> ProcessTree:
    children: tuple[int, ...] = ()
    with contextlib.suppress(psutil.Error):
        children = tuple(child.pid for child in psutil.Process(process.pid).children(recursive=True))
    return ProcessTree(process.name, pool, process.pid, children)


def _ports(pid: int) -> list[int]:
    with contextlib.suppress(psutil.Error):
        return [connection.laddr.port for connection in psutil.Process(pid).net_connections("tcp") if connection.laddr]
    return []
