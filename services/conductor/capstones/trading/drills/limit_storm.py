"""Many orders that break a limit among good ones: none is taken, each refusal names rule and numbers, and the good ones do not wait longer.

That the journal has no order that was taken against a limit, and that clients were told the rule and the numbers which it has, is a part of
every verdict: see conductor.capstones.trading.rule_check.
"""

from conductor.capstones.trading import promises
from conductor.capstones.trading.drawn_orders import ACCOUNTS, DAILY_QUANTITY, POSITION, RATE, SIZE
from conductor.capstones.trading.market import limit
from conductor.harness.drill import Drill
from conductor.harness.session import Session

RULES = ("POSITION", "DAILY_QUANTITY", "RATE", "SIZE", "NOTIONAL", "COLLAR_LOW", "COLLAR_HIGH")
LEAST_REFUSALS = 3
"""By each rule, in a small drill."""
STALLED_SECONDS, TIMES_SLOWER = 0.25, 5.0
"""The good orders' p99 in a storm is at most the first, or so many times what it was before."""


def play(session: Session) -> None:
    """Tighten limits by two persons, send good orders alone and then as many beside a storm, and compare how long their answers took."""
    limit(session.reach, POSITION, max_position=20)
    limit(session.reach, DAILY_QUANTITY, max_daily_quantity=100)
    limit(session.reach, RATE, max_rate=3)
    limit(session.reach, SIZE, max_quantity=100, max_notional_minor=500_000)
    phase = session.size.requests // 4
    with session.load():
        session.await_progress(phase)
        began = session.now()
        with session.steered("storm"):
            session.await_progress(phase)
            least = max(LEAST_REFUSALS, session.size.requests // 500)
            session.wait_for(
                lambda: _fewest(session) >= least,
                lambda: f"{least} refusals by each limit, there are {dict(session.counted())}",
            )
        ended = session.now()
        counted = session.counted()
    session.reporter.tell(", ".join(f"{counted[rule]} {rule}" for rule in RULES))
    with session.history() as path:
        told = promises.read([path])
    calm = _seconds(told, 0.0, began)
    storm = _seconds(told, began, ended)
    session.reporter.tell(f"good orders alone:    {_said(calm)}")
    session.reporter.tell(f"good orders in storm: {_said(storm)}")
    session.expect(
        _at(storm, 0.99) <= max(STALLED_SECONDS, TIMES_SLOWER * _at(calm, 0.99)),
        f"good orders waited for those that were refused: {_said(storm)}; alone {_said(calm)}",
    )


def _fewest(session: Session) -> int:
    """Refusals by the limit that refused least."""
    counted = session.counted()
    return min(counted[rule] for rule in RULES)


def _seconds(told: promises.Told, after: float, before: float) -> list[float]:
    """How long each order of the load that was sent meanwhile waited for its acknowledgement, shortest first."""
    return sorted(
        told.acknowledged[name].at - intent.at
        for name, intent in told.intents.items()
        if intent.account in ACCOUNTS and after <= intent.at < before and name in told.acknowledged
    )


def _at(seconds: list[float], share: float) -> float:
    return seconds[min(int(len(seconds) * share), len(seconds) - 1)]


def _said(seconds: list[float]) -> str:
    return f"{len(seconds)} orders, p50 {1000 * _at(seconds, 0.5):.1f} ms, p99 {1000 * _at(seconds, 0.99):.1f} ms"


DRILL = Drill("limit-storm", "mixes orders that break every limit with good ones", play, requests=10_000)
