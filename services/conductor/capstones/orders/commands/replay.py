"""`capstone replay FILE`: a file of purchases as orders through the HTTP API."""

import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from conductor.capstones.orders import NAME
from conductor.errors import Refused, Unready
from conductor.history import Journal
from conductor.run_directory import RunDirectory

if TYPE_CHECKING:
    from conductor.capstones.orders.purchase_file import BadRow, Row
    from conductor.capstones.orders.replay import Progress as Done
    from conductor.capstones.orders.replay import Replay
    from conductor.capstones.orders.replayed import Fate, Fates
    from conductor.runtime import Reach

commands = typer.Typer()
SHOWN_REFUSALS = 10
SHOWN_CHARACTERS = 80
WITHIN_SECONDS = 3600.0


@commands.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Purchases, one a line.")],
    columns: Annotated[
        str, typer.Option(help="NAME=COLUMN,… for customer, date, quantity, amount; by number or by header.")
    ] = "customer=1,date=2,quantity=3,amount=4",
    delimiter: Annotated[
        str | None, typer.Option(help="One character, or `tab`; any white space when left out.")
    ] = None,
    header: Annotated[bool, typer.Option("--header", help="The first line is a header.")] = False,
    encoding: Annotated[
        str | None, typer.Option(help="Of the text, when it has no byte order mark: cp1252, utf-8 (when left out).")
    ] = None,
    rounding: Annotated[
        str | None,
        typer.Option(
            "--round", help="Amounts with more than 2 decimals: half-even, half-up or down; refused when left out."
        ),
    ] = None,
    sku: Annotated[str, typer.Option(help="The product that every row buys.")] = "CD-US",
    currency: Annotated[str, typer.Option(help="Of the amounts; the product must be sold in it.")] = "USD",
    speed: Annotated[
        float | None, typer.Option(min=0.001, help="So many times faster than the dates; at once when left out.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Requests at a time, each on its own connection.")
    ] = 6,
    sample: Annotated[int | None, typer.Option(min=1, help="Only so many lines, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same lines.")] = 1,
    wait: Annotated[bool, typer.Option("--wait", help="Until every order is final and its mails are sent.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; the last line is the summary.")] = False,
) -> None:
    """Place the rows as orders at their own prices. Stop it at any time: the next run goes on, and repeats nothing."""
    from conductor.capstones.orders import purchase_file
    from conductor.capstones.orders.api_client import OrdersApi
    from conductor.capstones.orders.replay import Replay
    from conductor.capstones.orders.replayed import Fates
    from conductor.laptop.runtime import LocalRuntime

    began = time.monotonic()
    content = purchase_file.load(file)
    text = purchase_file.decoded(content, encoding)
    shape = purchase_file.shape(columns, delimiter, header=header, text=text, rounding=rounding)
    rows = _chosen(list(purchase_file.read(text, shape)), sample, seed, by_date=speed is not None)
    if not rows:
        raise Refused(f"{file} has no rows")
    runtime = LocalRuntime.running(capstone=NAME)
    _check_product(runtime, sku, currency)
    # The map is part of it: with another one, a row becomes another order.
    identity = purchase_file.identity(content, shape, encoding or "", sku, currency)
    prefix = f"replay-{identity}-"
    log = Journal(RunDirectory.chosen().journals(NAME) / f"replay-{identity[:16]}.jsonl")
    run = Replay(lambda: OrdersApi.of(runtime), log, prefix=prefix, sku=sku, concurrency=concurrency, speed=speed)
    fates = Fates(runtime, prefix)
    try:
        with _bar() as bar:
            done = _placed(run, rows, bar)
            accepting = time.monotonic() - began
            fate = _waited(fates, bar) if wait else fates.now()
    finally:
        log.close()
        fates.close()
    found = _summary(
        file, purchase_file.digest(content), len(rows), done, fate, currency, accepting, time.monotonic() - began
    )
    print(json.dumps(found)) if as_json else _tell(found)
    if sample is None and fate.sum_minor != done.accepted_minor:
        raise Refused(f"the file's accepted rows are {done.accepted_minor} minor units, its orders {fate.sum_minor}")
    if len(done.refused) == len(rows):
        raise typer.Exit(1)


def _chosen(rows: "list[Row | BadRow]", sample: int | None, seed: int, *, by_date: bool) -> "list[Row | BadRow]":
    from conductor.capstones.orders.purchase_file import BadRow, Row

    if sample is not None and sample < len(rows):
        rows = [rows[at] for at in sorted(random.Random(seed).sample(range(len(rows)), sample))]
    if by_date:
        good = [row for row in rows if isinstance(row, Row)]
        if any(row.at is None for row in good):
            raise Refused("--speed needs a date column in --columns")
        good.sort(key=lambda row: (row.at, row.line))
        rows = [*(row for row in rows if isinstance(row, BadRow)), *good]
    return rows


def _check_product(access: "Reach", sku: str, currency: str) -> None:
    import httpx

    from conductor import http_client
    from conductor.harness.json_api import refusal

    headers = {"Authorization": f"Bearer {access.tokens()['operator']}"}
    try:
        answer = http_client.request("GET", f"{access.addresses()['api']}/stock/{sku}", headers=headers, timeout=10)
    except httpx.HTTPError as error:
        raise Refused(f"the API does not answer: {error}") from error
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise Refused(f"--sku {sku}: there is no such product")
    if answer.is_error:
        raise refusal(answer)
    sold_in = answer.json()["currency"]
    if sold_in != currency:
        raise Refused(f"--sku {sku} is sold in {sold_in}, the amounts are in {currency}")


def _bar() -> Progress:
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True))


def _placed(run: "Replay", rows: "list[Row | BadRow]", bar: Progress) -> "Done":
    from conductor.capstones.orders.replay import Progress as Done

    task = bar.add_task("placed", total=len(rows), note="")

    def watch(done: Done) -> None:
        bar.update(task, completed=done.done, note=f"{len(done.refused)} refused")

    return run.run(rows, watch)


def _waited(fates: "Fates", bar: Progress) -> "Fate":
    fate = fates.now()
    task = bar.add_task("final", total=sum(fate.states.values()), note="")
    deadline = time.monotonic() + WITHIN_SECONDS
    while fate.open or fate.commands:
        if time.monotonic() > deadline:
            left = f"{fate.open} orders are not final and {fate.commands} commands not done"
            raise Unready(f"{left} after {WITHIN_SECONDS:.0f} s: {fate.states}")
        bar.update(task, completed=sum(fate.states.values()) - fate.open)
        # The more there are to count, the less often.
        time.sleep(min(5.0, 0.5 + sum(fate.states.values()) / 20_000))
        fate = fates.now()
    bar.update(task, completed=sum(fate.states.values()))
    return fate


def _summary(
    file: Path, digest: str, rows: int, done: "Done", fate: "Fate", currency: str, accepting: float, seconds: float
) -> dict[str, Any]:
    refused = sorted(done.refused, key=lambda row: row.line)
    return {
        "file": str(file),
        "sha256": digest,
        "rows": rows,
        "accepted": done.accepted + done.resumed,
        "accepted_earlier": done.resumed,
        "refused": len(refused),
        "refusals": [
            {"line": row.line, "column": row.column, "reason": row.reason, "value": row.value} for row in refused
        ],
        "accepted_sum": _amount(done.accepted_minor),
        "currency": currency,
        "orders": fate.states,
        "orders_sum": _amount(fate.sum_minor),
        "accept_seconds": round(accepting, 1),
        "accepted_per_second": round(done.accepted / accepting, 1),
        "seconds": round(seconds, 1),
    }


def _amount(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _shown(value: str) -> str:
    """A file's text as it is fit for a terminal: nothing that moves its cursor, not a page of it."""
    plain = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in value)
    return plain if len(plain) <= SHOWN_CHARACTERS else f"{plain[:SHOWN_CHARACTERS]}…"


def _tell(found: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(
        f"{found['rows']} rows: {found['accepted']} accepted ({found['accepted_earlier']} by an earlier run), "
        f"{found['refused']} refused; {found['accepted_per_second']} a second, {found['seconds']} s in all"
    )
    console.print(
        f"sum {found['accepted_sum']} {found['currency']}, of all orders of this file with this map {found['orders_sum']}"
    )
    console.print("orders: " + ", ".join(f"{count} {state}" for state, count in sorted(found["orders"].items())))
    for row in found["refusals"][:SHOWN_REFUSALS]:
        column = f", column {row['column']}" if row["column"] else ""
        console.print(
            f"  line {row['line']}{column}: {row['reason']} ({_shown(row['value'])})", markup=False, soft_wrap=True
        )
    if found["refused"] > SHOWN_REFUSALS:
        console.print(f"  and {found['refused'] - SHOWN_REFUSALS} more; --json has them all")
