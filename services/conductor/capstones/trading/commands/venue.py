"""`capstone trading order | cancel | book | positions | candles | kill-switch | audit | replay`: trade by REST, see what came of it, and
what the journal proves."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conductor import access
from conductor.access import NamespaceOption, RuntimeOption
from conductor.capstones.trading import NAME
from conductor.cluster.kubectl import NAMESPACE
from conductor.command_line import typed

commands = typer.Typer(name="venue", no_args_is_help=True, help="Trade, and see what the journal proves.")
SHORT = True
"""`capstone trading order` is `capstone venue order`."""

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Symbol = Annotated[str, typer.Argument(help="AAPL, FB, GOOG, IBM or MSFT, unless settings name others.")]


@commands.command()
def order(
    symbol: Symbol = "AAPL",
    side: Annotated[str, typer.Option(help="buy or sell.")] = "buy",
    price: Annotated[str | None, typer.Option(help="A limit; without it a market order.")] = "100.00",
    quantity: Annotated[int, typer.Option(min=1, help="Lots.")] = 1,
    account: Annotated[int, typer.Option(min=1, help="One of the customer's: 1 or 2.")] = 1,
    time_in_force: Annotated[str, typer.Option(help="day, gtc, ioc or fok.")] = "day",
    market: Annotated[bool, typer.Option("--market", help="At any price inside the collar.")] = False,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Place an order, and print its client id and what came of it."""
    asked = {
        "client_id": _client_id(),
        "account": account,
        "symbol": symbol,
        "side": side,
        "type": "market" if market else "limit",
        "time_in_force": time_in_force,
        "price": None if market else price,
        "quantity": quantity,
    }
    from conductor.capstones.trading.api_client import TradingApi

    with access.opened(runtime, namespace, NAME) as platform, TradingApi.of(platform.reach) as api:
        told = api.place(asked)
    _print_told(told, as_json)
    if not as_json and told["state"] == "open":
        where = access.options(runtime, namespace)
        Console(highlight=False).print(
            f"next: [bold]{typed()} trading book {escape(symbol)}{where}[/bold], "
            f"or [bold]{typed()} trading cancel {told['client_id']}{where}[/bold]",
            soft_wrap=True,
        )


@commands.command()
def cancel(
    target: Annotated[int, typer.Argument(help="The client id that `order` printed.")],
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Cancel an order."""
    from conductor.capstones.trading.api_client import TradingApi

    with access.opened(runtime, namespace, NAME) as platform, TradingApi.of(platform.reach) as api:
        told = api.cancel(target, _client_id())
    _print_told(told, as_json)


@commands.command()
def book(
    symbol: Symbol = "AAPL",
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """The best prices of a symbol."""
    from conductor.capstones.trading.api_client import TradingApi

    with access.opened(runtime, namespace, NAME) as platform, TradingApi.of(platform.reach) as api:
        found = api.book(symbol)
    if as_json:
        print(json.dumps(found))
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("bid lots", "bid", "ask", "ask lots"):
        table.add_column(name, justify="right")
    for level in range(max(len(found["bids"]), len(found["asks"]))):
        bid, ask = (found[side][level] if level < len(found[side]) else {} for side in ("bids", "asks"))
        cells = (bid.get("quantity"), bid.get("price"), ask.get("price"), ask.get("quantity"))
        table.add_row(*("" if one is None else str(one) for one in cells))
    console = Console(highlight=False)
    console.print(table)
    killed = f", killed from input {found['killed_from']}" if found["killed_from"] else ""
    console.print(f"[dim]{escape(symbol)} {found['phase']}{killed}, after input {found['sequence']}[/dim]")


@commands.command()
def positions(
    account: Annotated[int | None, typer.Option(min=1, help="Only this one.")] = None,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Positions, profit and loss, fees; money in minor units."""
    from conductor.capstones.trading.api_client import TradingApi

    with access.opened(runtime, namespace, NAME) as platform, TradingApi.of(platform.reach, "operator") as api:
        found = api.positions(account)
    if as_json:
        print(json.dumps(found))
        return
    _print_table(
        (
            "account",
            "symbol",
            "quantity",
            "mark",
            "cost_minor",
            "value_minor",
            "unrealised_minor",
            "realised_minor",
            "fees_minor",
        ),
        found["positions"],
    )
    for shard in found["applied"]:
        Console(highlight=False).print(
            f"[dim]shard {shard['shard']} up to input {shard['sequence']}, {shard['time']}[/dim]", soft_wrap=True
        )


@commands.command()
def candles(
    symbol: Symbol = "AAPL",
    span: Annotated[str, typer.Option(help="minute or day.")] = "minute",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest last.")] = 20,
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """The last candles of the market's data feed."""
    from conductor.capstones.trading.api_client import TradingApi

    with access.opened(runtime, namespace, NAME) as platform, TradingApi.of(platform.reach) as api:
        found = api.candles(symbol, span, limit)
    if as_json:
        print(json.dumps(found))
        return
    _print_table(("begin", "open", "high", "low", "close", "quantity", "trades"), found["candles"])


@commands.command()
def kill_switch(
    switch: Annotated[str, typer.Argument(help="keep: refuse new orders; cancel: resting ones go as well; off.")],
    scope: Annotated[str, typer.Option(help="all, account or symbol.")] = "all",
    target: Annotated[str, typer.Option(help="The account's number or the symbol.")] = "0",
    as_json: AsJson = False,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Turn a kill switch. It holds from the sequence number that is printed."""
    from conductor.capstones.trading.api_client import TradingApi

    with access.opened(runtime, namespace, NAME) as platform, TradingApi.of(platform.reach, "operator") as api:
        told = api.kill(scope, target, switch)
    if as_json:
        print(json.dumps(told))
        return
    print(
        f"{switch} for {scope if scope == 'all' else f'{scope} {target}'} from input {told['outcomes'][-1]['number']} on"
    )


@commands.command()
def audit(
    order_id: Annotated[int | None, typer.Argument(help="The engine's id of an order, whose story is told.")] = None,
    runtime: RuntimeOption = None,
    namespace: NamespaceOption = NAMESPACE,
) -> None:
    """Verify the journal: every frame, every link of the hash chain. With an order's id: all that happened to it."""
    _audit(runtime, namespace, *(("verify",) if order_id is None else ("explain", str(order_id))))


@commands.command()
def replay(runtime: RuntimeOption = None, namespace: NamespaceOption = NAMESPACE) -> None:
    """Make every outcome of the journal anew, and compare."""
    _audit(runtime, namespace, "replay")


def _audit(runtime: str | None, namespace: str, command: str, *arguments: str) -> None:
    from conductor.capstones.trading import evidence

    with access.opened(runtime, namespace, NAME) as platform:
        done = evidence.run_audit(command, str(evidence.folder_of(platform.reach)), *arguments)
    print((done.stdout + done.stderr).strip())
    if done.returncode:
        raise typer.Exit(done.returncode)


def _print_table(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name.removesuffix("_minor").replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*("" if row[name] is None else escape(str(row[name])) for name in names))
    Console(highlight=False).print(table)


def _client_id() -> int:
    """Client ids rise, whoever of this client asks."""
    return time.time_ns() // 1000


def _print_told(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(told))
        return
    console = Console(highlight=False)
    for outcome in told.get("outcomes", ()):
        fields = ", ".join(f"{name} {value}" for name, value in outcome.items() if name != "outcome" and value)
        console.print(f"[bold]{outcome['outcome']}[/bold]  {escape(fields)}", soft_wrap=True)
    console.print(f"client id {told['client_id']}: {told['state']}")
