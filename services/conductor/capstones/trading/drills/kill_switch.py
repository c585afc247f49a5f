"""Kill switches under load: from a sequence number on nothing of an account, of a symbol, or of all is taken.

That the journal has nothing that a switch stands against, and that resting orders were kept or cancelled as it was asked, is a part of
every verdict: see conductor.capstones.trading.rule_check.
"""

from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.workload import TradingWorkload
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession

ROUNDS = 5
TURNS = (("account", "1", "keep"), ("account", "2", "cancel"), ("symbol", "AAPL", "keep"), ("symbol", "FB", "cancel"))
ALL = (("all", "0", "keep"), ("all", "0", "cancel"))
REFUSALS = 20


def play(session: LaptopSession) -> None:
    """Turn each switch under load, wait until orders are refused by it, and turn it off again."""
    with session.load() as workload, TradingApi.of(session.access, "operator") as operator:
        assert isinstance(workload, TradingWorkload)
        for _ in range(ROUNDS if session.size.large else 1):
            for turn in (*TURNS, *ALL):
                _turn(session, workload, operator, turn)


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


def _await_refusals(session: LaptopSession, workload: TradingWorkload, rule: str) -> None:
    before = workload.refused_by(rule)
    session.wait_for(
        lambda: workload.refused_by(rule) >= before + REFUSALS, f"{REFUSALS} orders to be refused by {rule}"
    )


DRILL = Drill("kill-switch", "turns every kill switch under load", on_laptop=play, requests=20_000)
