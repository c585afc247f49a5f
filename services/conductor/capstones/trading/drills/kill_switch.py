"""Kill switches under load: from a sequence number on nothing of an account, of a symbol, of all is taken, also when every queue is full.

That the journal has nothing that a switch stands against, and that resting orders were kept or cancelled as it was asked, is a part of
every verdict: see conductor.capstones.trading.rule_check.
"""

import contextlib
import signal
from collections.abc import Iterator

from conductor.capstones.trading import ENGINE
from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.door import ANSWER_SECONDS, DoorClient
from conductor.harness.drill import Drill
from conductor.harness.load import insist
from conductor.harness.session import Session

ROUNDS = 5
TURNS = (("account", "1", "keep"), ("account", "2", "cancel"), ("symbol", "AAPL", "keep"), ("symbol", "FB", "cancel"))
ALL = (("all", "0", "keep"), ("all", "0", "cancel"))
REFUSALS = 20
FULL = "BUSY"
KILL, SCOPE_ALL, SWITCH_CANCEL = 7, 1, 2
"""Of an input by the door."""
QUESTIONS = 400
"""More than the ring keeps for what is urgent."""
FULL_SECONDS = 180.0
"""Within which the load has to fill the ring. On a busy machine it takes minutes."""
PATIENT = {"SILENT_SECONDS": f"{FULL_SECONDS + 3 * ANSWER_SECONDS:.0f}"}
"""An owner that does not replace an engine that stands still until the ring is full and both connections were answered."""


def play(session: Session) -> None:
    """Turn each switch under load and off again, then one more while the engine stands still and its ring is full."""
    with session.load(), TradingApi.of(session.reach, "operator") as operator:
        for _ in range(ROUNDS if session.size.large else 1):
            for turn in (*TURNS, *ALL):
                _turn(session, operator, turn)
        with session.changed(ENGINE, PATIENT):
            session.await_progress()
            _full(session, operator)


def _turn(session: Session, operator: TradingApi, turn: tuple[str, str, str]) -> None:
    scope, target, switch = turn
    with session.steered("hurried"):
        in_flight = session.await_loaded()
        number = _switched(operator, scope, target, switch)
        _await_refusals(session, f"{scope.upper()}_KILLED")
    off = _switched(operator, scope, target, "off")
    session.await_progress()
    session.reporter.tell(
        f"{scope} {target}, {switch}: on from input {number}, with {in_flight} orders in flight; off from {off}, and orders are taken"
    )


def _switched(operator: TradingApi, scope: str, target: str, switch: str) -> int:
    """The number of the input that turns a switch so. Asked for again while the engine is away, which changes nothing when it was done."""
    told = insist(lambda: operator.kill(scope, target, switch))
    return int(told["outcomes"][-1]["number"])


def _full(session: Session, operator: TradingApi) -> None:
    """The engine stands still, the ring has no room for orders nor for what clients have urgent, and the switch is taken."""
    with DoorClient(session.reach, "operator") as door, DoorClient(session.reach, "customer") as customer:
        before = session.counted()[FULL]
        with _stopped(session), session.steered("flooding"):
            full = f"an order to be refused as {FULL}"
            session.wait_for(lambda: session.counted()[FULL] > before, full, FULL_SECONDS)
            customer.send(*({"status": 1} for _ in range(QUESTIONS)))
            said = customer.answer()
            session.expect(FULL in str(said.get("error")), f"a ring that was to be full took a question: {said}")
            # The gateway answers for the book alone, and takes the lines of a connection in order: the switch is in the ring then.
            door.send({"input": [KILL, SCOPE_ALL, 0, SWITCH_CANCEL]}, {"book": 1})
            first = door.answer()
            session.expect("error" not in first, f"the switch was not taken by a full ring: {first.get('error')}")
        number = door.answer()["outcomes"][0][4]
        _await_refusals(session, "ALL_KILLED")
    _switched(operator, "all", "0", "off")
    session.await_progress()
    session.reporter.tell(f"all, cancel: taken by a full ring while the engine stood still, on from input {number}")


@contextlib.contextmanager
def _stopped(session: Session) -> Iterator[None]:
    session.signal_child(ENGINE, "trading-engine", signal.SIGSTOP)
    try:
        yield
    finally:
        session.signal_child(ENGINE, "trading-engine", signal.SIGCONT)


def _await_refusals(session: Session, rule: str) -> None:
    before = session.counted()[rule]
    session.wait_for(lambda: session.counted()[rule] >= before + REFUSALS, f"{REFUSALS} orders to be refused by {rule}")


DRILL = Drill("kill-switch", "turns every kill switch under load, and with a full ring", play, requests=20_000)
