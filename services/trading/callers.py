"""Who may come in, from API_TOKENS: clients, which are sessions of the engine, and operators, who are persons. By token.

{"token": {"session": 1, "company": "CLIENT1", "accounts": [1, 2]}, "another": {"person": 1}}
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.domain.terms import MAX_ID

COMPANY = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Client:
    """A client: its session in the engine, its name in FIX, the accounts that it may trade for."""

    session: int
    company: str
    accounts: frozenset[int]
    cancel_on_disconnect: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who runs the venue. Limits are changed by two of them."""

    person: int


Caller = Client | Operator


def caller(entry: Mapping[str, Any]) -> Caller:
    """The caller of a token's entry. Raises ValueError."""
    match entry:
        case {"person": int(person), **rest} if not rest and 0 < person <= MAX_ID:
            return Operator(person)
        case {"session": int(session), "company": str(company), "accounts": [*accounts], **rest} if (
            0 < session <= MAX_ID
            and COMPANY.fullmatch(company)
            and all(type(one) is int and 0 < one <= MAX_ID for one in accounts)
            and rest.keys() <= {"cancel_on_disconnect"}
            and type(rest.get("cancel_on_disconnect", False)) is bool
        ):
            return Client(session, company, frozenset(accounts), rest.get("cancel_on_disconnect", False))
    raise ValueError("neither a client (session, company, accounts) nor an operator (person)")


def callers(tokens: str) -> dict[str, Caller]:
    """All callers by token. Raises ValueError."""
    entries = json.loads(tokens or "{}")
    return {token: caller(entry) for token, entry in entries.items()}
