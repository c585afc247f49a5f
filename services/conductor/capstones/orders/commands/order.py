"""`capstone orders place | show | watch | cancel | stuck | explain`, or `capstone order …`: one order, as a customer and as an operator."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conductor import access
from conductor.access import Access, NamespaceOption, RuntimeOption
from conductor.capstones.orders import NAME
from conductor.capstones.orders.explanation import FINAL
from conductor.capstones.orders.promises import Accepted, Intent
from conductor.cluster.kubectl import NAMESPACE
from conductor.command_line import typed
from conductor.errors import ApiUnreachable, ClusterFailed, Refused
from conductor.history import Journal, now
from conductor.run_directory import RunDirectory

if TYPE_CHECKING:
    from conductor.harness.waterfall import Line
    from conductor.laptop.log_lines import Line as LogLine

commands = typer.Typer(name="order", no_args_is_help=True, help="Place an order and follow it.")
SHORT = True
"""`capstone orders place` is `capstone order place`."""

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id, as `place` printed it.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

STATES = ("pending", "processing", "paid", "shipped", *FINAL)
COLOURS = {"delivered": "green", "cancelled": "yellow", "failed": "red"}
WIDEST_STATE = max(map(len, STATES))
RECONNECT_SECONDS = 0.5
SHOWN_LINES = 12
"""Of a log, below an explanation."""

Opened = Callable[[], AbstractContextManager[Access]]


@commands.command()
def place(
    sku: Annotated[str, typer.Option(help="A product of the catalogue.")] = "TEAPOT",
    quantity: Annotated[int, typer.Option(min=1, help="Pieces.")] = 1,
    card: Annotated[str, typer.Option(help="The payment provider's token; tok_declined is declined.")] = "tok_ok",
    customer: Annotated[str, typer.Option(help="Who buys.")] = "c-1",
    key: Annotated[str | None, typer.Option(help="The idempotency key; a new one when left out.")] = None,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Place an order; the defaults make a complete one."""
    from conductor.capstones.orders import purchases
    from conductor.capstones.orders.api_client import OrdersApi

    wish = purchases.purchase(customer, sku=sku, quantity=quantity, card=card)
    key = key or f"capstone-{secrets.token_hex(8)}"
    with access.opened(runtime, namespace, NAME) as platform, OrdersApi.of(platform.reach) as api:
        journal = Journal(platform.journals / "order-place.jsonl")
        # Other than a load's customers, this one may buy again: the key says which order is meant.
        journal.write(Intent(now(), key, key, wish.pieces))
        receipt = api.place(key, wish.body)
        journal.write(Accepted(now(), key, receipt["order_id"], receipt["total_minor"], 1))
        journal.close()
    if as_json:
        print(json.dumps(receipt))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{receipt['order_id']}[/bold]  {receipt['state']}, {_money(receipt)}")
    watch = f"{typed()} order watch {receipt['order_id']}{access.options(runtime, namespace)}"
    console.print(f"next: [bold]{watch}[/bold]", soft_wrap=True)


@commands.command()
def show(
    order_id: OrderId,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """What is known of an order, with its timeline."""
    from conductor.capstones.orders.api_client import OrdersApi

    with access.opened(runtime, namespace, NAME) as platform, OrdersApi.of(platform.reach) as api:
        order, timeline = api.show(order_id), api.timeline(order_id)
    if as_json:
        print(json.dumps({**order, "timeline": timeline}))
        return
    console = Console(highlight=False)
    console.print(
        f"[bold]{order['order_id']}[/bold]  {_coloured(order['state'])}  {_money(order)}  {order['customer']}"
    )
    for line in order["lines"]:
        console.print(f"  {line['quantity']} × {line['sku']}  {line['amount_minor'] / 100:.2f}")
    if order["tracking_number"]:
        console.print(f"  parcel {order['tracking_number']}")
    for event in timeline:
        console.print(_event(event), soft_wrap=True)


@commands.command()
def watch(
    order_id: OrderId,
    until: Annotated[str | None, typer.Option(help="Stop at this state; at the end when left out.")] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to watch at most.")] = 600,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Follow an order as it happens. Exit status 0 when it gets there, 1 when it ends otherwise or time runs out."""
    if until is not None and until not in STATES:
        raise Refused(f'--until "{until}": an order is {", ".join(STATES)}')
    reached = False
    state = "unknown"
    console = Console(highlight=False)
    kind = access.chosen(runtime, namespace)
    for event in _followed(lambda: access.opened(kind, namespace, NAME), order_id, timeout):
        if as_json:
            print(json.dumps(event), flush=True)
        else:
            console.print(_event(event), soft_wrap=True)
        state = event["detail"].get("state", state)
        reached = reached or state == until or (until is None and state in FINAL)
        if reached:
            break
    if not reached:
        ending = f"it ended {state}" if state in FINAL else f"it was still {state} after {timeout:.0f} s"
        Console(stderr=True, highlight=False).print(
            f"{order_id} did not become {until or 'final'}: {ending}", soft_wrap=True
        )
        raise typer.Exit(1)


def _followed(opened: Opened, order_id: str, timeout_seconds: float) -> Iterator[dict[str, Any]]:
    """Events of the order to its end, over as many connections as it takes, because a roll of the API ends streams and port-forwards."""
    from conductor.capstones.orders.api_client import STREAM_SILENCE_SECONDS, OrdersApi

    deadline = time.monotonic() + timeout_seconds
    last = 0
    while time.monotonic() < deadline:
        try:
            with opened() as platform, OrdersApi.of(platform.reach) as api:
                silence = min(STREAM_SILENCE_SECONDS, max(0.1, deadline - time.monotonic()))
                for event_id, kind, data in api.events(order_id, last, silence_seconds=silence):
                    if kind == "end":
                        if data["reason"] == "final":
                            return
                        break
                    last = event_id or last
                    yield data
        except (ApiUnreachable, ClusterFailed):
            time.sleep(RECONNECT_SECONDS)


@commands.command()
def cancel(
    order_id: OrderId,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Ask an order to stop; refused when the carrier has the parcel."""
    from conductor.capstones.orders.api_client import OrdersApi

    with access.opened(runtime, namespace, NAME) as platform, OrdersApi.of(platform.reach) as api:
        answer = api.cancel(order_id)
    print(json.dumps(answer) if as_json else f"{order_id} is asked to stop; now {answer['state']}")


@commands.command("stuck")
def stuck_command(
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="How many at most.")] = 10,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """The orders that have been neither paid nor refused for the longest, or need a person, and what each waits for."""
    from conductor.capstones.orders.stuck import stuck

    with access.opened(runtime, namespace, NAME) as platform:
        found = stuck(platform.reach, most)
    if as_json:
        print(json.dumps([asdict(one) for one in found]))
        return
    console = Console(highlight=False)
    for one in found:
        console.print(
            f"[bold]{one.order_id}[/bold]  {_coloured(one.state)}  placed {one.seconds:.0f} s ago", soft_wrap=True
        )
        if one.needs_attention:
            console.print(f"  needs a person: {escape(one.needs_attention)}", soft_wrap=True)
        if one.task:
            waits = f"parked, after {one.tries} tries" if one.parked else f"try {(one.tries or 0) + 1}"
            console.print(f"  waits for {one.task} ({waits})  [dim]{escape(one.why or '')}[/dim]", soft_wrap=True)
    if found:
        order = f"--order {found[0].order_id}{access.options(runtime, namespace)}"
        console.print(f"next: [bold]{typed()} logs {order}[/bold]", soft_wrap=True)
    else:
        console.print("none")


@commands.command("explain")
def explain_command(
    order_id: OrderId,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Why an order waits, since when, and what is next; on a laptop also where its time went, and what the logs say of it."""
    from conductor.capstones.orders import dependencies
    from conductor.capstones.orders.api_client import OrdersApi
    from conductor.capstones.orders.explanation import explain

    with access.opened(runtime, namespace, NAME) as platform:
        with OrdersApi.of(platform.reach) as api:
            order, timeline = api.show(order_id), api.timeline(order_id)
        moment = datetime.now(UTC)
        found = explain(order, timeline, dependencies.look(platform.reach), moment)
    lines, logged = _kept(order_id) if access.chosen(runtime, namespace) == "local" else ([], [])
    if as_json:
        told = {**asdict(found), "since": found.since.isoformat(), "waiting": order["waiting"]}
        print(
            json.dumps({**told, "trace": [asdict(one.span) for one in lines], "logs": [one.fields for one in logged]})
        )
        return
    console = Console(highlight=False)
    console.print(f"[bold]{found.order_id}[/bold]  {_coloured(found.state)}")
    grid = Table.grid(padding=(0, 2))
    for number, why in enumerate(found.why):
        grid.add_row("[dim]why[/dim]" if not number else "", escape(why))
    ago = (moment - found.since).total_seconds()
    grid.add_row("[dim]since[/dim]", f"{found.since.astimezone():%H:%M:%S}, {ago:.1f} s ago")
    grid.add_row("[dim]next[/dim]", found.next)
    console.print(grid)
    if lines:
        from conductor.harness import trace_screen

        console.print()
        trace_screen.show(console, lines)
    if logged:
        console.print(f"\n[dim]{len(logged)} lines in the logs, the last of them:[/dim]")
        print("\n".join(str(line) for line in logged[-SHOWN_LINES:]))


def _kept(order_id: str) -> "tuple[list[Line], list[LogLine]]":
    """The order's waterfall, empty where no spans are kept, and what the logs say of it."""
    from conductor.harness import trace_screen
    from conductor.harness.waterfall import waterfall
    from conductor.laptop import log_lines
    from conductor.laptop.runtime import LocalRuntime

    runtime = LocalRuntime.running(capstone=NAME)
    subject = runtime.platform.capstone.traced
    spans = trace_screen.kept(runtime, subject, order_id)
    return waterfall(spans or [], subject.attribute, order_id, messages=False), log_lines.about(
        RunDirectory.chosen().logs, order_id
    )


def _event(event: dict[str, Any]) -> str:
    """One line of a timeline, in columns."""
    detail = event["detail"]
    said = ", ".join(f"{name} {value}" for name, value in detail.items() if name != "state")
    when = f"{datetime.fromisoformat(event['at']).astimezone():%H:%M:%S.%f}"[:-3]
    state = detail.get("state", "")
    return f"[dim]{when}[/dim]  {_coloured(state)}{' ' * (WIDEST_STATE - len(state))}  {event['kind']:<20}  [dim]{escape(said)}[/dim]"


def _coloured(state: str) -> str:
    return f"[{COLOURS.get(state, 'cyan')}]{state}[/]"


def _money(order: dict[str, Any]) -> str:
    return f"{order['total_minor'] / 100:.2f} {order['currency']}"
