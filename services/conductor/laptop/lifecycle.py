"""`up` and `down` as one decision each: what runs already, what is left over, what must be started.

A start that fails leaves nothing running of what it was to start; a second start changes nothing. A capstone is added to what runs, and
taken away, while the others go on. What a version left that knew one capstone only is ended and taken over: its files get their new names.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from conductor.capstone import load
from conductor.errors import Refused
from conductor.laptop import interrupted_restore, observability, outside, restore_points, start, state, stop
from conductor.laptop.platform import Platform, pool_of
from conductor.laptop.ports import API, OF_RABBITMQ, TRACES, USUAL, reserved
from conductor.laptop.runtime import LocalRuntime, locked
from conductor.laptop.servers import rabbitmq
from conductor.laptop.start import Tell
from conductor.laptop.state import State, api_port
from conductor.pools import Broker
from conductor.run_directory import FIRST, RunDirectory
from conductor.waiting import until

KEEPER_SECONDS = 15.0
SETTLING_SECONDS = 30.0
"""A running platform that is not ready (a server just restarted) gets this long before it is started anew."""


@dataclass(frozen=True, slots=True)
class Started:
    """`changed` is False when it ran already."""

    platform: Platform
    changed: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asked for; `broker` None means whichever there is, no `capstones` those that ran last, or the first one."""

    broker: Broker | None = None
    settings: Mapping[str, str] | None = None
    external_broker: str | None = None
    capstones: Sequence[str] = ()
    observe: bool | None = None
    """Whether spans are kept; None is as it was."""


def wanted(
    broker: str | None, settings: Mapping[str, str], names: Iterable[str] = (), *, observe: bool | None = None
) -> Wanted:
    """From the command line and BROKER_URL; Refused when they contradict each other. There are capstones of these names."""
    url = os.environ.get("BROKER_URL")
    if broker is not None and broker not in get_args(Broker):
        raise Refused(f'--broker "{broker}": there are {" and ".join(get_args(Broker))}')
    of_url = _broker_of(url) if url else None
    if broker and of_url and broker != of_url:
        raise Refused(f"--broker {broker} contradicts BROKER_URL, which names a {of_url}")
    chosen: Broker | None = of_url or ("rabbitmq" if broker == "rabbitmq" else "valkey" if broker else None)
    return Wanted(chosen, settings or None, url, tuple(names), observe)


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
        names = want.capstones
        if found is not None:
            platform = Platform(run, found)
            if found.earlier:
                _take_over(platform, tell)
            elif platform.supervisor.answers():
                # What runs is added to, also when it has to be started anew.
                names = [*found.capstones, *names]
            running = _already(platform, want, tell)
            if running:
                return running
        fresh = _next_state(found, want, names)
        usual = _needed(Platform(run, fresh))
        with reserved(usual, fresh.ports, usual) as ports:
            platform = _with_ports(Platform(run, fresh), ports, usual, tell)
            _start(platform, tell)
        return Started(Platform(run, state.loaded(run.state)), changed=True)


def _with_ports(platform: Platform, ports: Mapping[str, int], usual: Mapping[str, int], tell: Tell) -> Platform:
    """The platform with these ports, too; its state is saved."""
    made = platform.with_state(ports={**platform.state.ports, **ports})
    state.save(made.state, made.run.state)
    for name in ports:
        if ports[name] != usual[name]:
            tell(f"port {usual[name]} is taken: {name} uses {ports[name]}")
    return made


def _take_over(platform: Platform, tell: Tell) -> None:
    """End what an earlier version started, and give its files the names that they have now."""
    if stop.stop(platform):
        tell("ended what an earlier version had started")
    run, name = platform.run, platform.name
    journals = run.journals(name)
    journals.mkdir(mode=0o700, parents=True, exist_ok=True)
    for journal in journals.parent.glob("*.jsonl"):
        journal.rename(journals / journal.name)
    if (own := run.path / "values.yaml").exists():
        own.rename(run.values(name))


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
            start.await_servers(platform, tell)
            for one in platform.every:
                start.prepare(one, tell)
        except BaseException:
            stop.stop(platform)
            raise
    return platform


def _start(platform: Platform, tell: Tell) -> None:
    try:
        platform = start.start_servers(platform)
        start.await_servers(platform, tell)
        _make_ready(platform.every, tell)
    except BaseException:
        tell("stopping what was started")
        stop.stop(platform)
        raise


def _make_ready(each: Iterable[Platform], tell: Tell) -> None:
    """Prepare these capstones, start their pools and fill in what requests refer to. The servers answer."""
    for platform in each:
        start.prepare(platform, tell)
        start.start_pools(platform, tell)
        platform.capstone.prepare(LocalRuntime(platform))


def _add(platform: Platform, names: Sequence[str], tell: Tell) -> Started:
    """Start capstones beside those that run. When one fails, those that ran go on and the new ones are taken away again."""
    before = platform.state
    grown = platform.with_state(**_grown(before, names))
    usual = {name: port for name, port in _needed(grown).items() if name not in _needed(platform)}
    with reserved(usual, before.ports, usual) as ports:
        grown = _with_ports(grown, ports, usual, tell)
        new = [one for one in grown.every if one.name in names]
        try:
            if grown.rabbitmq:
                grown.rabbitmq.make_vhosts()
            for one in new:
                start.start_stores(one)
                grown.supervisor.add(*one.outside_programs())
                if before.observe:
                    grown.supervisor.add(observability.exporter(one))
            _make_ready(new, tell)
        except BaseException:
            tell(f"stopping {', '.join(names)}")
            for one in new:
                stop.stop_capstone(one)
            state.save(
                before.model_copy(update={"logins": grown.state.logins, "ports": grown.state.ports}), grown.run.state
            )
            raise
        _watch_anew(grown)
    return Started(grown, changed=True)


def _grown(own: State, names: Sequence[str]) -> dict[str, object]:
    """What changes in a state when these are added."""
    grown = own.running(*own.capstones, *names)
    _refuse_together(grown)
    return {"capstones": grown.capstones, "logins": grown.logins}


def _refuse_together(own: State) -> None:
    """Refused when these capstones cannot run beside each other."""
    if own.external_broker and len(own.capstones) > 1:
        raise Refused(f"BROKER_URL names one vhost, and {', '.join(own.capstones)} need one each: run one of them")
    owners: dict[str, str] = {}
    for name in own.capstones:
        for port in outside.ports(load(name)):
            if owners.setdefault(port, name) != name:
                raise Refused(f"{owners[port]} and {name} both bring an outside program named {port}: run one of them")


def _watch_anew(platform: Platform) -> None:
    """Start the keeper anew: it learns at its start which capstones and ports there are."""
    platform.supervisor.begin_stop("keeper")
    platform.supervisor.wait_stopped("keeper", within_seconds=KEEPER_SECONDS)
    platform.supervisor.start_again("keeper")


def down(run: RunDirectory, names: Iterable[str] = ()) -> bool:
    """Stop everything of a run directory, or these capstones only. Returns whether there was anything."""
    asked = set(names)
    found = state.load(run.state)
    if found is None:
        return False
    with locked(run):
        platform = Platform(run, found)
        was_running = platform.supervisor.answers()
        ending = [one for one in platform.every if one.name in asked]
        if asked and not (was_running and ending):
            return False
        if not asked or len(ending) == len(platform.every):
            return bool(stop.stop(platform)) or was_running
        for one in ending:
            stop.stop_capstone(one)
        left = platform.with_state(capstones=[name for name in found.capstones if name not in asked])
        state.save(left.state, run.state)
        _watch_anew(Platform(run, left.state))
        return True


def _already(platform: Platform, want: Wanted, tell: Tell) -> Started | None:
    """The running platform when it is what is wanted; None when there is none, after ending what is left of it."""
    if not platform.supervisor.answers():
        if stop.end_survivors(platform):
            tell("ended what a supervisor that is gone had left behind")
        return None
    own = platform.state
    if want.broker not in (None, own.broker) or (want.settings is not None and dict(want.settings) != own.settings):
        raise Refused(f"it runs already, with {own.broker} and settings {own.settings}: `make down` first")
    if want.observe not in (None, own.observe):
        raise Refused(f"it runs already, and keeps {'' if own.observe else 'no '}traces: `make down` first")
    known = platform.supervisor.processes()
    new = [name for name in want.capstones if name not in own.capstones]
    absent = start.base_names(platform) - {
        process.name for process in known if process.state not in ("STOPPED", "FATAL")
    }
    if absent:
        tell(f"it runs without {', '.join(sorted(absent))}: starting it anew")
        stop.stop(platform)
        return None
    if not any(pool_of(process.name) for process in known):
        # Only servers run, as after a restore.
        _make_ready(platform.every, tell)
        return _add(platform, new, tell) if new else Started(platform, changed=True)
    if until(lambda: not start.unready(platform), within_seconds=SETTLING_SECONDS, every_seconds=0.5):
        return _add(platform, new, tell) if new else Started(platform, changed=False)
    tell(f"it runs but is not ready ({'; '.join(start.unready(platform))}): starting it anew")
    stop.stop(platform)
    return None


def _next_state(found: State | None, want: Wanted, names: Sequence[str]) -> State:
    broker: Broker = want.broker or ("rabbitmq" if rabbitmq.installed() else "valkey")
    base = found or State.fresh(broker, *(names or (FIRST,)))
    fresh = base.running(*(names or base.capstones)).model_copy(
        update={
            "broker": broker,
            "external_broker": want.external_broker,
            "settings": dict(want.settings or {}),
            "observe": base.observe if want.observe is None else want.observe,
            "supervisor_pid": None,
            "earlier": False,
        }
    )
    _refuse_together(fresh)
    return fresh


def _needed(platform: Platform) -> dict[str, int]:
    """The ports that the platform needs, each with the one to try first."""
    own = platform.state
    ours = own.broker == "rabbitmq" and own.external_broker is None
    servers = {name: port for name, port in USUAL.items() if ours or name not in OF_RABBITMQ}
    needed = {**servers, **({"traces": TRACES, **observability.ports(platform)} if own.observe else {})}
    for one in platform.every:
        needed |= {api_port(one.name): API, **outside.ports(one.capstone)}
        needed |= {store.name: store.laptop_port for store in one.capstone.stores}
        needed |= one.capstone.ports
    return needed
