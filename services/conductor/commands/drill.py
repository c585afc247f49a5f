"""`capstone drill list | run`."""

import json
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table

from conductor import capstones, drills
from conductor.cluster.kubectl import NAMESPACE
from conductor.errors import ClusterFailed, Refused
from conductor.history import now
from conductor.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conductor.capstone import Capstone, Patience, Size
    from conductor.cluster.runtime import KubernetesRuntime
    from conductor.harness.drill import Drill
    from conductor.harness.reporter import Reporter
    from conductor.harness.runner import Played
    from conductor.pools import Broker

commands = typer.Typer(
    name="drill", no_args_is_help=True, help="Break the platform on purpose, and judge it from ledgers."
)

SHOWN_FINDINGS = 20


CapstoneOption = Annotated[
    str | None, typer.Option("--capstone", metavar="NAME", help="Which one; may be left out when there is one only.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The last line as JSON; what happens goes to stderr.")]


def known(capstone: str) -> "dict[str, Drill]":
    """Every drill of a capstone by name: the shared ones, and those that only it has."""
    from conductor.harness.drill import catalogue

    return catalogue(drills, *capstones.packages("drills", capstone))


def _named(name: str, capstone: str) -> "Drill":
    found = known(capstone)
    if name not in found:
        raise Refused(f'no drill is named "{name}"; there are {", ".join(found)}')
    return found[name]


def lacking(drill: "Drill", capstone: "Capstone", cluster: "KubernetesRuntime | None" = None) -> str | None:
    """Why the capstone cannot be drilled so, in this cluster when one is given; None when it can."""
    try:
        drill.check(capstone)
        if cluster is not None:
            drill.prerequisite(cluster)
    except Refused as error:
        return str(error)
    except ClusterFailed:
        return None  # playing it tells why, and counts as a failure
    return None


@commands.command("list")
def list_drills(
    capstone: CapstoneOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What can be drilled, and why what cannot be."""
    system = capstones.chosen(capstone)
    found = [(drill, lacking(drill, system)) for drill in known(system.name).values()]
    if as_json:
        print(json.dumps([_described(drill, lack) for drill, lack in found]))
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("drill", "what it does", "requests at full size", "where"):
        table.add_column(title)
    for drill, lack in found:
        where = lack or "; ".join(filter(None, (", ".join(drill.runtimes), drill.lacks_here())))
        table.add_row(f"[bold]{drill.name}[/bold]", drill.summary, str(drill.requests), where)
    Console(highlight=False).print(table)


def _described(drill: "Drill", lack: str | None) -> dict[str, object]:
    told = {"name": drill.name, "summary": drill.summary, "orders": drill.requests, "runtimes": drill.runtimes}
    return {**told, **({"lacks": lack} if lack else {})}


BrokerOption = Annotated[
    str | None, typer.Option("--broker", help="rabbitmq or valkey; RabbitMQ when it is installed.")
]
Orders = Annotated[
    int | None, typer.Option("--orders", "--requests", min=10, help="Accepted at least; full size when left out.")
]
Seed = Annotated[int, typer.Option(help="The same seed draws the same requests and aims the same kills.")]
Minutes = Annotated[float, typer.Option(min=1, help="A drill that takes longer has failed.")]
Here = Annotated[bool, typer.Option("--here", help="On the platform that runs, not on one of its own.")]
RuntimeOption = Annotated[
    str, typer.Option("--runtime", help="local, or kubernetes: what is installed where kubectl points.")
]
Namespace = Annotated[str, typer.Option(help="Of the installation in the cluster.")]
Tag = Annotated[str, typer.Option(help="Of its images.")]
NextTag = Annotated[str | None, typer.Option(help="Of the capstone's next version, for a deploy to bring.")]
BadTag = Annotated[str | None, typer.Option(help="Of a version whose workers never get ready.")]
FaultyTag = Annotated[str | None, typer.Option(help="Of a version whose commands fail now and then.")]
NodeOff = Annotated[
    str | None, typer.Option("--node-off", help="A command that cuts the power of the node that is its last word.")
]
NodeOn = Annotated[str | None, typer.Option("--node-on", help="The command that gives it back.")]


@commands.command()
def run(
    name: Annotated[
        str,
        typer.Argument(help="A drill; `all` is every one that can be played, also after one that failed."),
    ],
    capstone: CapstoneOption = None,
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
    node_off: NodeOff = None,
    node_on: NodeOn = None,
) -> None:
    """Play a drill; exit status 1 when something was lost or doubled, or the drill could not be carried out."""
    from conductor.capstone import Patience, Size
    from conductor.cluster.nodes import Power
    from conductor.cluster.runtime import KubernetesRuntime
    from conductor.harness import runner
    from conductor.harness.reporter import Reporter

    if runtime not in ("local", "kubernetes"):
        raise Refused(f'--runtime "{runtime}": local or kubernetes')
    system = _meant(runtime, namespace, capstone)
    all_known = known(system.name).values()
    missing = {one.name: why for one in all_known if runtime == "local" and (why := one.lacks_here())}
    every = [one for one in all_known if runtime in one.runtimes or one.name in missing]
    chosen = every if name == "all" else [_named(name, system.name)]
    cluster = (
        KubernetesRuntime(
            *(namespace, tag, next_tag, bad_tag),
            faulty_tag=faulty_tag,
            power=Power(node_off, node_on),
            capstone=system.name,
        )
        if runtime == "kubernetes"
        else None
    )
    chosen_broker = _broker(broker)
    console = Console(stderr=as_json, highlight=False)
    played, skipped = [], dict[str, str]()
    for drill in chosen:
        if name == "all" and (why := lacking(drill, system, cluster) or missing.get(drill.name)):
            skipped[drill.name] = why
            console.print(f"\n[bold]{drill.name}[/bold]: [yellow]skipped[/yellow], because {why}", soft_wrap=True)
            continue
        size = Size(orders or drill.requests, seed)
        patience = Patience(total_seconds=60 * minutes)
        told = f"\n[bold]{drill.name}[/bold]: {drill.summary} [dim]({size.requests} requests, seed {seed})[/dim]"
        console.print(told, soft_wrap=True)
        with Reporter(console) as reporter:
            if cluster is not None:
                played.append(runner.play_on_cluster(drill, system, cluster, size, reporter, patience))
            elif here:
                played.append(_here(drill, system, size, reporter, patience))
            else:
                root = RunDirectory.chosen().path / "drills"
                own = runner.play_on_own_platform(drill, system, chosen_broker, size, reporter, patience, root=root)
                played.append(own)
        _report(console, played[-1])
        print(json.dumps(played[-1].as_json()) if as_json else _line(played[-1]), flush=True)
    _tell_skipped(console, skipped, len(chosen), as_json=as_json)
    if not played or not all(one.sound for one in played):
        raise typer.Exit(1)


def _tell_skipped(console: Console, skipped: "Mapping[str, str]", of: int, *, as_json: bool) -> None:
    """Last of all, so that nobody takes what was not played for sound."""
    if skipped:
        console.print(f"\n[bold yellow]{len(skipped)} of {of} drills were not played[/bold yellow]")
    for name, why in skipped.items():
        console.print(f"  [yellow]skipped[/yellow]  {name}, because {why}", soft_wrap=True)
        if as_json:
            print(json.dumps({"drill": name, "skipped": why}), flush=True)


def _meant(runtime: str, namespace: str, capstone: str | None) -> "Capstone":
    """The capstone with this name, or the only one that there is here to drill."""
    if runtime == "kubernetes":
        from conductor.cluster import install

        return capstones.named(install.chosen(namespace, capstone))
    return capstones.chosen(capstone)


def _here(drill: "Drill", capstone: "Capstone", size: "Size", reporter: "Reporter", patience: "Patience") -> "Played":
    from conductor.harness import runner
    from conductor.laptop.runtime import LocalRuntime

    run_directory = RunDirectory.chosen()
    journal = run_directory.journals(capstone.name) / f"{drill.name}-{now():.0f}.jsonl"
    runtime = LocalRuntime.running(capstone=capstone.name)
    runtime.wait_ready()
    return runner.play(drill, capstone, runtime, size, reporter, journal, patience)


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
    for excused in played.excused:
        console.print(f"  [yellow]repeated[/yellow]  {excused.subject}: {excused.why}", soft_wrap=True)
    if played.failure:
        console.print(f"  [red]failed[/red]  {played.failure}", soft_wrap=True)
    if played.logs:
        console.print(f"  its logs are kept in {played.logs}", soft_wrap=True)
    console.print(f"[bold {'green' if played.sound else 'red'}]{'sound' if played.sound else 'NOT SOUND'}[/]")


def _line(played: "Played") -> str:
    told = {name: value for name, value in played.as_json().items() if name not in ("findings", "failure", "logs")}
    return ", ".join(f"{name} {value}" for name, value in told.items())
