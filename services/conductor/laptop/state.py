"""What must be the same when the platform starts again: ports, passwords, tokens; and which run it is.

Kept in .run/state.json (mode 0600), written whole and renamed, so a reader never sees half of it.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conductor.errors import NotRunning, StateUnreadable
from conductor.pools import Broker


class Tokens(BaseModel):
    """Bearer tokens of the API."""

    operator: str
    customer: str


class Passwords(BaseModel):
    """Each server's own; hex, so they need no quoting anywhere."""

    postgres_admin: str
    postgres: str
    valkey: str
    rabbitmq: str
    erlang_cookie: str
    supervisor: str
    callbacks: str = Field(default_factory=lambda: secrets.token_hex(16))
    """What outside programs sign their callbacks with."""
    outside_admin: str = Field(default_factory=lambda: secrets.token_hex(16))
    """Opens ledgers, mails and faults of the outside programs. A state that is older gets one, which the next start keeps."""


class State(BaseModel):
    """One platform. `external_broker` is the BROKER_URL that was given, `settings` what `up --set` added."""

    model_config = ConfigDict(extra="forbid")

    run_id: str
    broker: Broker
    external_broker: str | None = None
    ports: dict[str, int] = {}
    passwords: Passwords
    tokens: Tokens
    settings: dict[str, str] = {}
    supervisor_pid: int | None = None

    @classmethod
    def fresh(cls, broker: Broker) -> Self:
        """A platform that never ran, with passwords of its own."""
        passwords = {name: secrets.token_hex(16) for name in Passwords.model_fields}
        tokens = {name: f"{name}-{secrets.token_hex(12)}" for name in Tokens.model_fields}
        return cls(
            run_id=secrets.token_hex(8), broker=broker, passwords=Passwords(**passwords), tokens=Tokens(**tokens)
        )


def load(path: Path) -> State | None:
    """The state, or None when the platform never ran here. StateUnreadable when the file cannot be understood."""
    try:
        return State.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise StateUnreadable(
            f"{path} is damaged, or another version wrote it ({where}{first['msg']}). It holds the passwords of the data "
            f"in {path.parent / 'data'}: put it back from a copy, or begin anew with `make clean`, which removes that data"
        ) from None


def loaded(path: Path) -> State:
    """The state; NotRunning when the platform never ran here."""
    state = load(path)
    if state is None:
        raise NotRunning("nothing is running here: start it with `make up`")
    return state


def save(state: State, path: Path) -> None:
    """Write it, readable by its owner only."""
    write_private(path, state.model_dump_json(indent=2) + "\n", durable=True)


def write_private(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a file at once with one that only its owner reads; `durable` when it must outlive a loss of power."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)


def write_tokens(state: State, path: Path) -> None:
    """The file that the API reads its bearer tokens from."""
    who = {state.tokens.operator: {"role": "operator"}, state.tokens.customer: {"customer": "c-1"}}
    write_private(path, json.dumps(who, indent=2) + "\n")
