"""The trading service's HTTP API as the conductor's commands and drills use it."""

from typing import Any, Self

from conductor.harness.json_api import JsonApi
from conductor.runtime import Reach


class TradingApi(JsonApi):
    """Places orders with a client's token, or runs the venue with an operator's."""

    @classmethod
    def of(cls, access: Reach, token: str = "customer") -> Self:
        """A client of a running platform; `token` is customer, operator or approver."""
        return cls(access.addresses()["api"], access.tokens()[token])

    def place(self, order: dict[str, Any]) -> dict[str, Any]:
        """Place an order."""
        return self.json("POST", "/orders", json=order)

    def cancel(self, target: int, client_id: int) -> dict[str, Any]:
        """Cancel an order."""
        return self.json("DELETE", f"/orders/{target}", params={"client_id": client_id})

    def status(self, client_id: int) -> dict[str, Any]:
        """What became of a client id."""
        return self.json("GET", f"/orders/{client_id}")

    def book(self, symbol: str) -> dict[str, Any]:
        """The best prices of a symbol."""
        return self.json("GET", f"/books/{symbol}")

    def positions(self, account: int | None) -> dict[str, Any]:
        """Positions with profit and loss; of all accounts that the token may see, or of one."""
        return self.json("GET", "/positions", params={} if account is None else {"account": account})

    def candles(self, symbol: str, span: str, limit: int) -> dict[str, Any]:
        """The last candles of a symbol; `span` is minute or day."""
        return self.json("GET", f"/candles/{symbol}", params={"span": span, "limit": limit})

    def list_symbol(self, symbol: str, price: str) -> None:
        """List a symbol, if it is not, around a price, and open it."""
        self.json("PUT", f"/symbols/{symbol}")
        self.json("PUT", f"/symbols/{symbol}/reference", json={"price": price})
        self.json("PUT", f"/symbols/{symbol}/phase", json={"phase": "continuous"})

    def propose_limits(self, account: int, limits: dict[str, int]) -> int:
        """Propose limits of an account. Returns the number by which another person approves them."""
        return int(self.json("POST", f"/accounts/{account}/limits", json=limits)["proposal"])

    def approve_limits(self, account: int, proposal: int) -> None:
        """Approve limits."""
        self.json("PUT", f"/accounts/{account}/limits/{proposal}")

    def kill(self, scope: str, target: str, switch: str) -> dict[str, Any]:
        """Turn a kill switch."""
        return self.json("POST", "/kill-switch", json={"scope": scope, "target": target, "switch": switch})
