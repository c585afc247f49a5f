"""Ends a platform: pools first, so that they finish what they run, then the world outside, then the servers.

Also what a crashed supervisor left behind. When it returns, no process of the run is alive.
"""

import contextlib

from conductor.errors import ConductorError, NotRunning
from conductor.laptop import observability, orphans, outside
from conductor.laptop.platform import Platform, capstone_of, pool_of
from conductor.laptop.supervisor import DEAD_STATES

SURVIVOR_GRACE_SECONDS = 20.0
SERVER_STOP_SECONDS = 60.0


def stop(platform: Platform) -> list[int]:
    """Stop everything; the pids that had to be ended without the supervisor."""
    with contextlib.suppress(NotRunning):
        _in_order(platform)
    return end_survivors(platform)


def end_survivors(platform: Platform) -> list[int]:
    """End what runs of this platform though no supervisor knows it; raises when something cannot be ended."""
    run_id, starts = platform.state.run_id, platform.run.starts
    ended = orphans.end(run_id, starts, grace_seconds=SURVIVOR_GRACE_SECONDS)
    left = orphans.find(run_id, starts)
    if left:
        raise ConductorError(f"still alive after SIGKILL: {', '.join(str(process.pid) for process in left)}")
    for record in starts.glob("*"):
        record.unlink()
    return ended


def stop_capstone(platform: Platform) -> None:
    """End and forget the pools of one capstone, then its outside programs and stores; everything else goes on. Raises NotRunning."""
    known = {process.name for process in platform.supervisor.processes()}
    exporter = {observability.exporter_name(platform.name)}
    for names in (
        {name for name in known if capstone_of(name) == platform.name},
        (outside.processes(platform.capstone) | platform.store_names | exporter) & known,
    ):
        _stop_all(platform, names & _living(platform), within_seconds=_grace_seconds(platform))
        for name in names:
            platform.supervisor.remove(name)


def stop_pools(platform: Platform) -> None:
    """End every pool in order and forget it; servers and the outside world go on. Raises NotRunning."""
    supervisor = platform.supervisor
    pools = {process.name for process in supervisor.processes() if pool_of(process.name)}
    _stop_all(platform, pools & _living(platform), within_seconds=_grace_seconds(platform))
    for name in pools:
        supervisor.remove(name)


def _living(platform: Platform) -> set[str]:
    return {process.name for process in platform.supervisor.processes() if process.state not in DEAD_STATES}


def _grace_seconds(platform: Platform) -> int:
    return max(pool.grace_seconds for one in platform.every for pool in one.pools.values())


def _in_order(platform: Platform) -> None:
    supervisor = platform.supervisor
    # By name: programs of this version may need ports that the version which started the platform did not choose.
    server_names = {program.name for server in platform.shared_servers for program in server.programs()}
    server_names |= {name for one in platform.every for name in one.store_names}
    outside_names = {name for one in platform.every for name in outside.processes(one.capstone)}
    living = _living(platform)
    # The keeper first: nobody is to be found dead any more.
    for names in ({"keeper"}, living - server_names - outside_names - {"keeper"}, outside_names):
        _stop_all(platform, names & living, within_seconds=_grace_seconds(platform))
    if platform.rabbitmq and "rabbitmq" in living:
        platform.rabbitmq.shutdown(within_seconds=SERVER_STOP_SECONDS)
    _stop_all(platform, server_names & living, within_seconds=SERVER_STOP_SECONDS)
    pid = platform.state.supervisor_pid
    supervisor.shutdown()
    orphans.wait_gone(pid, within_seconds=15)


def _stop_all(platform: Platform, names: set[str], *, within_seconds: float) -> None:
    for name in names:
        platform.supervisor.begin_stop(name)
    # The supervisor kills at the end of each one's own grace; a little more for it to notice.
    platform.supervisor.wait_stopped(*names, within_seconds=within_seconds + 5)
