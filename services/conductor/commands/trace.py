"""`capstone trace ID`: where an order spent its time, as a waterfall in the terminal."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conductor import access
from conductor.access import NamespaceOption, RuntimeOption
from conductor.capstones.orders import NAME
from conductor.cluster.kubectl import NAMESPACE, Kubectl
from conductor.errors import Refused

if TYPE_CHECKING:
    from conductor.capstones.orders.traces import Span
    from conductor.capstones.orders.waterfall import Line

commands = typer.Typer()

SERVICE = "traces"
KINDS = ("jaeger", "tempo")
NOTHING_KEPT = (
    "the platform on this machine keeps no traces: `capstone down`, then `capstone up --observe`. A Jaeger or Tempo of yours "
    "keeps them as well, by `capstone up --set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318`; name it with --jaeger or --tempo. "
    "For an installation in a cluster: --runtime kubernetes"
)
NARROWEST_BAR = 10
WIDEST_NAME = 38
WIDEST_NOTE = 44
BESIDE_THE_BAR = 128
"""What the other columns take."""


@commands.command("trace")
def trace_command(
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id.")],
    jaeger: Annotated[str | None, typer.Option(metavar="URL", help="Ask this Jaeger instead of the cluster's.")] = None,
    tempo: Annotated[str | None, typer.Option(metavar="URL", help="Ask this Tempo instead of the cluster's.")] = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
    messages: Annotated[bool, typer.Option("--messages", help="Also the messages that carried its commands.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as a page for a browser.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Where an order spent its time, from the request through outbox and queue to the outside: waits, attempts, and what failed."""
    from conductor.capstones.orders import traces
    from conductor.capstones.orders.trace_page import page
    from conductor.capstones.orders.waterfall import waterfall
    from conductor.cluster.port_forward import forwarded

    now = time.time()
    if jaeger is not None or tempo is not None:
        kind, address = ("jaeger", jaeger) if jaeger is not None else ("tempo", tempo)
        spans = traces.found(kind, str(address), order_id, now=now)
    elif access.chosen(runtime, namespace) == "local":
        here = kept(order_id)
        if here is None:
            raise Refused(NOTHING_KEPT)
        spans = here
    else:
        kubectl = Kubectl(namespace)
        kind, port = _store(kubectl)
        with forwarded(kubectl, SERVICE, port) as address:
            spans = traces.found(kind, address, order_id, now=now)
    lines = waterfall(spans, order_id, messages=messages)
    if not lines:
        raise Refused(f"no trace names the order {order_id}: is it older than a day, or placed before tracing was on?")
    if html is not None:
        html.write_text(page(lines, order_id))
        print(f"written to {html}")
    elif as_json:
        print(
            json.dumps([{**asdict(line.span), "depth": line.depth, "offset": round(line.offset, 6)} for line in lines])
        )
    else:
        show(Console(highlight=False), lines)


def kept(order_id: str) -> "list[Span] | None":
    """The order's spans in the store of this machine's platform; None when it keeps none."""
    from conductor.capstones.orders import traces
    from conductor.laptop.runtime import LocalRuntime

    platform = LocalRuntime.running(capstone=NAME).platform
    return traces.kept(platform.run.traces, order_id) if platform.state.observe else None


def show(console: Console, lines: "Sequence[Line]") -> None:
    """Draw a waterfall; the bars get what the console's width leaves them."""
    failed = sum(line.span.failed for line in lines)
    traces = len({line.span.trace for line in lines})
    console.print(f"[dim]{len(lines)} spans in {traces} traces, {failed} failed[/dim]")
    console.print(_table(lines, max(NARROWEST_BAR, console.width - BESIDE_THE_BAR)))


def _store(kubectl: Kubectl) -> tuple[str, int]:
    """What keeps the traces here, by the name of its Service's port, and that port."""
    found = kubectl("get", "service", SERVICE, "--ignore-not-found", "--output", "json")
    ports = {port["name"]: port["port"] for port in json.loads(found)["spec"]["ports"]} if found else {}
    for kind in KINDS:
        if kind in ports:
            return kind, int(ports[kind])
    raise Refused("nothing keeps traces here: deploy the overlay observability, or give --jaeger or --tempo")


def _table(lines: "Sequence[Line]", width: int) -> Table:
    from conductor.capstones.orders.waterfall import note, waits

    whole = max(line.offset + line.span.seconds for line in lines) or 1e-9
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("pool", style="dim", no_wrap=True)
    table.add_column("span", no_wrap=True, max_width=WIDEST_NAME)
    table.add_column(f"{whole:.2f} s", no_wrap=True, width=width)
    table.add_column("outcome", no_wrap=True, overflow="ellipsis", max_width=WIDEST_NOTE)
    for line in lines:
        if not line.depth and line is not lines[0]:
            table.add_section()
        colour = "red" if line.span.failed else "dim" if waits(line.span) else "green"
        name = escape("  " * line.depth + line.span.name)
        table.add_row(
            f"{line.offset:.3f} s",
            f"{line.span.seconds * 1000:.1f} ms",
            line.span.pool,
            name if colour == "green" else f"[{colour}]{name}[/]",
            f"[{colour}]{bar(line, whole, width)}[/]",
            f"[{colour}]{escape(note(line.span))}[/]",
        )
    return table


def bar(line: "Line", whole: float, width: int) -> str:
    """When the span ran, drawn into `width` characters; at least one of them."""
    from conductor.capstones.orders.waterfall import waits

    left = min(width - 1, int(line.offset / whole * width))
    return " " * left + ("┈" if waits(line.span) else "━") * max(
        1, min(width - left, round(line.span.seconds / whole * width))
    )
