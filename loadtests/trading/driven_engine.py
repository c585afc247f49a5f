"""An engine at the other ends of its rings, in the place of a gateway, as a process or in this one: for tests and benches."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trading.adapters.board import Board, Field, State
from trading.adapters.layouts import Between, decode_outcome, encode_input, flags_of
from trading.adapters.ring import Ring
from trading.domain.records import Record
from trading.domain.terms import Input, Phase, Side, TimeInForce, Type
from trading.processes import engine
from trading.processes.engine import EngineProcess
from trading.processes.settings import ShardSettings

CONTEXT = multiprocessing.get_context("spawn")
PATIENCE_SECONDS = 20.0
SESSION, SYMBOL = 1, 1
ACCOUNTS = (1, 2)


def order(client_id: int, side: Side = Side.BUY, price: int = 1000, account: int = 1, quantity: int = 1) -> Record:
    """A limit order of the session."""
    kind, day = Type.LIMIT, TimeInForce.DAY
    return (Input.NEW, SESSION, client_id, account, SYMBOL, side, kind, day, price, 0, quantity)


class DrivenEngine:
    """An engine process. `send` and `outcomes` are its two rings."""

    def __init__(self, settings: ShardSettings) -> None:
        self.board = Board()
        self._rings = Ring(CONTEXT), Ring(CONTEXT)
        arguments = (settings, self.board, *self._rings)
        self.process = CONTEXT.Process(target=engine.main, args=arguments)
        self.process.start()
        self.inputs, self.said = self._rings[0].sender(), self._rings[1].receiver()

    def send(self, *records: Record) -> None:
        """Hand inputs over."""
        for record in records:
            assert self.inputs.send(encode_input(record))

    def open_market(self) -> None:
        """List a symbol, open it, and let two accounts trade as they like."""
        self.send((Input.LIST, SYMBOL, 1, 5000), (Input.MARKET_DATA, SYMBOL, 1000))
        self.send((Input.PHASE, SYMBOL, Phase.CONTINUOUS))
        self.outcomes(2)
        for account in ACCOUNTS:
            self.send((Input.PROPOSE_LIMITS, account, 1, 10**12, 10**12, 10**9, 10**15, 10**9))
            proposal = self.outcomes(1)[0][4]
            self.send((Input.APPROVE_LIMITS, account, 2, proposal))
            self.outcomes(1)

    def outcomes(self, count: int) -> list[Record]:
        """The next outcomes, marks left out."""
        found: list[Record] = []
        while len(found) < count:
            message = self.message()
            if message[0] != Between.MARK and not (message[0] == Between.STATUS and flags_of(message)):
                found.append(decode_outcome(message))
        return found

    def message(self) -> bytes:
        """The next message of the engine."""
        message = self.said.wait(PATIENCE_SECONDS)
        assert message is not None, f"the engine said nothing, exit code {self.process.exitcode}"
        return message

    def said_before_it_ended(self) -> list[Record]:
        """What an engine that is gone has left in its ring, marks left out."""
        said = []
        while (message := self.said.next()) is not None:
            said.append(decode_outcome(message))
        return [record for record in said if record[0] < Between.STATUS_REQUEST]

    def wait_until_ready(self) -> None:
        """Return when it takes inputs."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.board.get(Field.ENGINE_STATE) != State.READY:
            assert time.monotonic() < until
            assert self.process.exitcode is None
            time.sleep(0.01)

    def end(self) -> None:
        """SIGTERM, and the exit code must be 0."""
        self.process.terminate()
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join(PATIENCE_SECONDS)

    def let_go(self) -> None:
        """Whatever happened, leave nothing."""
        self.kill()
        for one in (*self._rings, self.board):
            one.unlink()


@contextmanager
def driven(settings: ShardSettings) -> Iterator[DrivenEngine]:
    """An engine that is gone afterwards."""
    engine = DrivenEngine(settings)
    try:
        yield engine
    finally:
        engine.let_go()


class EngineHere:
    """An engine that works in this process, when it is told to."""

    def __init__(self, kind: type[EngineProcess], settings: ShardSettings) -> None:
        self.board = Board()
        self._rings = Ring(CONTEXT), Ring(CONTEXT)
        self.process = kind(settings, self.board, self._rings[0].receiver(), self._rings[1].sender())
        self._said = self._rings[1].receiver()

    def take(self, records: Sequence[Record]) -> None:
        """Have it take inputs one by one, uncounted."""
        for record in records:
            self.process._take([encode_input(record)])
            self.drain()

    def drain(self) -> None:
        """Take what it said out of its ring."""
        while self._said.next() is not None:
            pass

    def let_go(self) -> None:
        """Leave nothing in memory."""
        self.process.journal.close()
        for one in (*self._rings, self.board):
            one.unlink()


@contextmanager
def here(kind: type[EngineProcess], settings: ShardSettings) -> Iterator[EngineHere]:
    """An engine in this process that is gone afterwards."""
    engine = EngineHere(kind, settings)
    try:
        yield engine
    finally:
        engine.let_go()


def shard(folder: Path, **changed: object) -> ShardSettings:
    """Settings with small segments."""
    small = {"segment_bytes": 1 << 20, "block_bytes": 4096}
    return ShardSettings(folder=folder, sessions=folder / "sessions.json", **{**small, **changed})  # type: ignore[arg-type]
