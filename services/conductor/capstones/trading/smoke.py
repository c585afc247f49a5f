"""`python -m conductor.capstones.trading.smoke --api URL`: are orders taken, journaled and applied to the positions here?

Runs inside a cluster as well as beside a laptop. Opens the market, places orders by REST, one account buying and one selling, asks for each
by its client id, and waits until the positions in the database are as far as the journal. CUSTOMER_TOKEN, OPERATOR_TOKEN and APPROVER_TOKEN
are bearer tokens. The last line is JSON: `{"orders", "executed", "errors", "seconds", "applied_to"}`; the exit status is 0 when there was
no error. `executed` counts orders of which a lot was executed at once, `applied_to` is the journal's input that the positions have reached.
"""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from conductor.capstones.trading.api_client import TradingApi
from conductor.capstones.trading.drawn_orders import ACCOUNTS, SYMBOLS
from conductor.capstones.trading.market import REFERENCE_PRICE, open_market
from conductor.errors import ConductorError
from conductor.harness import smoke_program
from conductor.harness.smoke_program import Answers
from conductor.waiting import until

TOKENS = ("customer", "operator", "approver")
LOOK_SECONDS = 0.2


@dataclass
class Smoke:
    """What came of it; `errors` are sentences."""

    orders: int
    executed: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    applied_to: int = 0

    def as_json(self) -> str:
        """The last line."""
        return json.dumps({**asdict(self), "errors": len(self.errors), "seconds": round(self.seconds, 1)})


def smoke(access: Answers, *, orders: int, within_seconds: float) -> Smoke:
    """Place so many orders; every refusal, every order that is not known afterwards, and positions that stay behind are errors."""
    began = time.monotonic()
    found = Smoke(orders)
    with TradingApi.of(access) as client:
        for number in range(orders):
            _place(client, number, found)
    with TradingApi.of(access, "operator") as operator:
        goal = max(operator.book(symbol)["sequence"] for symbol in SYMBOLS) if orders else 0

        def applied() -> bool:
            found.applied_to = max((one["sequence"] for one in operator.positions(None)["applied"]), default=0)
            return found.applied_to >= goal

        left = began + within_seconds - time.monotonic()
        if not until(applied, within_seconds=left, every_seconds=LOOK_SECONDS):
            found.errors.append(f"the positions are at input {found.applied_to}, the journal at {goal}")
    found.seconds = time.monotonic() - began
    return found


def _place(client: TradingApi, number: int, found: Smoke) -> None:
    # Ids rise from request to request, whoever of this client asks.
    client_id = time.time_ns() // 1000
    order = {
        "client_id": client_id,
        "account": ACCOUNTS[number % 2],
        "symbol": SYMBOLS[number // 2 % len(SYMBOLS)],
        "side": ("buy", "sell")[number % 2],
        "price": REFERENCE_PRICE,
        "quantity": 1,
    }
    try:
        told = client.place(order)
        found.executed += any(one["outcome"] == "executed" for one in told["outcomes"])
        if client.status(client_id)["state"] == "not_taken":
            found.errors.append(f"order {client_id} was acknowledged, and is told to be not_taken")
    except ConductorError as error:
        found.errors.append(f"order {client_id} was not taken: {error}")


def _opened_and_tried(address: str, tokens: Mapping[str, str], orders: int, within_seconds: float) -> Smoke:
    access = Answers(address, tokens)
    open_market(access)
    return smoke(access, orders=orders, within_seconds=within_seconds)


if __name__ == "__main__":
    sys.exit(
        smoke_program.main(
            sys.argv[1:],
            capstone="trading",
            description="Are orders taken, journaled and applied?",
            tokens=TOKENS,
            smoke=_opened_and_tried,
            outcome=Smoke,
        )
    )
