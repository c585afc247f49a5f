"""Kill switches under load: from a sequence number on nothing of an account, of a symbol, of all is taken, also when every queue is full.

That the journal has nothing that a switch stands against, and that resting orders were kept or cancelled as it was asked, is a part of
every verdict: see conductor.capstones.trading.rule_check.
"""

import contextlib
import signal
from collections.abc import Iterator

from conductor.capstones.trading import ENGINE
from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.door import DoorClient
from conductor.capstones.trading.workload import TradingWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.laptop import signalling

ROUNDS = 5
TURNS = (("account", "1", "keep"), ("account", "2", "cancel"), ("symbol", "AAPL", "keep"), ("symbol", "FB", "cancel"))
ALL = (("all", "0", "keep"), ("all", "0", "cancel"))
REFUSALS = 20
FULL = "BUSY"
KILL, SCOPE_ALL, SWITCH_CANCEL = 7, 1, 2
"""Of an input by the door."""
WINDOW = 40_000
"""More than the ring between gateway and engine takes."""
QUESTIONS = 400
"""More than it keeps for what is urgent."""


def play(session: LaptopSession) -> None:
    """Turn each switch under load and off again, then one more while the engine stands still and its ring is full."""
    with session.load() as workload, TradingApi.of(session.access, "operator") as operator:
        assert isinstance(workload, TradingWorkload)
        for _ in range(ROUNDS if session.size.large else 1):
            for turn in (*TURNS, *ALL):
                _turn(session, workload, operator, turn)
        _full(session, workload, operator)


def _turn(session: LaptopSession, workload: TradingWorkload, operator: TradingApi, turn: tuple[str, str, str]) -> None:
    scope, target, switch = turn
    with workload.hurried():
        in_flight = session.await_loaded()
        number = operator.kill(scope, target, switch)["outcomes"][-1]["number"]
        _await_refusals(session, workload, f"{scope.upper()}_KILLED")
    off = operator.kill(scope, target, "off")["outcomes"][-1]["number"]
    session.await_progress()
    session.reporter.tell(
        f"{scope} {target}, {switch}: on from input {number}, with {in_flight} orders in flight; off from {off}, and orders are taken"
    )


def _full(session: LaptopSession, workload: TradingWorkload, operator: TradingApi) -> None:
    """The engine stands still, the ring has no room for orders nor for what clients have urgent, and the switch is taken."""
    with DoorClient(session.access, "operator") as door, DoorClient(session.access, "customer") as customer:
        with workload.flooding(WINDOW), _stopped(session):
            session.wait_for(lambda: workload.refusing(FULL) > 0, f"an order to be refused as {FULL}")
            customer.send(*({"status": 1} for _ in range(QUESTIONS)))
            said = customer.answer()
            session.expect(FULL in str(said.get("error")), f"a ring that was to be full took a question: {said}")
            # The gateway answers for the book alone, and takes the lines of a connection in order: the switch is in the ring then.
            door.send({"input": [KILL, SCOPE_ALL, 0, SWITCH_CANCEL]}, {"book": 1})
            first = door.answer()
            session.expect("error" not in first, f"the switch was not taken by a full ring: {first.get('error')}")
        number = door.answer()["outcomes"][0][4]
        _await_refusals(session, workload, "ALL_KILLED")
    operator.kill("all", "0", "off")
    session.await_progress()
    session.reporter.tell(f"all, cancel: taken by a full ring while the engine stood still, on from input {number}")


@contextlib.contextmanager
def _stopped(session: LaptopSession) -> Iterator[None]:
    """The engine stands still, and its owner as well, which would replace it."""
    (tree,) = session.runtime.trees(ENGINE)
    (engine,) = (pid for pid, name in session.children(ENGINE).items() if name == "trading-engine")
    pids = (tree.pid, engine)
    try:
        for pid in pids:
            signalling.send(pid, signal.SIGSTOP)
        session.wait_for(lambda: all(map(signalling.still, pids)), "owner and engine to stand still")
        yield
    finally:
        for pid in reversed(pids):
            signalling.send(pid, signal.SIGCONT)


def _await_refusals(session: LaptopSession, workload: TradingWorkload, rule: str) -> None:
    before = workload.refused_by(rule)
    session.wait_for(
        lambda: workload.refused_by(rule) >= before + REFUSALS, f"{REFUSALS} orders to be refused by {rule}"
    )


DRILL = Drill(
    "kill-switch", "turns every kill switch under load, and with a full ring", on_laptop=play, requests=20_000
)
