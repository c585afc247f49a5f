"""`capstone ledger verify`: what was promised against what took effect."""

import contextlib
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conductor import access
from conductor.access import Access, NamespaceOption, RuntimeOption
from conductor.cluster.kubectl import NAMESPACE
from conductor.waiting import until

if TYPE_CHECKING:
    from conductor.capstones.orders.checker import Verdict

commands = typer.Typer(name="ledger", no_args_is_help=True, help="Compare what was promised with what took effect.")

LOOK_SECONDS = 1.0


@commands.command()
def verify(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for orders and mails still under way.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Judge every order of this platform; exit status 1 when one was lost or doubled, each named with the reason."""
    with access.opened(runtime, namespace) as platform:
        judged = _judged(platform, wait)
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


def _judged(platform: Access, wait_seconds: float) -> "Verdict":
    """The verdict once it is sound or everything is settled, or the last one when time is up; says on stderr what it waits for."""
    from conductor.capstones.orders import checker, evidence
    from conductor.capstones.orders.checker import FINAL, Verdict
    from conductor.harness.outbox_state import Facts

    judged: Verdict | None = None
    told = ""

    def settled() -> bool:
        nonlocal judged, told
        # Before the look: what is final and sent by then is seen by it. What was placed since may not be final.
        done = facts.settled("")
        found = evidence.gather(platform.reach, sorted(platform.journals.glob("*.jsonl")))
        judged = checker.judge(found)
        unfinished = sum(order["state"] not in FINAL for order in found.orders.values())
        if judged.sound or (done and not unfinished):
            return True
        text = (
            f"waiting for {unfinished} orders to become final and for their last commands, {wait_seconds:g} s at most"
        )
        if text != told:
            told = text
            print(told, file=sys.stderr, flush=True)
        return False

    with contextlib.closing(Facts(platform.reach)) as facts:
        until(settled, within_seconds=wait_seconds, every_seconds=LOOK_SECONDS)
    assert judged is not None, "looked at once at least"
    return judged
