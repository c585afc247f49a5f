"""`capstone alerts`: what fires now, since when, where its runbook is, and what to type first."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from conductor.access import CapstoneOption
from conductor.command_line import typed
from conductor.errors import NotRunning
from conductor.run_directory import CHECKOUT, RunDirectory

commands = typer.Typer()

DOCUMENT = CHECKOUT / "docs" / "alerts.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"

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
    write: Annotated[bool, typer.Option("--write", help="Put the table into docs/alerts.md.")] = False,
    capstone: CapstoneOption = None,
) -> None:
    """Roll all pools, then play faults on the watched platform that runs here; how long each alert took to fire and to be over."""
    from conductor.harness import alert_plays
    from conductor.laptop.runtime import LocalRuntime

    console = Console(highlight=False)
    runtime = LocalRuntime.running(capstone=capstone)
    measured = []
    with tempfile.TemporaryDirectory() as folder, alert_plays.requested(runtime, Path(folder)):
        with alert_plays.watched(runtime, 1) as receiver:
            alert_plays.roll(runtime, receiver, list(runtime.pools()))
        console.print("rolled all pools, and no alert fired")
        with alert_plays.watched(runtime, divide) as receiver:
            for play in alert_plays.plays(runtime):
                measured.append(alert_plays.measure(runtime, receiver, play, divide))
                console.print(alert_plays.table(measured[-1:], divide).splitlines()[-1], markup=False, soft_wrap=True)
    if write:
        text = DOCUMENT.read_text()
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        DOCUMENT.write_text(f"{before}{BEGIN}\n{alert_plays.table(measured, divide)}{END}{after}")


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
