"""`capstone soak`: what is installed in a cluster under a steady load, for long; what its pods take, and whether that fits."""

import time
from typing import Annotated

import typer
from rich.console import Console

from conductor import capstones
from conductor.cluster.kubectl import NAMESPACE
from conductor.errors import DrillFailed
from conductor.waiting import until

commands = typer.Typer()

AFTERWARDS_SECONDS = 600
"""For what is still open when the time is over."""

REQUESTS = 1000
"""A fifth of them is the most that is in flight at a time: a load that is not worked off is not made heavier."""


@commands.command()
def soak(
    capstone: Annotated[
        str | None,
        typer.Option("--capstone", metavar="NAME", help="Which one; may be left out when there is one only."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.5, help="How long requests come.")] = 15,
    per_second: Annotated[float, typer.Option("--rate", min=0.1, help="Requests a second.")] = 20,
    namespace: Annotated[str, typer.Option(help="Of the installation in the cluster.")] = NAMESPACE,
    tag: Annotated[str, typer.Option(help="Of its images.")] = "dev",
    write: Annotated[bool, typer.Option("--write", help="Put the table into k8s/README.md.")] = False,
) -> None:
    """Let requests come steadily; fails when a pod was restarted or ran out of memory, has no room to its limit, or lost a request."""
    from conductor.capstone import Patience, Size
    from conductor.cluster import install
    from conductor.cluster import resource_usage as soaking
    from conductor.cluster.resource_usage import EVERY_SECONDS, Soak
    from conductor.cluster.runtime import KubernetesRuntime
    from conductor.harness.cluster_session import ClusterSession
    from conductor.harness.reporter import Reporter

    console = Console(highlight=False)
    system = capstones.named(install.chosen(namespace, capstone))
    runtime = KubernetesRuntime(namespace, tag, capstone=system.name)
    runtime.wait_ready()
    restarts, found = runtime.restarts(), Soak()
    began = time.monotonic()

    def over() -> bool:
        found.look(runtime.kubectl)
        return time.monotonic() - began > 60 * minutes

    with Reporter(console) as reporter:
        session = ClusterSession(
            system,
            runtime,
            Size(REQUESTS, per_second=per_second, steady=True),
            reporter,
            Patience(60 * minutes + AFTERWARDS_SECONDS),
        )
        with session.judged():
            with session.load():
                until(over, within_seconds=60 * minutes, every_seconds=EVERY_SECONDS)
            verdict = session.verdict()
    console.print(found.table(), markup=False, soft_wrap=True)
    if write:
        soaking.written(found.table())
    if killed := soaking.killed_for_memory(runtime.kubectl):
        raise DrillFailed(f"killed for want of memory: {', '.join(killed)}")
    if again := {name: count for name, count in runtime.restarts().items() if count > restarts.get(name, 0)}:
        raise DrillFailed(f"restarted: {again}")
    found.judge()
    if not verdict.sound:
        raise DrillFailed(f"{verdict.lost} lost, {verdict.doubled} doubled: {verdict.findings[0].why}")
    console.print(f"sound: {verdict.accepted} requests, none lost or doubled; {found.samples} looks, no restart")
