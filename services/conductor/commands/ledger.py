"""`capstone ledger verify`: what was promised against what took effect."""

import contextlib
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from conductor.capstones.orders import checker, evidence
from conductor.capstones.orders.checker import FINAL, Verdict
from conductor.harness.outbox_state import Facts
from conductor.laptop.runtime import LocalRuntime
from conductor.run_directory import RunDirectory
from conductor.waiting import until

commands = typer.Typer(name="ledger", no_args_is_help=True, help="Compare what was promised with what took effect.")

LOOK_SECONDS = 1.0


@commands.command()
def verify(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for orders and mails still under way.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Judge every order of this platform; exit status 1 when one was lost or doubled, each named with the reason."""
    run = RunDirectory.chosen()
    runtime = LocalRuntime.running(run)
    judged: Verdict | None = None

    def settled() -> bool:
        nonlocal judged
        # Before the look: what is final and sent by then is seen by it. What was placed since may not be final.
        done = facts.settled("")
        found = evidence.gather(runtime, sorted(run.journals.glob("*.jsonl")))
        judged = checker.judge(found)
        return judged.sound or (done and all(order["state"] in FINAL for order in found.orders.values()))

    with contextlib.closing(Facts(runtime)) as facts:
        until(settled, within_seconds=wait, every_seconds=LOOK_SECONDS)
    assert judged is not None, "looked at once at least"
    if as_json:
        findings = [asdict(finding) for finding in judged.findings]
        repeats = [asdict(repeat) for repeat in judged.repeats]
        print(json.dumps({**judged.as_json(), "findings": findings, "repeats": repeats}))
    else:
        console = Console(highlight=False)
        for finding in judged.findings:
            console.print(f"[red]{finding.fault}[/red]  {finding.subject}: {finding.why}", soft_wrap=True)
        for repeat in judged.repeats:
            console.print(
                f"[yellow]mail repeated[/yellow]  {repeat.order_id} {repeat.kind}, by a kill of {repeat.kill.pool}"
            )
        console.print(", ".join(f"{name} {value}" for name, value in judged.as_json().items()), soft_wrap=True)
    raise typer.Exit(0 if judged.sound else 1)
