"""Who may log on, for which accounts, and the symbols with their ticks: a file of JSON that is read when the gateway starts.

{"company": "VENUE",
 "symbols": {"AAPL": {"id": 1, "tick": "0.01"}},
 "sessions": {"CLIENT1": {"id": 1, "password_sha256": "…", "accounts": [1, 2], "cancel_on_disconnect": true}},
 "operators": {"1": {"id": 1, "token_sha256": "…"}}}
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from trading.domain import tick_size
from trading.domain.terms import MAX_ID


class BadDirectory(ValueError):
    """The file of sessions and symbols cannot be used; names file and value."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """An instrument and its tick."""

    id: int
    name: bytes
    tick: str
    hundredth: str
    """Of a tick: mean prices are told to this."""

    def ticks(self, price: bytes) -> int:
        """A decimal price in ticks; raises BadPrice."""
        return tick_size.ticks(price.decode("ascii", "backslashreplace"), self.tick)

    def price(self, ticks: int) -> bytes:
        """Ticks as a decimal price."""
        return tick_size.written(ticks, self.tick).encode()

    def average(self, value: int, lots: int) -> bytes:
        """The mean price of `lots` whose prices times lots sum to `value`, rounded half up."""
        return tick_size.written((200 * value + lots) // (2 * lots), self.hundredth).encode() if lots else b"0"


def symbol_of(id: int, name: str, tick: str) -> Symbol:
    """A symbol; raises BadPrice when the tick is none, or finer than 7 places."""
    tick_size.ticks(tick, tick)
    hundredth = format(Decimal(tick) / 100, "f")
    tick_size.ticks(hundredth, hundredth)
    return Symbol(id, name.encode(), tick, hundredth)


@dataclass(frozen=True, slots=True)
class Login:
    """A client: its number in the engine, its accounts, and whether its orders leave with its connection."""

    company: bytes
    id: int
    password_sha256: str
    accounts: frozenset[int]
    cancel_on_disconnect: bool

    def knows(self, password: bytes) -> bool:
        """Whether this is the client's password; takes the same time for any."""
        return hmac.compare_digest(hashlib.sha256(password).hexdigest(), self.password_sha256)


@dataclass(frozen=True)
class Directory:
    """All clients and symbols."""

    company: bytes
    symbols: dict[bytes, Symbol]
    logins: dict[bytes, Login]
    operators: dict[str, int] = field(default_factory=dict)
    """Persons by the digest of their token."""

    @cached_property
    def clients(self) -> dict[str, Login]:
        """Clients by the digest of their password, which is their token at other doors than FIX."""
        return {login.password_sha256: login for login in self.logins.values()}

    def __post_init__(self) -> None:
        for what, ids in (
            ("symbols", [one.id for one in self.symbols.values()]),
            ("sessions", [one.id for one in self.logins.values()]),
        ):
            if len(set(ids)) != len(ids) or not all(0 < one <= MAX_ID for one in ids):
                raise BadDirectory(f"{what} have ids of their own from 1 to {MAX_ID}, got {sorted(ids)}")


def read(path: Path) -> Directory:
    """The directory in a file; raises BadDirectory."""
    try:
        content = json.loads(path.read_text())
        symbols = {name.encode(): symbol_of(one["id"], name, one["tick"]) for name, one in content["symbols"].items()}
        logins = {
            name.encode(): Login(
                name.encode(),
                one["id"],
                one["password_sha256"],
                frozenset(one["accounts"]),
                bool(one.get("cancel_on_disconnect", False)),
            )
            for name, one in content["sessions"].items()
        }
        operators = {one["token_sha256"]: one["id"] for one in content.get("operators", {}).values()}
        return Directory(content["company"].encode(), symbols, logins, operators)
    except BadDirectory as error:
        raise BadDirectory(f"{path}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadDirectory(f"{path}: {error!r}") from error
