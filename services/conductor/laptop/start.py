"""Starts a platform, in order: servers, database, migrations, topology, outside world, pools. Safe to do again.

Whatever fails names its process and ends with the tail of its log; the caller then takes everything down.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial

from conductor.capstone import application
from conductor.errors import StartFailed, Unready
from conductor.laptop import observability, outside, probes, programs
from conductor.laptop.platform import Platform, capstone_of, pool_of
from conductor.laptop.programs import Program
from conductor.laptop.state import save
from conductor.laptop.supervisor import Process
from conductor.pools import Pool
from conductor.waiting import until

TAIL_LINES = 20
DEATHS_TOLERATED = 3
"""A process that died this often while we waited for it will not come up."""

ROLLS_TOLERATED = 3
"""How often a pool that is not ready is asked again because its processes changed meanwhile."""

Tell = Callable[[str], None]


def start_servers(platform: Platform) -> Platform:
    """Start the supervisor, the servers, the outside world and the keeper; nothing answers yet. The platform with its pid.

    Nothing of this platform runs before.
    """
    programs.forget_all(platform.run)
    for server in platform.servers:
        server.prepare()
    platform = platform.with_state(supervisor_pid=platform.supervisor.start(platform.base_environment))
    save(platform.state, platform.run.state)
    if platform.state.observe:
        observability.provision(platform)
    platform.supervisor.add(*_base_programs(platform))
    return platform


def base_names(platform: Platform) -> set[str]:
    """The processes that run whether pools do or not."""
    return {program.name for program in _base_programs(platform)}


def await_servers(platform: Platform, tell: Tell) -> None:
    """Wait for the servers."""
    tell("waiting for the servers")
    for server in platform.servers:
        await_server(platform, server.name, server.answers)


def start_stores(platform: Platform) -> None:
    """Start the stores that only this capstone uses; what all share runs already."""
    for store in platform.stores:
        store.prepare()
        platform.supervisor.add(*store.programs())


def prepare(platform: Platform, tell: Tell) -> None:
    """Prepare database and broker for one capstone, and wait for its own stores and outside programs. The shared servers answer."""
    for store in platform.stores:
        await_server(platform, store.name, store.answers)
    platform.postgres.make_database()
    tell(f"migrating the database of {platform.name}")
    migrate(platform)
    declare(platform)
    for name, address in outside.addresses(platform.capstone, platform.state).items():
        await_server(platform, outside.process(name), partial(_healthy, address))


def start_pools(platform: Platform, tell: Tell) -> None:
    """Start the pools of one capstone and wait until all are ready."""
    tell(f"starting the pools of {platform.name}")
    made = [program for pool in platform.pools.values() for program in platform.pool_programs(pool, 1)]
    platform.supervisor.add(*made)
    startup_seconds = max(pool.startup_seconds for pool in platform.pools.values())
    await_pools(platform, [program.name for program in made], startup_seconds)


def migrate(platform: Platform) -> None:
    """Bring the capstone's database to this version; again is harmless."""
    run_once(platform, "migrate", "chassis.migrate")


def declare(platform: Platform) -> None:
    """Declare exchanges and queues; again is harmless."""
    run_once(platform, "declare", "chassis.declare")


def keeper(platform: Platform) -> Program:
    """The process that asks every pool process whether it lives, as a kubelet does; it keeps the ports, also while no pool runs."""
    environment = {**platform.base_environment, "CAPSTONE_RUN_DIR": str(platform.run.path)}
    return Program("keeper", "keeper", [sys.executable, "-m", "conductor.laptop.liveness"], environment)


def trace_store(platform: Platform) -> Program:
    """The process that keeps the spans of all others."""
    port = str(platform.state.ports["traces"])
    argv = [sys.executable, "-m", "conductor.laptop.trace_store", "--port", port, "--file", str(platform.run.traces)]
    return Program("traces", "outside", argv, platform.base_environment)


def run_once(platform: Platform, name: str, module: str) -> None:
    """Run one of the chassis' tools for the service, its output in a log of its own."""
    name = f"{platform.name}.{name}"
    log = platform.run.log(name)
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", module, application(platform.name)],
            env=platform.service_environment(),
            cwd=platform.run.path,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode:
        raise failure(platform, name, f"ended with {done.returncode}")


def await_server(platform: Platform, name: str, answers: Callable[[], bool], within_seconds: float = 60) -> None:
    """Return when it answers; StartFailed as soon as its process is seen dying, or when the time is over."""
    watch = DeathWatch(platform, [name])

    def settled() -> bool:
        watch.look()
        return answers()

    if not until(settled, within_seconds=within_seconds):
        raise failure(platform, name, f"does not answer after {within_seconds:.0f} s")


def await_pools(platform: Platform, names: Iterable[str], within_seconds: float) -> None:
    """Return when each of these processes says that it is ready; StartFailed names the first that is not, and why."""
    waiting = dict.fromkeys(names, "not asked yet")

    watch = DeathWatch(platform, waiting)

    def all_ready() -> bool:
        watch.look()
        for name in list(waiting):
            answer = ready(platform, name)
            if answer.well:
                del waiting[name]
            else:
                waiting[name] = answer.reason
        return not waiting

    if not until(all_ready, within_seconds=within_seconds, every_seconds=0.2):
        name, reason = next(iter(waiting.items()))
        raise failure(platform, name, f"is not ready after {within_seconds:.0f} s ({reason})")


def ready(platform: Platform, name: str) -> probes.Answer:
    """What one pool process answers when asked whether it is ready."""
    pool = platform.pools[pool_of(name) or name]
    try:
        environment = programs.environment_of(name, platform.run)
    except FileNotFoundError:
        return probes.Answer(False, "it was ended")
    return probes.ask("ready", pool.role, environment)


def unready(platform: Platform) -> list[str]:
    """Everything that should serve and does not, with the reason; empty when all is well."""
    found = [f"{server.name} does not answer" for server in platform.servers if not server.answers()]
    return found + [reason for one in platform.every for reason in _capstone_unready(one)]


def _capstone_unready(platform: Platform) -> list[str]:
    addresses = outside.addresses(platform.capstone, platform.state).values()
    asked = [probes.http(f"{address}/health") for address in addresses]
    found = [answer.reason for answer in asked if not answer.well]
    return found + [reason for pool in platform.pools.values() for reason in pool_unready(platform, pool)]


def pool_unready(platform: Platform, pool: Pool) -> list[str]:
    """Why fewer processes of a pool are ready than it should have; empty when enough are, of whatever generations.

    A roll may end a process between the list and the question, so what changed meanwhile is asked again.
    """
    known = _members(platform, pool)
    for _ in range(ROLLS_TOLERATED):
        reasons = _short_of(platform, pool, known)
        before, known = known, _members(platform, pool)
        if not reasons or [(one.name, one.pid) for one in before] == [(one.name, one.pid) for one in known]:
            break
    return reasons


def _members(platform: Platform, pool: Pool) -> list[Process]:
    """Its processes but those that were told to end, which a roll leaves behind when it is cut short."""
    return [
        one
        for one in platform.supervisor.processes()
        if (capstone_of(one.name), pool_of(one.name)) == (platform.name, pool.name)
        and one.state not in ("STOPPING", "STOPPED")
    ]


def _short_of(platform: Platform, pool: Pool, members: list[Process]) -> list[str]:
    answers = [(process.name, _ready(platform, process)) for process in members]
    if sum(answer.well for _, answer in answers) >= pool.replicas:
        return []
    missing = [f"{pool.name} has {len(members)} of {pool.replicas} processes"] * (len(members) < pool.replicas)
    return missing + [f"{name}: {answer.reason}" for name, answer in answers if not answer.well]


def _ready(platform: Platform, process: Process) -> probes.Answer:
    # What a process that ended said last is nothing to judge by: its pid may be somebody else's now.
    if not process.pid:
        return probes.Answer(False, f"it does not run now ({process.state.lower()}: {process.description})")
    return ready(platform, process.name)


def wait_ready(platform: Platform, within_seconds: float) -> None:
    """Return when nothing is unready; Unready names what is."""
    reasons: list[str] = []

    def well() -> bool:
        reasons[:] = unready(platform)
        return not reasons

    if not until(well, within_seconds=within_seconds, every_seconds=0.3):
        raise Unready(f"not ready after {within_seconds:.0f} s: {'; '.join(reasons)}")


def _healthy(address: str) -> bool:
    return probes.http(f"{address}/health").well


def _base_programs(platform: Platform) -> list[Program]:
    servers = [program for server in platform.servers for program in server.programs()]
    outside_programs = [program for one in platform.every for program in one.outside_programs()]
    observing = [trace_store(platform), *observability.programs(platform)] if platform.state.observe else []
    return [*servers, *outside_programs, *observing, keeper(platform)]


class DeathWatch:
    """Notices processes that die again and again from now on, so that nobody waits for them until the time is over."""

    def __init__(self, platform: Platform, names: Iterable[str]) -> None:
        self._platform = platform
        self._starts = {name: programs.starts(name, platform.run) for name in names}

    def look(self) -> None:
        """Raises StartFailed for the first one that died too often, or that the supervisor gave up on."""
        for process in self._platform.supervisor.processes():
            if process.name in self._starts and self._dying(process):
                raise failure(self._platform, process.name, f"keeps ending: {process.description}")

    def _dying(self, process: Process) -> bool:
        starts = programs.starts(process.name, self._platform.run) - self._starts[process.name]
        return process.state == "FATAL" or starts > DEATHS_TOLERATED


def failure(platform: Platform, name: str, what: str) -> StartFailed:
    """The error that names a process, what happened to it, its log and the log's last lines."""
    log = platform.run.log(name)
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:] if log.exists() else []
    tail = "\n".join(f"    {line}" for line in lines)
    return StartFailed(f"{name} {what}; the end of {log}:\n{tail}")
