"""`capstone up | down | status`."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from conductor import access, capstones
from conductor.access import CapstoneOption, NamespaceOption, RuntimeOption
from conductor.cluster.kubectl import NAMESPACE
from conductor.command_line import typed
from conductor.errors import NotRunning, Refused
from conductor.run_directory import RunDirectory

if TYPE_CHECKING:
    from conductor.laptop.lifecycle import Started
    from conductor.laptop.platform import Platform

commands = typer.Typer()


@commands.command()
def up(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Capstones, or all; those that ran last when left out. Others go on."),
    ] = None,
    broker: Annotated[str | None, typer.Option(help="rabbitmq or valkey; RabbitMQ when it is installed.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting for every pool process.")
    ] = None,
    observe: Annotated[
        bool | None,
        typer.Option(help="Keep traces and metrics, and alert; as last time when left out."),
    ] = None,
) -> None:
    """Start everything in the background and wait until it is ready."""
    from conductor.laptop import lifecycle
    from conductor.laptop.wanted import wanted

    console = Console(highlight=False)
    want = wanted(broker, dict(_pair(text) for text in setting or []), capstones.known(names or ()), observe=observe)
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


def _print_started(console: Console, started: "Started") -> None:
    from conductor.laptop import status

    state = started.platform.state
    ports = state.ports
    words = "ready" if started.changed else "it runs already; nothing was changed"
    console.print(f"[bold green]{words}[/bold green]  (broker: {state.broker})")
    rows = {
        **_own_rows(started.platform.every, ports),
        {"rabbitmq": "RabbitMQ", "valkey": "Valkey"}[state.broker]: status.without_secrets(started.platform.broker_url),
        "PostgreSQL": status.without_secrets(started.platform.postgres.address()),
        "secrets": f"{typed()} env prints passwords and tokens",
        "outside": f"{typed()} outside-token prints what opens its ledgers, mails and faults",
        "logs": str(started.platform.run.logs),
        **_watching(started.platform),
    }
    width = max(11, *map(len, rows))
    for name, value in rows.items():
        # Whole, however narrow the terminal: these are copied.
        console.print(f"  {name:<{width}} {value}", soft_wrap=True, markup=False)
    console.print(f"\nnext: [bold]{typed()} {started.platform.capstone.first_command}[/bold]", soft_wrap=True)


def _watching(platform: "Platform") -> dict[str, str]:
    """Where it is watched, or what is missing for that."""
    from conductor.laptop import observability

    if not platform.state.observe:
        return {}
    if lacking := observability.missing():
        return {"alerts": f"{' and '.join(lacking)} not installed: {observability.INSTALL}, then down and up again"}
    return {"alerts": f"{typed()} alerts", "Prometheus": f"http://127.0.0.1:{platform.state.ports['prometheus']}"}


def _own_rows(platforms: "Sequence[Platform]", ports: Mapping[str, int]) -> dict[str, str]:
    """Where each capstone and its outside programs are seen; its name is said where several run."""
    rows = {}
    for one in platforms:
        api = "API" if len(platforms) == 1 else f"API of {one.name}"
        rows[api] = f"http://127.0.0.1:{one.state.ports_of(one.name)['api']}/docs"
        rows |= {each.name: f"http://127.0.0.1:{ports[each.name]}/{each.shows}" for each in one.capstone.outside}
    return rows


@commands.command()
def down(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="Capstones to stop; everything when left out.")
    ] = None,
) -> None:
    """Stop everything, or some capstones while the others go on; what was accepted stays in .run/ and goes on at the next start."""
    from conductor.laptop import lifecycle

    print("stopped" if lifecycle.down(RunDirectory.chosen(), capstones.known(names or ())) else "nothing was running")


@commands.command("outside-token")
def outside_token() -> None:
    """Print the token that opens ledgers, mails and faults of the outside world; no process of the orders has it."""
    from conductor.laptop.runtime import LocalRuntime

    print(LocalRuntime.every()[0].tokens()["outside"])


@commands.command("status")
def status_command(
    live: Annotated[bool, typer.Option("--live", help="A screen that refreshes every second.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; `ready` says whether all is well.")] = False,
    capstone: CapstoneOption = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """What runs, whether it is ready, and where it answers; exit status 1 when it is not ready."""
    from conductor.laptop import screen, status
    from conductor.laptop.runtime import LocalRuntime

    if access.chosen(runtime, namespace) == "kubernetes":
        raise typer.Exit(_cluster_status(namespace, capstone, live=live, as_json=as_json))
    laptop = LocalRuntime.every(capstone)
    if live:
        screen.show(laptop)
        return
    found = status.gather(laptop)
    if as_json:
        print(json.dumps(status.as_json(found)))
    else:
        Console(highlight=False).print(screen.render(found))
    raise typer.Exit(0 if found.ready else 1)


def _cluster_status(namespace: str, capstone: str | None, *, live: bool, as_json: bool) -> int:
    """Print what runs in a cluster; the exit status."""
    from conductor.cluster import install
    from conductor.cluster import status as cluster_status
    from conductor.cluster.runtime import KubernetesRuntime

    if live:
        raise Refused("--live shows this machine's platform; for a cluster: kubectl get pods --watch")
    asked = capstones.known([capstone] if capstone else [])
    names = asked or install.installed(namespace)
    if not names:
        raise NotRunning(f'no capstone is installed in the namespace "{namespace}": `make deploy` installs one')
    found = cluster_status.look([KubernetesRuntime(namespace, capstone=name) for name in names])
    if as_json:
        print(json.dumps(cluster_status.as_json(found)))
    else:
        Console(highlight=False).print(cluster_status.render(found))
    return 0 if found.ready else 1
