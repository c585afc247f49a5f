"""`capstone alerts`: what fires now, since when, where its runbook is, and what to type first."""

import contextlib
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from conductor.access import CapstoneOption
from conductor.command_line import typed
from conductor.errors import DrillFailed, NotRunning
from conductor.run_directory import RunDirectory

commands = typer.Typer()

ORDER = {"page": 0, "ticket": 1}


@commands.command()
def alerts(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Alerts that fire now, with since, runbook and next command; exit status 1 when one is a page."""
    found = sorted(firing(), key=lambda one: (ORDER.get(one["severity"], 2), one["since"]))
    if as_json:
        print(json.dumps(found))
    else:
        _print(found)
    raise typer.Exit(1 if any(one["severity"] == "page" for one in found) else 0)


@commands.command("alert-drill")
def alert_drill(
    divide: Annotated[float, typer.Option(min=1, help="By how much the times of all rules are divided.")] = 20,
    quiet_seconds: Annotated[float, typer.Option(min=0, help="How long nothing is done first.")] = 180,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ALERT", help="Play only what raises this; repeatable.")
    ] = None,
    faults: Annotated[bool, typer.Option(help="Play faults after the quiet time.")] = True,
    write: Annotated[bool, typer.Option("--write", help="Put the measured rows into docs/alerts.md.")] = False,
    capstone: CapstoneOption = None,
) -> None:
    """See that no alert fires in a quiet time and while all pools are rolled, then play faults on the watched platform that runs here: how
    long each alert took to fire and to be over. What any capstone can have is played on the first that runs, or on the named one."""
    from conductor.harness import alert_faults, alert_plays, alert_table
    from conductor.laptop.runtime import LocalRuntime

    console = Console(highlight=False)
    runtimes = LocalRuntime.every(capstone)
    played = [(runtime, play) for runtime in runtimes for play in alert_faults.of_capstone(runtime)]
    played += [(runtimes[0], play) for play in alert_faults.plays(runtimes[0])]
    if not faults:
        played = []
    if only:
        played = [(runtime, play) for runtime, play in played if {one.alert for one in play.expected} & set(only)]
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as loads:
        for runtime in runtimes:
            loads.enter_context(alert_plays.requested(runtime, Path(folder) / runtime.platform.name))
        if not only:
            with alert_plays.watched(runtimes[0], 1) as receiver:
                for runtime in runtimes:
                    alert_plays.roll(runtime, receiver, list(runtime.pools()))
            console.print("rolled all pools, and no alert fired")
        with alert_plays.watched(runtimes[0], divide) as receiver:
            if not only:
                alert_plays.quiet(receiver, quiet_seconds)
                console.print(f"{quiet_seconds:g} s of quiet, and no alert fired")
            for runtime, play in played:
                try:
                    found = alert_plays.measure(runtime, receiver, play, divide)
                except DrillFailed as error:
                    failures.append(str(error))
                    console.print(f"[red]{failures[-1]}[/red]", soft_wrap=True)
                    continue
                for line in alert_table.rows(found):
                    console.print(line, markup=False, soft_wrap=True)
                if write:
                    alert_table.write(found)
    if failures:
        raise DrillFailed(
            f"{len(failures)} of {len(played)} faults were not seen as they should be: {'; '.join(failures)}"
        )


def firing() -> list[dict[str, Any]]:
    """What fires on this laptop, but for the watchdog. Raises NotRunning when nobody watches, as when the watchdog does not fire."""
    import httpx

    from conductor.http_client import request
    from conductor.laptop import observability, state

    run = RunDirectory.chosen()
    own = state.loaded(run.state)
    if not own.observe:
        raise NotRunning("nobody watches: start with `make up OBSERVE=1`")
    if observability.missing():
        raise NotRunning(f"{' and '.join(observability.missing())} not installed: {observability.INSTALL}")
    try:
        answer = request("GET", f"http://127.0.0.1:{own.ports['prometheus']}/api/v1/alerts", timeout=5)
        told = answer.json()["data"]["alerts"]
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise NotRunning(f"Prometheus does not answer: {error}") from None
    now = [_record(one) for one in told if one["state"] == "firing"]
    if not any(one["alert"] == "Watchdog" for one in now):
        raise NotRunning("Prometheus evaluates no rules yet: its watchdog does not fire")
    return [one for one in now if one["alert"] != "Watchdog"]


def _record(one: dict[str, Any]) -> dict[str, Any]:
    labels, notes = one["labels"], one["annotations"]
    return {
        "alert": labels["alertname"],
        "severity": labels["severity"],
        "since": one["activeAt"],
        "summary": notes["summary"],
        "runbook": notes["runbook"],
        "next": f"{typed()} {notes['next']}" if "next" in notes else "",
        "labels": {name: value for name, value in labels.items() if name not in ("alertname", "severity")},
    }


def _print(found: list[dict[str, Any]]) -> None:
    console = Console(highlight=False)
    if not found:
        console.print("nothing fires")
    for one in found:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(one["since"][:19] + "+00:00")).total_seconds()
        colour = "red" if one["severity"] == "page" else "yellow"
        console.print(f"[bold {colour}]{one['severity']:<6}[/] [bold]{one['alert']}[/]  since {max(0, seconds):.0f} s")
        for text in (one["summary"], f"runbook: {one['runbook']}", f"next:    {one['next']}"):
            console.print(f"       {text}", soft_wrap=True, markup=False)
