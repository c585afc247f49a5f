"""Writes what the gateway reads at its start (see fix/directory.py) from the settings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from trading.callers import Caller, Client, Operator
from trading.settings import Instrument


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
