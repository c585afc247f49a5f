"""`up` and `down` as one decision each: what runs already, what is left over, what must be started.

A start that fails leaves nothing running; a second start changes nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from conductor.errors import Refused
from conductor.laptop import interrupted_restore, outside, restore_points, start, state, stop
from conductor.laptop.platform import Platform, pool_of
from conductor.laptop.ports import OF_RABBITMQ, USUAL, reserved
from conductor.laptop.runtime import LocalRuntime, locked
from conductor.laptop.servers import rabbitmq
from conductor.laptop.start import Tell
from conductor.laptop.state import State
from conductor.pools import Broker
from conductor.run_directory import RunDirectory
from conductor.waiting import until

SETTLING_SECONDS = 30.0
"""A running platform that is not ready (a server just restarted) gets this long before it is started anew."""


@dataclass(frozen=True, slots=True)
class Started:
    """`changed` is False when it ran already."""

    platform: Platform
    changed: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asked for; `broker` None means whichever there is."""

    broker: Broker | None = None
    settings: Mapping[str, str] | None = None
    external_broker: str | None = None


def wanted(broker: str | None, settings: Mapping[str, str]) -> Wanted:
    """From the command line and BROKER_URL; Refused when they contradict each other."""
    url = os.environ.get("BROKER_URL")
    if broker is not None and broker not in get_args(Broker):
        raise Refused(f'--broker "{broker}": there are {" and ".join(get_args(Broker))}')
    of_url = _broker_of(url) if url else None
    if broker and of_url and broker != of_url:
        raise Refused(f"--broker {broker} contradicts BROKER_URL, which names a {of_url}")
    chosen: Broker | None = of_url or ("rabbitmq" if broker == "rabbitmq" else "valkey" if broker else None)
    return Wanted(chosen, settings or None, url)


def _broker_of(url: str) -> Broker:
    scheme = url.partition("://")[0]
    if scheme in ("amqp", "amqps"):
        return "rabbitmq"
    if scheme in ("redis", "rediss"):
        return "valkey"
    raise Refused(f'BROKER_URL begins with "{scheme}://": amqp:// and redis:// are understood')


def up(run: RunDirectory, want: Wanted, tell: Tell) -> Started:
    """Start what is wanted and return when all of it is ready, with the catalogue filled. Refused after an unreconciled restore."""
    run.make()
    with locked(run):
        found = state.load(run.state)
        if found is not None:
            interrupted_restore.mend(Platform(run, found), tell)
        restored = restore_points.load(run)
        if restored is not None and not restored.reconciled:
            raise Refused(
                f"the database was restored to {restored.to.isoformat()}, and knows nothing of what the outside did since: "
                "`capstone reconcile --apply` first"
            )
        if found is not None:
            running = _already(Platform(run, found), want, tell)
            if running:
                return running
        fresh = _next_state(found, want)
        usual = _needed(Platform(run, fresh))
        with reserved(usual, fresh.ports, usual) as ports:
            platform = Platform(run, fresh.model_copy(update={"ports": {**fresh.ports, **ports}}))
            state.save(platform.state, run.state)
            for name in usual:
                if platform.state.ports[name] != usual[name]:
                    tell(f"port {usual[name]} is taken: {name} uses {platform.state.ports[name]}")
            _start(platform, tell)
        return Started(Platform(run, state.loaded(run.state)), changed=True)


def servers(run: RunDirectory, tell: Tell) -> Platform:
    """Start servers and outside world as they were last, without the pools; what runs already is left as it is. `run` is locked."""
    platform = Platform(run, state.loaded(run.state))
    interrupted_restore.mend(platform, tell)
    if platform.supervisor.answers():
        return platform
    stop.end_survivors(platform)
    usual = _needed(platform)
    with reserved(usual, platform.state.ports, usual) as ports:
        platform = Platform(run, platform.state.model_copy(update={"ports": {**platform.state.ports, **ports}}))
        state.save(platform.state, run.state)
        try:
            platform = start.start_servers(platform)
            start.prepare(platform, tell)
        except BaseException:
            stop.stop(platform)
            raise
    return platform


def _start(platform: Platform, tell: Tell) -> None:
    try:
        _make_ready(start.start_servers(platform), tell)
    except BaseException:
        tell("stopping what was started")
        stop.stop(platform)
        raise


def _make_ready(platform: Platform, tell: Tell) -> None:
    start.make_ready(platform, tell)
    platform.capstone.prepare(LocalRuntime(platform))


def down(run: RunDirectory) -> bool:
    """Stop everything of a run directory. Returns whether there was anything."""
    found = state.load(run.state)
    if found is None:
        return False
    with locked(run):
        platform = Platform(run, found)
        was_running = platform.supervisor.answers()
        return bool(stop.stop(platform)) or was_running


def _already(platform: Platform, want: Wanted, tell: Tell) -> Started | None:
    """The running platform when it is what is wanted; None when there is none, after ending what is left of it."""
    if not platform.supervisor.answers():
        if stop.end_survivors(platform):
            tell("ended what a supervisor that is gone had left behind")
        return None
    own = platform.state
    if want.broker not in (None, own.broker) or (want.settings is not None and dict(want.settings) != own.settings):
        raise Refused(f"it runs already, with {own.broker} and settings {own.settings}: `make down` first")
    known = platform.supervisor.processes()
    absent = start.base_names(platform) - {
        process.name for process in known if process.state not in ("STOPPED", "FATAL")
    }
    if absent:
        tell(f"it runs without {', '.join(sorted(absent))}: starting it anew")
        stop.stop(platform)
        return None
    if not any(pool_of(process.name) for process in known):
        # Only servers run, as after a restore.
        _make_ready(platform, tell)
        return Started(platform, changed=True)
    if until(lambda: not start.unready(platform), within_seconds=SETTLING_SECONDS, every_seconds=0.5):
        return Started(platform, changed=False)
    tell(f"it runs but is not ready ({'; '.join(start.unready(platform))}): starting it anew")
    stop.stop(platform)
    return None


def _next_state(found: State | None, want: Wanted) -> State:
    broker: Broker = want.broker or ("rabbitmq" if rabbitmq.installed() else "valkey")
    base = found or State.fresh(broker)
    return base.model_copy(
        update={
            "broker": broker,
            "external_broker": want.external_broker,
            "settings": dict(want.settings or {}),
            "supervisor_pid": None,
        }
    )


def _needed(platform: Platform) -> dict[str, int]:
    """The ports that the platform needs, each with the one to try first."""
    own = platform.state
    ours = own.broker == "rabbitmq" and own.external_broker is None
    servers = {name: port for name, port in USUAL.items() if ours or name not in OF_RABBITMQ}
    return {**servers, **outside.ports(platform.capstone)}
