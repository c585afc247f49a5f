"""`python -m loadtests.trading.kills`: SIGKILLs of the engine in bursts of orders by FIX; the last line is JSON.

The client counts what it was told. Afterwards the journal says what is: every order that was acknowledged is in it once, every trade
once, the hash chain is whole, and a replay gives every outcome again and the state of the last snapshot. Exits with 1 when one of these
is not so.
"""

import argparse
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from loadtests.trading.fix_path import Client, owned, until
from trading.adapters.journal.reader import records
from trading.adapters.journal.verification import verify
from trading.adapters.layouts import decode_outcome, slots
from trading.adapters.snapshots import newest
from trading.domain.engine import Engine
from trading.domain.snapshot import snapshot
from trading.domain.terms import Outcome
from trading.processes.owner import Owner
from trading.usecases.replay import replay


class Listener(threading.Thread):
    """Collects the client ids of the orders that were acknowledged, until the connection breaks."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(daemon=True)
        self._socket = sock
        self.acknowledged: set[int] = set()

    def run(self) -> None:
        rest = b""
        while data := self._received():
            *messages, rest = (rest + data).split(b"\x018=FIX")
            for message in messages:
                if b"\x01150=0\x01" in message:
                    self.acknowledged.add(int(message.split(b"\x0111=", 1)[1].split(b"\x01", 1)[0]))

    def _received(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""


def burst(owner: Owner, first_id: int, orders: int, kill_at: int) -> tuple[set[int], int, float]:
    """Send orders and kill the engine after so many acknowledgements; what was acknowledged, the next client id, seconds until orders
    are taken again.
    """
    client = Client(owner.port, first_id)
    listener = Listener(client.socket)
    listener.start()
    before, began = owner.replaced, 0.0
    try:
        for number in range(orders):
            client.order(side=1 + number % 2, account=1 + number % 2, price=b"10.00")
            if not began and len(listener.acknowledged) >= kill_at:
                os.kill(owner.pid("engine"), signal.SIGKILL)
                began = time.monotonic()
    except OSError:
        # The gateway goes with its engine: what was sent since is unknown, and is in the journal or not.
        pass
    if not began:
        # On a crowded machine the owner may be first: a child that got no core was silent.
        until(owner, lambda: len(listener.acknowledged) >= kill_at or owner.replaced > before)
        if owner.replaced == before:
            os.kill(owner.pid("engine"), signal.SIGKILL)
        began = time.monotonic()
    until(owner, lambda: owner.replaced > before)
    until(owner, lambda: owner.ready)
    away = time.monotonic() - began
    client.socket.close()
    listener.join()
    return listener.acknowledged, client.next_id, away


def main() -> int:
    """Run the kills and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--orders", type=int, default=5_000, help="orders of a burst")
    parser.add_argument("--level", choices=["process", "disk"], default="process")
    asked = parser.parse_args()
    acknowledged: set[int] = set()
    away, next_id = [], 1
    with tempfile.TemporaryDirectory(prefix="trading-kills-") as place:
        folder = Path(place)
        with owned(folder, level=asked.level) as owner:
            for number in range(asked.kills):
                told, next_id, seconds = burst(owner, next_id, asked.orders, asked.orders * (number % 7 + 1) // 9)
                acknowledged |= told
                away.append(seconds)
                print(f"kill {number + 1}: {len(told)} acknowledged, away for {seconds:.2f} s ({owner.why})")
        document = judged(folder, acknowledged)
    document |= {
        "kills": asked.kills,
        "level": asked.level,
        "away_max_s": round(max(away), 2),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps({"capstone": "trading", "bench": "engine-kill", **document}))
    return 0 if document["sound"] else 1


def judged(folder: Path, acknowledged: set[int]) -> dict[str, object]:
    """What the journal says of what the client was told."""
    kept: Counter[int] = Counter()
    trades: Counter[tuple[int, ...]] = Counter()
    for _, record in records(folder / "journal"):
        for outcome in map(decode_outcome, slots(record)[1:]):
            if outcome[0] == Outcome.ACKNOWLEDGED:
                kept[outcome[2]] += 1
            elif outcome[0] == Outcome.EXECUTED:
                trades[outcome[5], outcome[12], outcome[13]] += 1
    findings = verify(folder / "journal").findings
    rebuilt = Engine()
    replay(rebuilt, records(folder / "journal"))
    lost = acknowledged - set(kept)
    doubled = sum(count - 1 for count in (*kept.values(), *trades.values()))
    same = snapshot(rebuilt) == snapshot(newest(folder / "snapshots"))
    return {
        "acknowledged": len(acknowledged),
        "in_journal": len(kept),
        "trades": len(trades) // 2,
        "lost": len(lost),
        "doubled": doubled,
        "findings": findings,
        "same_state": same,
        "sound": not lost and not doubled and not findings and same and bool(acknowledged),
    }


if __name__ == "__main__":
    sys.exit(main())
