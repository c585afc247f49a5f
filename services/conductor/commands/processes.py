"""`capstone logs | env | roll | kill`: one process or pool at a time."""

import json
import os
import shlex
import signal as signals
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from conductor import access, history
from conductor.access import CapstoneOption, NamespaceOption, RuntimeOption
from conductor.cluster.kubectl import NAMESPACE
from conductor.errors import NotRunning, Refused
from conductor.history import Kill, now
from conductor.run_directory import KILLS, RunDirectory

if TYPE_CHECKING:
    from conductor.runtime import Which

commands = typer.Typer()
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command()
def logs(
    process: Annotated[str | None, typer.Argument(help="A process or a pool; every one when left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each.")] = 20,
    order: Annotated[
        str | None, typer.Option(metavar="ID", help="Every line about this order, of all processes, by time.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --order: the lines as they were written.")] = False,
    capstone: CapstoneOption = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """The logs, each line with its process in front."""
    from conductor.laptop import logs as log_files

    in_cluster = None
    if access.chosen(runtime, namespace) == "kubernetes":
        from conductor.cluster import install, pod_logs
        from conductor.cluster.runtime import KubernetesRuntime

        in_cluster = KubernetesRuntime(namespace, capstone=install.chosen(namespace, capstone))
    if order is not None:
        from conductor.laptop import log_lines

        told = None
        if in_cluster is not None:
            told = log_lines.among(pod_logs.lines_for(in_cluster, log_lines.names(order)), order)
        for found in log_lines.about(RunDirectory.chosen().logs, order) if told is None else told:
            print(json.dumps(found.fields) if as_json else found)
        return
    if in_cluster is not None:
        pod_logs.show(in_cluster, process, lines=lines, follow=follow)
        return
    run = RunDirectory.chosen()
    if not run.logs.is_dir():
        raise NotRunning("there are no logs yet: start it with `make up`")
    for name, line in log_files.read(run.logs, process, lines=lines, follow=follow, capstone=capstone):
        print(f"{name:<26} {line}", flush=True)


@commands.command()
def env(as_json: AsJson = False, capstone: CapstoneOption = None) -> None:
    """The environment of the service's command line tools and the API's tokens, with every secret, for a shell (eval) or a program."""
    from conductor.laptop.runtime import LocalRuntime

    runtime = LocalRuntime.running(capstone=capstone)
    tokens = {f"{who.upper()}_TOKEN": token for who, token in runtime.tokens().items()}
    found = {**runtime.service_environment(), "API_URL": runtime.addresses()["api"], **tokens}
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"export {name}={shlex.quote(value)}")


@commands.command()
def roll(
    pool: Annotated[str, typer.Argument(help="POOL or NAME/POOL, or `all` of one capstone.")],
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting for the new processes.")
    ] = None,
    as_json: AsJson = False,
    capstone: CapstoneOption = None,
) -> None:
    """Replace a pool's processes: start new ones, wait until they are ready, end the old ones in order."""
    from conductor.laptop.runtime import LocalRuntime
    from conductor.runtime import Change

    runtime, pool = LocalRuntime.of_pool(pool, capstone)
    change = Change(settings=dict(text.partition("=")[::2] for text in setting or []))
    pools = list(runtime.pools()) if pool == "all" else [pool]
    rolled = [runtime.roll(name, change) for name in pools]
    if as_json:
        print(json.dumps([asdict(one) for one in rolled]))
        return
    for one in rolled:
        left = ", ".join(
            f"{old.name} {'was killed' if old.killed else 'left'} after {old.seconds:.1f} s" for old in one.stopped
        )
        print(f"Rolled {one.pool}: {', '.join(one.started)} serves; {left or 'nothing ran before'}.")


@commands.command()
def kill(
    pool: Annotated[str, typer.Argument(help="POOL or NAME/POOL; its first process with all its children.")],
    child: Annotated[
        bool, typer.Option("--child", help="Only one child, as the kernel does when memory is out.")
    ] = False,
    signal: Annotated[str, typer.Option(help="A signal's name, such as TERM or STOP.")] = "KILL",
    as_json: AsJson = False,
    capstone: CapstoneOption = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Kill a process of a pool, or a pod in a cluster; its supervisor starts it again. A cluster has to be named: --runtime kubernetes."""
    from conductor.laptop.runtime import LocalRuntime

    number = getattr(signals, f"SIG{signal.removeprefix('SIG')}", None)
    if not isinstance(number, signals.Signals):
        raise Refused(f'--signal "{signal}" is no signal here')
    which: Which = "child" if child else "tree"
    at = now()
    if access.chosen(runtime, namespace) == "kubernetes":
        from conductor.cluster import install
        from conductor.cluster.runtime import KubernetesRuntime

        if runtime is None:
            raise Refused("nothing runs on this machine; `--runtime kubernetes` kills a pod of the cluster")
        if number is not signals.SIGKILL:
            raise Refused(f"--signal {signal}: in a cluster only KILL can be sent")
        named, _, pool = pool.rpartition("/")
        system = install.chosen(namespace, capstone or named or None)
        pod = KubernetesRuntime(namespace, capstone=system).kill(pool, child=child)
        history.append(access.journals_of(namespace, system) / KILLS, Kill(at, pool, which, ()))
        print(json.dumps({"pool": pool, "signal": number.name, "pod": pod}) if as_json else f"KILL sent to {pod}")
        return
    laptop, pool = LocalRuntime.of_pool(pool, capstone)
    pids = laptop.kill(pool, which, number)
    if pids and number is signals.SIGKILL:
        history.append(RunDirectory.chosen().kills(laptop.platform.name), Kill(at, pool, which, tuple(pids)))
    if as_json:
        print(json.dumps({"pool": pool, "signal": number.name, "pids": list(pids)}))
    else:
        print(_killed(pool, number, pids, child=child))
    if not pids:
        raise typer.Exit(1)


def _killed(pool: str, number: signals.Signals, pids: Sequence[int], *, child: bool) -> str:
    if not pids:
        return f"{pool} has no {'child' if child else 'process'} to send a signal to: nothing was done."
    whom = f"a child of {pool}" if child else f"the first process of {pool}"
    below = f" and {len(pids) - 1} below it" if len(pids) > 1 else ""
    starter = "its parent" if child else "the supervisor"
    after = f": {starter} starts another one" if number is signals.SIGKILL else ""
    return f"Sent {number.name} to {whom} (pid {pids[0]}){below}{after}."


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def parked(
    context: typer.Context,
    capstone: CapstoneOption = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Messages that could not be worked on: list, show ID, replay ID…, drop ID… (--help for all)."""
    from conductor.laptop.runtime import LocalRuntime

    if access.chosen(runtime, namespace) == "kubernetes":
        from conductor.cluster import install
        from conductor.cluster.runtime import KubernetesRuntime

        KubernetesRuntime(namespace, capstone=install.chosen(namespace, capstone)).run_parked(*context.args)
        return
    from conductor.capstone import application

    laptop = LocalRuntime.running(capstone=capstone)
    environment = dict(laptop.service_environment())
    sys.stdout.flush()
    os.execve(
        sys.executable,
        [sys.executable, "-m", "chassis.parked", application(laptop.platform.name), *context.args],
        environment,
    )
