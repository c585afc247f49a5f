"""Who may come in, from API_TOKENS: clients, which are sessions of the engine, and operators, who are persons. By token.

{"token": {"session": 1, "company": "CLIENT1", "accounts": [1, 2]}, "another": {"person": 1}}
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading.domain.terms import MAX_ID
from trading.settings import Instrument

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


def write_directory(path: Path, company: str, symbols: Mapping[str, Instrument], who: Mapping[str, Caller]) -> None:
    """Write what the gateway reads at its start (see fix/directory.py); only the owner of the file may read it."""
    clients = {
        one.company: {
            "id": one.session,
            "password_sha256": _digest(token),
            "accounts": sorted(one.accounts),
            "cancel_on_disconnect": one.cancel_on_disconnect,
        }
        for token, one in who.items()
        if isinstance(one, Client)
    }
    operators = {
        str(one.person): {"id": one.person, "token_sha256": _digest(token)}
        for token, one in who.items()
        if isinstance(one, Operator)
    }
    content = {
        "company": company,
        "symbols": {name: {"id": one.id, "tick": one.tick} for name, one in symbols.items()},
        "sessions": clients,
        "operators": operators,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content))
    draft.rename(path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
