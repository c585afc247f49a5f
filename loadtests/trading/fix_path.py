"""From a client's order by FIX over TCP to its execution report: gateway, ring, engine, journal and back. The client is another process."""

import hashlib
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.trading.paths import pauses
from trading.adapters.control_client import ask
from trading.adapters.fix.codec import encode
from trading.adapters.fix.stamp import Stamp
from trading.domain.terms import Input, Phase
from trading.processes.owner import Owner
from trading.processes.settings import ShardSettings

SINGLE, PIPELINED, IN_FLIGHT = 1_000, 10_000, 300
END_OF_MESSAGE = b"\x0110="


@dataclass(frozen=True)
class Market:
    """What a shard opens with."""

    symbols: int
    """With ids from 1, named S1, S2, …"""
    clients: tuple[tuple[int, ...], ...]
    """The accounts of each client. Clients have ids from 1, and are named CLIENT1, CLIENT2, …"""
    reference: int
    """Price of each symbol in ticks."""


ONE_CLIENT = Market(symbols=1, clients=((1, 2),), reference=1000)


def measured(rounds: int, folder: Path | None = None, engine_core: int | None = None) -> dict[str, Any]:
    """Medians; times in microseconds. The engine sleeps until an order comes, or spins on a core."""
    runs = []
    with (
        tempfile.TemporaryDirectory(prefix="trading-bench-", dir=folder) as place,
        owned(Path(place), engine_core=engine_core) as owner,
    ):
        client = Client(owner.port)
        for _ in range(rounds):
            run: dict[str, float] = {"pause_p999": pauses()} | client.one_in_flight(SINGLE)
            run["per_second"] = client.pipelined(PIPELINED)
            runs.append(run)
            owner.check()
        replaced = owner.replaced
        client.socket.close()
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    print(
        f"FIX over TCP{'' if engine_core is None else ', spinning'}: "
        + ", ".join(f"{name} {value:,}" for name, value in medians.items())
    )
    return {**medians, "replaced": replaced}


@contextmanager
def owned(folder: Path, market: Market = ONE_CLIENT, **settings: Any) -> Iterator[Owner]:
    """A shard with open symbols and clients that may trade; it is drained at the end."""
    directory = folder / "sessions.json"
    symbols = {f"S{one}": {"id": one, "tick": "0.01"} for one in range(1, market.symbols + 1)}
    sessions = {
        f"CLIENT{one}": {"id": one, "password_sha256": hashlib.sha256(secret(one)).hexdigest(), "accounts": accounts}
        for one, accounts in enumerate(market.clients, start=1)
    }
    directory.write_text(json.dumps({"company": "VENUE", "symbols": symbols, "sessions": sessions}))
    owner = Owner(ShardSettings(folder=folder, sessions=directory, **settings))
    owner.start()
    try:
        until(owner, lambda: owner.ready)
        control = folder / "control"
        for one in range(1, market.symbols + 1):
            ask(control, Input.LIST, one, 1, 5000)
            ask(control, Input.MARKET_DATA, one, market.reference)
            ask(control, Input.PHASE, one, Phase.CONTINUOUS)
        for account in (account for accounts in market.clients for account in accounts):
            [[*_, proposal]] = ask(control, Input.PROPOSE_LIMITS, account, 1, 10**12, 10**12, 10**9, 10**15, 10**9)
            ask(control, Input.APPROVE_LIMITS, account, 2, proposal)
        yield owner
    finally:
        owner.stop()


def secret(client: int) -> bytes:
    """Password and token of a client."""
    return b"secret %d" % client


def until(owner: Owner, true: Callable[[], object], seconds: float = 60.0) -> None:
    """Look after the children until something is true; raises TimeoutError."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(
                f"waited {seconds} s; the children were replaced {owner.replaced} times, last because {owner.why!r}"
            )
        owner.check()
        time.sleep(0.005)


class Client:
    """A client that sends orders as fast as it can. Half of them rest below the market and are cancelled by nobody."""

    def __init__(self, port: int, first_id: int = 1) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stamp, self._number, self._rest = Stamp(), 1, b""
        self.next_id = first_id
        self._send(b"A", b"98=0\x01108=60\x01141=Y\x01554=%b\x01" % secret(1))
        self._read(1)

    def one_in_flight(self, count: int) -> dict[str, float]:
        """Percentiles of order to report."""
        taken = []
        for _ in range(count):
            began = time.perf_counter_ns()
            self.order()
            self._read(1)
            taken.append((time.perf_counter_ns() - began) / 1000)
        taken.sort()
        return {"p50": taken[count // 2], "p99": taken[count * 99 // 100]}

    def pipelined(self, count: int) -> float:
        """Reports a second with IN_FLIGHT orders in flight."""
        began, flying, left = time.perf_counter(), 0, count
        for _ in range(count):
            while flying >= IN_FLIGHT:
                read = self._read(1)
                flying, left = flying - read, left - read
            self.order()
            flying += 1
        while left > 0:
            left -= self._read(1)
        return count / (time.perf_counter() - began)

    def order(self, side: int = 1, account: int = 1, price: bytes = b"") -> int:
        """Send an order; gives its client id."""
        number = self.new_id()
        self.socket.sendall(self.new_order(number, account, side, price or b"9.%02d" % (number % 100)))
        return number

    def new_id(self) -> int:
        """The client id of the next order or request."""
        self.next_id += 1
        return self.next_id - 1

    def new_order(self, id: int, account: int, side: int, price: bytes, time_in_force: bytes = b"0") -> bytes:
        """The message of a limit order of one lot, the next one to send."""
        body = b"11=%d\x011=%d\x0155=S1\x0154=%d\x0140=2\x0144=%b\x0138=1\x0159=%b\x01"
        return self.message(b"D", body % (id, account, side, price, time_in_force))

    def message(self, kind: bytes, body: bytes) -> bytes:
        """The next message to send."""
        head = b"35=%b\x0149=CLIENT1\x0156=VENUE\x0134=%d\x0152=%b\x01" % (kind, self._number, self._stamp())
        self._number += 1
        return encode(head + body)

    def _send(self, kind: bytes, body: bytes) -> None:
        self.socket.sendall(self.message(kind, body))

    def _read(self, least: int) -> int:
        """Messages that came, at least so many."""
        found = 0
        while found < least:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError("the venue closed the connection")
            self._rest += data
            messages = self._rest.split(END_OF_MESSAGE)
            found += len(messages) - 1
            self._rest = messages[-1]
        return found
