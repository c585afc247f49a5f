"""The same orders, one in flight, by the naive design and by two ways into ours, in turn; and how many in flight each side holds.

A round begins with an empty market on each side. The naive design's time is from sending the task to having its result. Ours is taken
over the gateway's TCP door, where API pods ask (kept connections, JSON; docs/decisions/0030 says why it is no Redis Stream), and in
the engine's pod over the rings, the engine spinning. All trades are compared: naive's audit with the journals of ours.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from loadtests.analytics.servers import free_port
from loadtests.trading import paths, rival
from loadtests.trading.fix_path import Market, owned, secret
from loadtests.trading.orders import REFERENCE, SYMBOLS, Record, mixed, opened
from loadtests.trading.rival import Fill, Rival
from trading.adapters.door_client import DoorClient
from trading.adapters.journal.reader import records as journaled
from trading.adapters.layouts import decode_outcome, slots
from trading.domain.terms import Input, Outcome

ORDERS, MORE = 200, 5_000
"""Inputs of a round that every side takes, and those that ours takes beyond them with many in flight."""
ACCOUNTS = 20
WIDTHS, WIDE_ORDERS = (1, 2, 4, 8, 16), 60
"""How many orders the naive side is tried with in flight, and how many it takes so."""
AT_THE_DOOR = 200
"""Requests that ours is tried with at once over the door, by the few connections that an API process keeps."""
CLIENTS = ACCOUNTS + AT_THE_DOOR
MANY_ID = ORDERS + MORE + 1


def measured(rounds: int) -> dict[str, Any]:
    """Medians over rounds of the medians; times in microseconds."""
    runs, same = [], []
    with tempfile.TemporaryDirectory(prefix="trading-naive-") as place, rival.started(Path(place)) as naive:
        naive.forget()
        naive.one_in_flight(mixed(20, seed=0, accounts=ACCOUNTS))
        for number in range(1, rounds + 1):
            records = mixed(ORDERS + MORE, seed=number, accounts=ACCOUNTS)
            run, equal = _round(naive, records)
            runs.append(run)
            same.append(equal)
            print(f"naive and ours, round {number}: " + ", ".join(f"{name} {value:,}" for name, value in run.items()))
        widths = _widths(naive, mixed(WIDE_ORDERS, seed=1, accounts=ACCOUNTS))
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    naive_p50 = medians["naive_p50"]
    return {
        "ratio": round(naive_p50 / medians["tcp_door_p50"], 1),
        "ratio_is": "naive p50 / ours over the gateway's TCP door, one in flight",
        "ratio_in_pod": round(naive_p50 / medians["in_pod_p50"]) if "in_pod_p50" in medians else None,
        "same_executions": all(same),
        "comparison": {
            "orders": ORDERS,
            "rounds": rounds,
            **medians,
            "naive_per_second_by_in_flight": widths,
            "naive_stops_at": next((width for width, rate in widths.items() if not rate), None),
        },
    }


def _round(naive: Rival, records: list[Record]) -> tuple[dict[str, float], bool]:
    same = records[:ORDERS]
    naive.forget()
    run = {
        "pause_p999": paths.pauses(),
        "ping_p50": _p50(naive.pings(ORDERS)),
        "naive_p50": _p50(naive.one_in_flight(same)),
    }
    fills = naive.fills()
    with tempfile.TemporaryDirectory(prefix="trading-bench-") as place:
        run |= _by_the_door(Path(place), records)
        equal = bool(fills) and fills == _executions(Path(place), ORDERS)
    if len(paths.cores()) > 1:
        with tempfile.TemporaryDirectory(prefix="trading-bench-") as place:
            run |= _in_pod(Path(place), records)
            equal = equal and fills == _executions(Path(place), ORDERS)
    return run, equal


def _by_the_door(folder: Path, records: list[Record]) -> dict[str, float]:
    """As an API process asks."""
    port = free_port()
    clients = tuple((account,) for account in range(1, CLIENTS + 1))
    with owned(folder, Market(SYMBOLS, clients, REFERENCE), door_port=port):
        return asyncio.run(_ask(DoorClient("127.0.0.1", port, answer_seconds=30.0), records))


async def _ask(door: DoorClient, records: list[Record]) -> dict[str, float]:
    taken, clock = [], time.perf_counter

    async def one(record: Record) -> None:
        await door.ask(secret(record[1]).decode(), {"input": record})

    for record in records[:ORDERS]:
        began = clock()
        await one(record)
        taken.append((clock() - began) * 1e6)
    # Each from a client of its own: client ids of one have to rise, and connections may arrive in any order.
    many = [
        (int(Input.NEW), one, MANY_ID, one, 1, 1, 1, 1, REFERENCE // 2, 0, 1)
        for one in range(ACCOUNTS + 1, CLIENTS + 1)
    ]
    began = clock()
    await asyncio.gather(*map(one, many))
    rate = len(many) / (clock() - began)
    return {"tcp_door_p50": _p50(taken), "tcp_door_p99": _p99(taken), f"tcp_door_{AT_THE_DOOR}_in_flight": round(rate)}


def _in_pod(folder: Path, records: list[Record]) -> dict[str, float]:
    """As the gateway hands over, the engine spinning on a core of its own."""
    rehearsal = opened()
    messages = [(record, len(rehearsal.apply(record))) for record in records]
    with paths.market(folder, "spinning") as engine, paths.pinned():
        single = paths.one_in_flight(engine, messages[:ORDERS], spinning=True)
        rate = paths.pipelined(engine, messages[ORDERS:], spinning=True)
        engine.end()
    return {
        "in_pod_p50": single["p50"],
        "in_pod_p99": single["p99"],
        f"in_pod_{paths.IN_FLIGHT}_in_flight": round(rate),
    }


def _widths(naive: Rival, records: list[Record]) -> dict[int, float]:
    """Orders a second by how many are in flight, up to the first number that stops it."""
    found: dict[int, float] = {}
    for width in WIDTHS:
        found[width] = round(naive.in_flight(records, width), 1)
        if not found[width]:
            break
    return found


def _executions(folder: Path, last_id: int) -> list[Fill]:
    """The trades of a shard's journal whose arriving order has a client id up to `last_id`."""
    fills, resting = [], 0
    for _, record in journaled(folder / "journal"):
        for outcome in map(decode_outcome, slots(record)[1:]):
            if outcome[0] != Outcome.EXECUTED:
                continue
            # The resting side of a trade comes first.
            if outcome[13]:
                resting = outcome[2]
            elif outcome[2] <= last_id:
                fills.append((outcome[2], resting, outcome[7], outcome[8]))
    return fills


def _p50(taken: list[float]) -> float:
    return round(statistics.median(taken), 1)


def _p99(taken: list[float]) -> float:
    return round(sorted(taken)[len(taken) * 99 // 100], 1)
