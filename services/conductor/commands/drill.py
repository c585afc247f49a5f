"""`capstone drill list | run`."""

import json
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table

from conductor import capstones, drills
from conductor.cluster.kubectl import NAMESPACE
from conductor.errors import Refused
from conductor.history import now
from conductor.run_directory import RunDirectory

commands = typer.Typer(
    name="drill", no_args_is_help=True, help="Break the platform on purpose, and judge it from ledgers."
)

if TYPE_CHECKING:
    from conductor.harness.drill import Drill
    from conductor.harness.reporter import Story
    from conductor.harness.runner import Played
    from conductor.harness.session import Patience, Size
    from conductor.pools import Broker

SHOWN_FINDINGS = 20


def known() -> "dict[str, Drill]":
    """Every drill by name: the shared ones, and those that only one capstone has."""
    from conductor.harness.drill import catalogue

    return catalogue(drills, *capstones.packages("drills"))


def _named(name: str) -> "Drill":
    found = known()
    if name not in found:
        raise Refused(f'no drill is named "{name}"; there are {", ".join(found)}')
    return found[name]


@commands.command("list")
def list_drills(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What can be drilled."""
    found = known().values()
    if as_json:
        print(
            json.dumps(
                [
                    {"name": drill.name, "summary": drill.summary, "orders": drill.orders, "runtimes": drill.runtimes}
                    for drill in found
                ]
            )
        )
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("drill", "what it does", "orders at full size", "where"):
        table.add_column(title)
    for drill in found:
        table.add_row(f"[bold]{drill.name}[/bold]", drill.summary, str(drill.orders), ", ".join(drill.runtimes))
    Console(highlight=False).print(table)


BrokerOption = Annotated[
    str | None, typer.Option("--broker", help="rabbitmq or valkey; RabbitMQ when it is installed.")
]
Orders = Annotated[int | None, typer.Option(min=10, help="Orders accepted at least; full size when left out.")]
Seed = Annotated[int, typer.Option(help="The same seed draws the same orders and aims the same kills.")]
Minutes = Annotated[float, typer.Option(min=1, help="A drill that takes longer has failed.")]
Here = Annotated[bool, typer.Option("--here", help="On the platform that runs, not on one of its own.")]
RuntimeOption = Annotated[
    str, typer.Option("--runtime", help="local, or kubernetes: what is installed where kubectl points.")
]
Namespace = Annotated[str, typer.Option(help="Of the installation in the cluster.")]
Tag = Annotated[str, typer.Option(help="Of its images.")]
NextTag = Annotated[str | None, typer.Option(help="Of the orders' next version, for a deploy to bring.")]
BadTag = Annotated[str | None, typer.Option(help="Of a version whose workers never get ready.")]
FaultyTag = Annotated[str | None, typer.Option(help="Of a version whose payments fail now and then.")]
AsJson = Annotated[bool, typer.Option("--json", help="The last line as JSON; the story goes to stderr.")]


@commands.command()
def run(
    name: Annotated[str, typer.Argument(help="A drill; `all` is every one, also after one that failed.")],
    broker: BrokerOption = None,
    orders: Orders = None,
    seed: Seed = 1,
    minutes: Minutes = 20,
    here: Here = False,
    as_json: AsJson = False,
    runtime: RuntimeOption = "local",
    namespace: Namespace = NAMESPACE,
    tag: Tag = "dev",
    next_tag: NextTag = None,
    bad_tag: BadTag = None,
    faulty_tag: FaultyTag = None,
) -> None:
    """Play a drill; exit status 1 when an order was lost or doubled, or the drill could not be carried out."""
    from conductor.cluster.runtime import KubernetesRuntime
    from conductor.harness import runner
    from conductor.harness.reporter import Story
    from conductor.harness.session import Patience, Size

    if runtime not in ("local", "kubernetes"):
        raise Refused(f'--runtime "{runtime}": local or kubernetes')
    every = [drill for drill in known().values() if (drill.play if runtime == "local" else drill.on_cluster)]
    chosen = every if name == "all" else [_named(name)]
    cluster = (
        KubernetesRuntime(namespace, tag, next_tag, bad_tag, faulty_tag=faulty_tag) if runtime == "kubernetes" else None
    )
    carrier = _broker(broker)
    console = Console(stderr=as_json, highlight=False)
    played = []
    for drill in chosen:
        size = Size(orders or drill.orders, seed)
        patience = Patience(total_seconds=60 * minutes)
        told = f"\n[bold]{drill.name}[/bold]: {drill.summary} [dim]({size.orders} orders, seed {seed})[/dim]"
        console.print(told, soft_wrap=True)
        with Story(console) as story:
            if cluster is not None:
                played.append(runner.play_on_cluster(drill, cluster, size, story, patience))
            elif here:
                played.append(_here(drill, size, story, patience))
            else:
                played.append(_own(drill, carrier, size, story, patience))
        _report(console, played[-1])
        print(json.dumps(played[-1].as_json()) if as_json else _line(played[-1]), flush=True)
    if not all(one.sound for one in played):
        raise typer.Exit(1)


def _own(drill: "Drill", broker: "Broker", size: "Size", story: "Story", patience: "Patience") -> "Played":
    from conductor.harness import runner

    return runner.rehearse(drill, broker, size, story, patience, root=RunDirectory.chosen().path / "drills")


def _here(drill: "Drill", size: "Size", story: "Story", patience: "Patience") -> "Played":
    from conductor.harness import runner
    from conductor.laptop.runtime import LocalRuntime

    run_directory = RunDirectory.chosen()
    journal = run_directory.journals / f"{drill.name}-{now():.0f}.jsonl"
    runtime = LocalRuntime.running()
    runtime.wait_ready()
    return runner.play(drill, runtime, size, story, journal, patience)


def _broker(asked: str | None) -> "Broker":
    from conductor.laptop.servers import rabbitmq
    from conductor.pools import Broker

    known = get_args(Broker)
    if asked is not None and asked not in known:
        raise Refused(f'--broker "{asked}": there are {" and ".join(known)}')
    wanted = asked or ("rabbitmq" if rabbitmq.installed() else "valkey")
    found: Broker = "rabbitmq" if wanted == "rabbitmq" else "valkey"
    return found


def _report(console: Console, played: "Played") -> None:
    for finding in played.findings[:SHOWN_FINDINGS]:
        console.print(f"  [red]{finding.fault}[/red]  {finding.subject}: {finding.why}", soft_wrap=True)
    if len(played.findings) > SHOWN_FINDINGS:
        console.print(f"  … and {len(played.findings) - SHOWN_FINDINGS} more")
    for repeat in played.repeats:
        console.print(
            f"  [yellow]mail repeated[/yellow]  {repeat.order_id} {repeat.kind}: came at {repeat.first_at:.3f} and "
            f"{repeat.second_at:.3f}, its sender ({repeat.kill.pool}) was killed at {repeat.kill.at:.3f}",
            soft_wrap=True,
        )
    if played.failure:
        console.print(f"  [red]failed[/red]  {played.failure}", soft_wrap=True)
    if played.logs:
        console.print(f"  its logs are kept in {played.logs}", soft_wrap=True)
    console.print(f"[bold {'green' if played.sound else 'red'}]{'sound' if played.sound else 'NOT SOUND'}[/]")


def _line(played: "Played") -> str:
    told = {name: value for name, value in played.as_json().items() if name not in ("findings", "failure", "logs")}
    return ", ".join(f"{name} {value}" for name, value in told.items())
