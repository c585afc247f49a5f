"""`capstone up | down | status`."""

import json
from typing import Annotated

import typer
from rich.console import Console

from conductor.errors import Refused
from conductor.laptop import lifecycle, screen, status
from conductor.laptop.lifecycle import Started
from conductor.laptop.runtime import LocalRuntime
from conductor.run_directory import RunDirectory

commands = typer.Typer()
FIRST_COMMAND = ".venv/bin/capstone order place"


@commands.command()
def up(
    broker: Annotated[str | None, typer.Option(help="rabbitmq or valkey; RabbitMQ when it is installed.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting for every pool process.")
    ] = None,
) -> None:
    """Start everything in the background and wait until it is ready."""
    console = Console(highlight=False)
    want = lifecycle.wanted(broker, dict(_pair(text) for text in setting or []))
    with console.status("starting") as spinner:

        def tell(text: str) -> None:
            spinner.update(text)
            console.print(f"  {text}", style="dim")

        started = lifecycle.up(RunDirectory.chosen(), want, tell)
    _print_started(console, started)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise Refused(f'--set "{text}": NAME=VALUE is expected')
    return name, value


def _print_started(console: Console, started: Started) -> None:
    state = started.platform.state
    ports = state.ports
    words = "ready" if started.changed else "it runs already; nothing was changed"
    console.print(f"[bold green]{words}[/bold green]  (broker: {state.broker})")
    rows = {
        "API": f"http://127.0.0.1:{ports['api']}/docs",
        "mail": f"http://127.0.0.1:{ports['mail']}/messages",
        "payments": f"http://127.0.0.1:{ports['payments']}/ledger",
        "carrier": f"http://127.0.0.1:{ports['carrier']}/ledger",
        {"rabbitmq": "RabbitMQ", "valkey": "Valkey"}[state.broker]: status.without_secrets(started.platform.broker_url),
        "PostgreSQL": status.without_secrets(started.platform.postgres.address()),
        "secrets": "capstone env prints passwords and tokens",
        "logs": str(started.platform.run.logs),
    }
    for name, value in rows.items():
        # Whole, however narrow the terminal: these are copied.
        console.print(f"  {name:<11} {value}", soft_wrap=True, markup=False)
    console.print(f"\nnext: [bold]{FIRST_COMMAND}[/bold]")


@commands.command()
def down() -> None:
    """Stop everything; what was accepted stays in .run/ and goes on at the next start."""
    print("stopped" if lifecycle.down(RunDirectory.chosen()) else "nothing was running")


@commands.command("status")
def status_command(
    live: Annotated[bool, typer.Option("--live", help="A screen that refreshes every second.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; `ready` says whether all is well.")] = False,
) -> None:
    """What runs, whether it is ready, and where it answers; exit status 1 when it is not ready."""
    runtime = LocalRuntime.running()
    if live:
        screen.show(runtime)
        return
    found = status.gather(runtime)
    if as_json:
        print(json.dumps(status.as_json(found)))
    else:
        Console(highlight=False).print(screen.render(found))
    raise typer.Exit(0 if found.ready else 1)
