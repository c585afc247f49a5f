"""`capstone analytics send | replay | top | recommend`, or `capstone event …`: send events, and see what comes of them."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conductor import access
from conductor.access import NamespaceOption, RuntimeOption
from conductor.capstones.analytics import NAME
from conductor.cluster.kubectl import NAMESPACE
from conductor.command_line import typed
from conductor.errors import Refused
from conductor.history import Journal, now

if TYPE_CHECKING:
    from conductor.capstones.analytics.sending import Sent

commands = typer.Typer(name="event", no_args_is_help=True, help="Send events; see what trends.")
SHORT = True

SHOWN_DIFFERENCES = 20
"""`capstone analytics send` is `capstone event send`."""

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@commands.command()
def send(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="NDJSON, one event a line; drawn events when left out."),
    ] = None,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long drawn events are sent.")] = 10,
    request: Annotated[int, typer.Option(min=2, max=50_000, help="Events of one request.")] = 1000,
    users: Annotated[int, typer.Option(min=1, help="Users of drawn events, by Zipf's law.")] = 10_000,
    contents: Annotated[int, typer.Option(min=1, help="Contents of drawn events, by Zipf's law.")] = 5_000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same events.")] = 1,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="A file of events of any age, by the door of backfills.")
    ] = False,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Send events, and print how many were accepted and why others were refused; exit status 1 when a request was not answered."""
    if backfill and not file:
        raise Refused("--backfill is of a file, and there is none")
    from conductor.capstones.analytics import sending
    from conductor.capstones.analytics.api_client import EdgeApi
    from conductor.capstones.analytics.events import Shape

    with access.opened(runtime, namespace, NAME) as platform:
        journal = Journal(platform.journals / f"send-{now():.0f}.jsonl")
        connect = partial(EdgeApi.of, platform.reach)
        if file:
            sent = sending.of_file(connect, journal, file, request=request, rate=rate, backfill=backfill)
        else:
            shape = Shape(events=request, users=users, contents=contents)
            sent = sending.of_drawn(connect, journal, shape, seed=seed, rate=rate, seconds=seconds)
        journal.close()
    print(json.dumps(sent.as_json())) if as_json else _print_sent(sent, access.options(runtime, namespace))
    if sent.unanswered:
        raise typer.Exit(1)


def _print_sent(sent: "Sent", where: str) -> None:
    console = Console(highlight=False)
    console.print(
        f"[bold]{sent.accepted:,}[/bold] of {sent.events:,} events accepted in {sent.seconds:.1f} s, "
        f"{sent.accepted / max(sent.seconds, 1e-9):,.0f} a second"
    )
    if sent.repeats:
        console.print(f"{sent.repeats} requests had to be sent again")
    for reason, count in sent.refused.most_common():
        console.print(f"[yellow]refused[/yellow]  {count:,}: {escape(reason)}", soft_wrap=True)
    for reason, count in sent.unanswered.most_common():
        console.print(f"[red]not accepted[/red]  {count:,} events: {escape(reason)}", soft_wrap=True)
    console.print(
        f"next: [bold]{typed()} analytics top{where}[/bold], "
        f"or [bold]{typed()} ledger verify --capstone {NAME}{where}[/bold]",
        soft_wrap=True,
    )


@commands.command()
def replay(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="NDJSON of events, or CSV with the columns user, content, and at_ms or timestamp (and kind or rating).",
        ),
    ],
    in_order: Annotated[
        bool, typer.Option("--sorted", help="By time; else as the rows lie, so that some are late.")
    ] = False,
    rate: Annotated[float, typer.Option(min=1, help="Events a second.")] = 20_000,
    request: Annotated[int, typer.Option(min=1, max=50_000, help="Events of one request.")] = 1000,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait at most until all is counted.")] = 120,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Send the rows with the ages they have in the file; exit status 1 when the counters grew by something else than the file says."""
    from conductor.capstones.analytics import replayed_file
    from conductor.capstones.analytics.replay import replay

    rows = replayed_file.read(file)
    if in_order:
        rows.sort(key=lambda row: row.at_ms)
    with access.opened(runtime, namespace, NAME) as platform:
        journal = Journal(platform.journals / f"replay-{now():.0f}.jsonl")
        done = replay(platform.reach, journal, rows, request=request, rate=rate, wait_seconds=wait)
        journal.close()
    if as_json:
        print(json.dumps(done.as_json()))
    else:
        console = Console(highlight=False)
        apart = "".join(f" + {count:,} {name}" for name, count in sorted(done.offline.apart.items()))
        console.print(f"{done.offline.counted.total():,} counted{apart} = {done.offline.rows:,} rows")
        for line in done.differences[:SHOWN_DIFFERENCES]:
            console.print(f"[red]differs[/red]  {escape(line)}", soft_wrap=True)
        console.print(f"{len(done.differences):,} counters differ from the file")
    raise typer.Exit(1 if done.differences or done.sent.unanswered or done.sent.refused else 0)


@commands.command()
def top(
    of: Annotated[str, typer.Option(help="contents or topics.")] = "contents",
    window: Annotated[str, typer.Option(help="5m, 1h or 24h.")] = "5m",
    limit: Annotated[int, typer.Option(min=1, max=50, help="Contents listed at most.")] = 20,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """What comes more often than usual, and why it is listed."""
    from conductor.capstones.analytics.api_client import QueryApi

    with access.opened(runtime, namespace, NAME) as platform, QueryApi.of(platform.reach) as api:
        found, fresh = api.trends(of, window, limit), api.freshness()
    if as_json:
        print(json.dumps({**found, "freshness": fresh}))
        return
    console = Console(highlight=False)
    if not found["trends"]:
        console.print(f"no {of} come more often than usual within {window} ({found['replicas']} aggregators report)")
    else:
        console.print(table(found["trends"], ("id", "events", "usual", "score", "reason")))
    console.print(f"[dim]{_freshness(fresh)}[/dim]")


@commands.command()
def recommend(
    user: Annotated[str, typer.Argument(help="A user's id.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="Contents listed at most.")] = 10,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Contents that users with the same taste engaged with; what is popular fills up the list."""
    from conductor.capstones.analytics.api_client import QueryApi

    with access.opened(runtime, namespace, NAME) as platform, QueryApi.of(platform.reach) as api:
        found = api.recommendations(user, limit)
    if as_json:
        print(json.dumps(found))
        return
    rows = found["recommendations"]
    Console(highlight=False).print(table(rows, tuple(rows[0])) if rows else "nothing is known to recommend yet")


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> Table:
    """Rows as a table for people."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(row[name])) for name in columns))
    return table


def _freshness(fresh: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fresh.items())
