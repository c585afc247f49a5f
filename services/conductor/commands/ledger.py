"""`capstone ledger verify`: what was promised against what took effect."""

import contextlib
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conductor import access, capstones
from conductor.access import Access, NamespaceOption, RuntimeOption
from conductor.cluster.kubectl import NAMESPACE
from conductor.waiting import until

if TYPE_CHECKING:
    from conductor.capstone import Capstone
    from conductor.verdict import Verdict

commands = typer.Typer(name="ledger", no_args_is_help=True, help="Compare what was promised with what took effect.")

LOOK_SECONDS = 1.0


@commands.command()
def verify(
    capstone: Annotated[
        str | None,
        typer.Option("--capstone", metavar="NAME", help="Which one; may be left out when there is one only."),
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what is still under way.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Judge every request of this platform; exit status 1 when one was lost or doubled, each named with the reason."""
    if access.chosen(runtime, namespace) == "kubernetes":
        from conductor.cluster import install

        capstone, runtime = install.chosen(namespace, capstone), "kubernetes"
    system = capstones.chosen(capstone)
    with access.opened(runtime, namespace, system.name) as platform:
        judged = _judged(system, platform, wait)
    if as_json:
        findings = [asdict(finding) for finding in judged.findings]
        repeats = [excused.detail for excused in judged.excused]
        print(json.dumps({**judged.as_json(), "findings": findings, "repeats": repeats}))
    else:
        console = Console(highlight=False)
        for finding in judged.findings:
            console.print(f"[red]{finding.fault}[/red]  {finding.subject}: {finding.why}", soft_wrap=True)
        for excused in judged.excused:
            console.print(f"[yellow]repeated[/yellow]  {excused.subject}: {excused.why}", soft_wrap=True)
        console.print(", ".join(f"{name} {value}" for name, value in judged.as_json().items()), soft_wrap=True)
    raise typer.Exit(0 if judged.sound else 1)


def _judged(capstone: "Capstone", platform: Access, wait_seconds: float) -> "Verdict":
    """The verdict once it is sound or everything is settled, or the last one when time is up; says on stderr what it waits for."""
    judged: Verdict | None = None
    told = ""

    def settled() -> bool:
        nonlocal judged, told
        # Before the look: what is completed by then is seen by it. What was accepted since may not be.
        done = progress.settled()
        judged = capstone.judge(platform.reach, sorted(platform.journals.glob("*.jsonl")), only_told=False)
        unfinished = progress.in_flight() or 0
        if judged.sound or (done and not unfinished):
            return True
        text = f"waiting for {unfinished} {capstone.name} to be completed and for their last commands, {wait_seconds:g} s at most"
        if text != told:
            told = text
            print(told, file=sys.stderr, flush=True)
        return False

    with contextlib.closing(capstone.progress(platform.reach)) as progress:
        until(settled, within_seconds=wait_seconds, every_seconds=LOOK_SECONDS)
    assert judged is not None, "looked at once at least"
    return judged
