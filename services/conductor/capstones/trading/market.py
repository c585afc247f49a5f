"""Opens the market of a platform: symbols, reference prices, and limits for the accounts of the load. Again changes nothing."""

from functools import partial

from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.drawn_orders import ACCOUNTS, SYMBOLS
from conductor.harness.load import AWAY, insist
from conductor.runtime import Reach

AGAIN = (*AWAY, 504)
"""What the engine perhaps did before it was replaced may be done again here."""
REFERENCE_PRICE = "100.00"
LIMITS = {
    "max_position": 10**9,
    "max_daily_quantity": 10**12,
    "max_quantity": 1_000_000,
    "max_notional_minor": 10**12,
    "max_rate": 1_000_000,
}
"""Of the accounts of a load, which are to find limits of the system and none of theirs."""


def open_market(access: Reach) -> None:
    """List and open every symbol; give the accounts their limits by two persons."""
    with TradingApi.of(access, "operator") as operator, TradingApi.of(access, "approver") as approver:
        for symbol in SYMBOLS:
            insist(partial(operator.list_symbol, symbol, REFERENCE_PRICE), again=AGAIN)
        for account in ACCOUNTS:
            insist(partial(_limit, operator, approver, account, LIMITS), again=AGAIN)


def limit(access: Reach, account: int, **changed: int) -> None:
    """Give an account its limits: those of a load but for some."""
    with TradingApi.of(access, "operator") as operator, TradingApi.of(access, "approver") as approver:
        insist(partial(_limit, operator, approver, account, {**LIMITS, **changed}), again=AGAIN)


def _limit(operator: TradingApi, approver: TradingApi, account: int, limits: dict[str, int]) -> None:
    """Both steps, since a proposal that was perhaps approved cannot be approved again."""
    approver.approve_limits(account, operator.propose_limits(account, limits))
