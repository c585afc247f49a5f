"""Who may log on, for which accounts, and the symbols with their ticks: a file of JSON that is read when the gateway starts.

{"company": "VENUE",
 "symbols": {"AAPL": {"id": 1, "tick": "0.01"}},
 "sessions": {"CLIENT1": {"id": 1, "password_sha256": "…", "accounts": [1, 2], "cancel_on_disconnect": true}}}
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from trading.domain.terms import MAX_ID

MAX_DECIMALS = 8


class BadDirectory(ValueError):
    """The file of sessions and symbols cannot be used; names file and value."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """An instrument. A tick is `units` times 10 to the power of minus `decimals`."""

    id: int
    name: bytes
    units: int
    decimals: int

    def ticks(self, price: bytes) -> int | None:
        """A decimal price in ticks; None when it is no positive number or lies between two ticks."""
        whole, _, fraction = price.partition(b".")
        if not whole.isdigit() or (b"." in price and not fraction.isdigit()) or len(price) > 20:
            return None
        if len(fraction) > self.decimals:
            if fraction[self.decimals :].strip(b"0"):
                return None
            fraction = fraction[: self.decimals]
        units = int(whole + fraction.ljust(self.decimals, b"0"))
        return None if units % self.units else units // self.units

    def price(self, ticks: int) -> bytes:
        """Ticks as a decimal price."""
        units = ticks * self.units
        if not self.decimals:
            return b"%d" % units
        whole, fraction = divmod(units, 10**self.decimals)
        return b"%d.%0*d" % (whole, self.decimals, fraction)

    def average(self, value: int, lots: int) -> bytes:
        """The mean price of `lots` whose prices times lots sum to `value`, to two more decimals, rounded half up."""
        if not lots:
            return b"0"
        decimals = self.decimals + 2
        units = (2 * value * self.units * 100 + lots) // (2 * lots)
        whole, fraction = divmod(units, 10**decimals)
        return b"%d.%0*d" % (whole, decimals, fraction)


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


@dataclass(frozen=True, slots=True)
class Directory:
    """All clients and symbols."""

    company: bytes
    symbols: dict[bytes, Symbol]
    logins: dict[bytes, Login]

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
        symbols = {name.encode(): _symbol(name, one) for name, one in content["symbols"].items()}
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
        return Directory(content["company"].encode(), symbols, logins)
    except BadDirectory as error:
        raise BadDirectory(f"{path}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadDirectory(f"{path}: {error!r}") from error


def _symbol(name: str, one: dict[str, object]) -> Symbol:
    whole, _, fraction = str(one["tick"]).partition(".")
    if not (whole + fraction).isdigit() or not int(whole + fraction) or len(fraction) > MAX_DECIMALS:
        raise BadDirectory(
            f"the tick of {name} is a positive decimal of at most {MAX_DECIMALS} places, got {one['tick']!r}"
        )
    return Symbol(int(str(one["id"])), name.encode(), int(whole + fraction), len(fraction))
