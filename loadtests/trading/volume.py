"""`make bench CAPSTONE=trading ARGS="--messages 10000000"`: FIX messages through gateway, engine and journal; then all of it is proved.

One client sends in cycles of four inputs, which have six reports: two orders rest, a third takes the first of them, and a cancel takes the
one that rests for longest. So OPEN orders rest all the time. What is counted are the messages of the gateway, in and out. At the end the
engine gets a SIGKILL, and the time is taken until the shard takes orders again, from a snapshot and the journal behind it.

It is sound when every report came, numbered without a gap; when the journal has each input once and its hash chain is whole; when a replay
gives every outcome again, to the bit, and the state of the last snapshot; and when no process grew, which takes 400,000 messages to tell.
"""

import json
import math
import os
import re
import shutil
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.trading import paths
from loadtests.trading.fix_path import END_OF_MESSAGE, Client, owned, until
from trading.adapters.board import Field
from trading.adapters.fix.reports import CLOSED_KEPT
from trading.adapters.journal.reader import records
from trading.adapters.journal.segment import segments
from trading.adapters.journal.verification import verify
from trading.adapters.snapshots import newest
from trading.domain.engine import Engine
from trading.domain.snapshot import snapshot
from trading.domain.terms import Input
from trading.processes.owner import Owner
from trading.usecases.replay import replay

INPUTS, REPORTS = 4, 6
"""Of a cycle."""
OPEN = 1_000
IN_FLIGHT = 500
"""Reports in flight at most."""
LOOKS = 100
"""How often the memory of the processes is looked at."""
CLOSED = 3
"""Orders that a cycle closes. The gateway remembers the last CLOSED_KEPT of all, and grows until it has as many."""
GROWTH_MB, LEAST_LOOKS = 8.0, 10
"""What a process may hold more in the second half of the looks after that than ever in the first, and how many there have to be."""
BYTES_PER_INPUT = 300
"""Of the journal; a generous estimate of the room that is needed."""
PROCESSES = ("engine", "gateway", "keeper")
_NUMBER = re.compile(rb"\x0134=(\d+)\x01")


@dataclass
class Numbering:
    """Finds what is missing between the numbers of FIX messages, in the order in which they came."""

    expected: int
    gaps: int = 0

    def see(self, messages: bytes) -> None:
        """Whole messages, each but the last with its end."""
        for number in map(int, _NUMBER.findall(messages)):
            self.gaps += number != self.expected
            self.expected = number + 1


class Trader(Client):
    """A client that sends cycles and checks the numbers of the reports."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.inputs = self.reports = self.refused = 0
        # The first message was the answer to the logon.
        self.numbering = Numbering(expected=2)
        self._due = 0
        self._resting: deque[int] = deque()

    def fill(self) -> None:
        """Let OPEN orders rest."""
        for number in range(OPEN):
            self._room(1)
            self._resting.append(self.new_id())
            self._send_all([self.new_order(self._resting[-1], 1, 1, b"9.%02d" % (number % 100))], 1)

    def cycle(self, number: int) -> None:
        """Send one cycle."""
        self._room(REPORTS)
        cents = number % 100
        self._resting.append(self.new_id())
        taken, taker, cancel = self.new_id(), self.new_id(), self.new_id()
        target = self._resting.popleft()
        self._send_all(
            [
                self.new_order(self._resting[-1], 1, 1, b"9.%02d" % cents),
                self.new_order(taken, 1, 2, b"10.%02d" % cents),
                self.new_order(taker, 2, 1, b"10.%02d" % cents, b"3"),
                self.message(b"F", b"11=%d\x0141=%d\x0155=S1\x0154=1\x01" % (cancel, target)),
            ],
            REPORTS,
        )

    def finish(self) -> None:
        """Wait until every report came."""
        while self.reports < self._due:
            self._take()

    def _send_all(self, messages: list[bytes], reports: int) -> None:
        self.socket.sendall(b"".join(messages))
        self.inputs += len(messages)
        self._due += reports

    def _room(self, reports: int) -> None:
        while self._due + reports - self.reports > IN_FLIGHT:
            self._take()

    def _take(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the venue closed the connection")
        whole, end, self._rest = (self._rest + data).rpartition(END_OF_MESSAGE)
        if not end:
            return
        self.numbering.see(whole)
        self.reports += whole.count(b"\x0135=8\x01")
        self.refused += whole.count(b"\x0139=8\x01")


def measured(messages: int) -> dict[str, Any]:
    """What the run was and whether it is sound. Raises SystemExit when the disk has no room for it."""
    cycles = max(1, math.ceil((messages - 2 * OPEN) / (INPUTS + REPORTS)))
    with tempfile.TemporaryDirectory(prefix="trading-volume-") as place:
        folder = Path(place)
        _refuse_without_room(folder, OPEN + cycles * INPUTS)
        pause = paths.pauses()
        with owned(folder) as owner:
            trader = Trader(owner.port)
            seconds, memory = _run(trader, owner, cycles)
            sent = {"messages_in": trader.inputs, "messages_out": trader.reports}
            # The gateway shows its counts every tenth of a second.
            until(owner, lambda: _counted(owner)[0] >= trader.inputs and _counted(owner)[1] >= trader.reports)
            counted = _counted(owner)
            trader.socket.close()
            replaced = owner.replaced
            start = _start_again(owner)
        document = {
            "messages": trader.inputs + trader.reports,
            **sent,
            "gateway_counted_the_same": counted == (trader.inputs, trader.reports),
            "seconds": round(seconds, 1),
            "messages_per_second": round((trader.inputs + trader.reports) / seconds),
            "messages_per_day": round((trader.inputs + trader.reports) / seconds * 86_400),
            "gaps": trader.numbering.gaps,
            "refused": trader.refused,
            "replaced": replaced,
            "memory_mb": memory,
            "memory_flat": all(late - early <= GROWTH_MB for early, late in memory.values()) if memory else None,
            "start": start,
            "pause_p999": pause,
            **_judged(folder, trader.inputs),
        }
    counted_well = document["gateway_counted_the_same"] and document["every_input_once"] and not trader.numbering.gaps
    proved = document["same_state"] and not document["findings"] and document["memory_flat"] is not False
    return document | {"sound": bool(counted_well and proved and not trader.refused and not replaced)}


def _run(trader: Trader, owner: Owner, cycles: int) -> tuple[float, dict[str, tuple[float, ...]]]:
    """Seconds, and the most memory of each process in each half of the looks that count; nothing when they are too few."""
    looks: list[dict[str, float]] = []
    began = time.perf_counter()
    trader.fill()
    for look in range(LOOKS):
        for number in range(cycles * look // LOOKS, cycles * (look + 1) // LOOKS):
            trader.cycle(number)
        owner.check()
        looks.append({name: _anonymous_mb(owner.pid(name)) for name in PROCESSES})
        if not look % (LOOKS // 10):
            rate = (trader.inputs + trader.reports) / (time.perf_counter() - began)
            print(f"{trader.inputs + trader.reports:,} messages, {rate:,.0f} a second, MB {looks[-1]}", flush=True)
    trader.finish()
    seconds = time.perf_counter() - began
    grown = looks[math.ceil(CLOSED_KEPT / CLOSED / cycles * LOOKS) :]
    if len(grown) < LEAST_LOOKS:
        return seconds, {}
    halves = grown[: len(grown) // 2], grown[len(grown) // 2 :]
    return seconds, {name: tuple(max(look[name] for look in half) for half in halves) for name in PROCESSES}


def _counted(owner: Owner) -> tuple[int, int]:
    """Messages in and out of the gateway; the logon is no application message."""
    counts = owner.counts()
    return counts.messages_in - 1, counts.messages_out


def _start_again(owner: Owner) -> dict[str, float]:
    """Kill the engine; seconds until orders are taken again, and the inputs that it read behind its snapshot."""
    before, began = owner.replaced, time.perf_counter()
    os.kill(owner.pid("engine"), signal.SIGKILL)
    until(owner, lambda: owner.replaced > before)
    until(owner, lambda: owner.ready)
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 2), "replayed": owner.number(Field.ENGINE_REPLAYED)}


def _judged(folder: Path, inputs: int) -> dict[str, Any]:
    """What the journal says."""
    journal, kinds = folder / "journal", Counter[int]()

    def counted() -> Iterator[tuple[int, bytes]]:
        for sequence, record in records(journal):
            kinds[record[0]] += 1
            yield sequence, record

    began = time.perf_counter()
    findings = verify(journal).findings
    verified, rebuilt = time.perf_counter(), Engine()
    replayed = replay(rebuilt, counted())
    ended = time.perf_counter()
    return {
        "in_journal": replayed,
        "every_input_once": kinds[Input.NEW] + kinds[Input.CANCEL] == inputs,
        "segments": len(segments(journal)),
        "journal_mb": round(sum(path.stat().st_size for path in journal.iterdir()) / 1e6),
        "findings": findings,
        "verify_seconds": round(verified - began, 1),
        "replay_seconds": round(ended - verified, 1),
        "same_state": snapshot(rebuilt) == snapshot(newest(folder / "snapshots")),
    }


def _refuse_without_room(folder: Path, inputs: int) -> None:
    needed, free = inputs * BYTES_PER_INPUT + (256 << 20), shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(f"{folder} has {free >> 20} MB free, {inputs} inputs need up to {needed >> 20}; set TMPDIR")


def _anonymous_mb(pid: int) -> float:
    """What a process has for itself, without the files that it maps."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise ProcessLookupError(f"no memory of process {pid}")


def run(messages: int) -> int:
    """Print one line of JSON; 1 when something is not sound."""
    document = measured(messages)
    print(json.dumps({"capstone": "trading", "bench": "volume", **document, "load": round(os.getloadavg()[0], 1)}))
    return 0 if document["sound"] else 1
