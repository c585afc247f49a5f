"""`up` and `down` as one decision each: what runs already, what is left over, what must be started.

A start that fails leaves nothing running of what it was to start; a second start changes nothing. A capstone is added to what runs, and
taken away, while the others go on. What a version left that knew one capstone only is ended and taken over: its files get their new names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conductor.errors import Refused
from conductor.laptop import interrupted_restore, observability, restore_points, start, state, stop
from conductor.laptop.platform import Platform, pool_of
from conductor.laptop.ports import reserved
from conductor.laptop.runtime import LocalRuntime, locked
from conductor.laptop.start import Tell
from conductor.laptop.wanted import Wanted, needed_ports, next_state, with_capstones
from conductor.run_directory import RunDirectory
from conductor.waiting import until

KEEPER_SECONDS = 15.0
SETTLING_SECONDS = 30.0
"""A running platform that is not ready (a server just restarted) gets this long before it is started anew."""


@dataclass(frozen=True, slots=True)
class Started:
    """`changed` is False when it ran already."""

    platform: Platform
    changed: bool


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
        fresh = next_state(found, want, names)
        usual = needed_ports(Platform(run, fresh))
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
    usual = needed_ports(platform)
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
        if platform.capstone.prepare is not None:
            platform.capstone.prepare(LocalRuntime(platform))


def _add(platform: Platform, names: Sequence[str], tell: Tell) -> Started:
    """Start capstones beside those that run. When one fails, those that ran go on and the new ones are taken away again."""
    before = platform.state
    grown = platform.with_state(**with_capstones(before, names))
    usual = {name: port for name, port in needed_ports(grown).items() if name not in needed_ports(platform)}
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
            if before.observe:
                observability.follow(grown)
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
    # A pool's process shows no metrics where there is no port for them, and runs all the same.
    unknown = needed_ports(platform).keys() - observability.ports(platform).keys() - own.ports.keys()
    if unknown:
        tell(f"an earlier version started it, without a port for {', '.join(sorted(unknown))}: starting it anew")
        stop.stop(platform)
        return None
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
