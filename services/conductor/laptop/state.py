"""What must be the same when the platform starts again: capstones, ports, passwords, tokens; and which run it is.

Kept in .run/state.json (mode 0600), written whole and renamed, so a reader never sees half of it.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from conductor.errors import NotRunning, Refused, StateUnreadable
from conductor.pools import Broker
from conductor.run_directory import FIRST


class Tokens(BaseModel):
    """Bearer tokens of a capstone's API. No API takes those of another."""

    operator: str = Field(default_factory=lambda: f"operator-{secrets.token_hex(12)}")
    customer: str = Field(default_factory=lambda: f"customer-{secrets.token_hex(12)}")
    approver: str = Field(default_factory=lambda: f"approver-{secrets.token_hex(12)}")
    """A second person, for what one alone may not do. A state that is older gets one, which the next start keeps."""


class Passwords(BaseModel):
    """Each server's own; hex, so they need no quoting anywhere."""

    postgres_admin: str
    valkey: str
    erlang_cookie: str
    supervisor: str
    callbacks: str = Field(default_factory=lambda: secrets.token_hex(16))
    """What outside programs sign their callbacks with."""
    outside_admin: str = Field(default_factory=lambda: secrets.token_hex(16))
    """Opens ledgers, mails and faults of the outside programs. A state that is older gets one, which the next start keeps."""


class Login(BaseModel):
    """What one capstone has for good: its passwords on the shared servers, its API's tokens, and which databases of Valkey are its.

    Its login, database and vhost have its name. Two databases of Valkey are its: messages are in number 2 × `place` when Valkey is the
    broker, what its processes share is in the next one.
    """

    postgres: str = Field(default_factory=lambda: secrets.token_hex(16))
    rabbitmq: str = Field(default_factory=lambda: secrets.token_hex(16))
    stores: str = Field(default_factory=lambda: secrets.token_hex(16))
    """Of the stores that only it uses. A state that is older gets one, which the next start keeps."""
    tokens: Tokens = Field(default_factory=Tokens)
    place: int


class Ports(dict[str, int]):
    """Ports by name. Refused for one that is not known: an earlier version, which did not need it, started what runs."""

    def __missing__(self, name: str) -> int:
        raise Refused(
            f'no port is known of "{name}": what runs here was started by an earlier version, which had none. `make down`, then `make up`'
        )


class State(BaseModel):
    """One platform. `external_broker` is the BROKER_URL that was given, `settings` what `up --set` added.

    `logins` are those of every capstone that ever ran here, by its name; `capstones` are those that run, or ran when all was stopped.
    `earlier` says that a version wrote it which knew one capstone only: see lifecycle.
    """

    model_config = ConfigDict(extra="forbid")

    run_id: str
    capstones: list[str]
    logins: dict[str, Login]
    earlier: bool = Field(default=False, exclude=True)
    broker: Broker
    external_broker: str | None = None
    ports: Annotated[dict[str, int], AfterValidator(Ports)] = Field(default_factory=Ports)
    passwords: Passwords
    settings: dict[str, str] = {}
    observe: bool = False
    """Whether spans are kept; see trace_store."""
    supervisor_pid: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_shared_tokens(cls, told: Any) -> Any:
        """Gives the first capstone the tokens of a state in which all had the same; the others get new ones."""
        if not isinstance(told, dict) or "tokens" not in told:
            return told
        kept = {name: value for name, value in told.items() if name != "tokens"}
        logins = kept.get("logins")
        if isinstance(logins, dict) and isinstance(logins.get(FIRST), dict):
            kept["logins"] = {**logins, FIRST: {"tokens": told["tokens"], **logins[FIRST]}}
        return kept

    # The validator that is defined last runs first.
    @model_validator(mode="before")
    @classmethod
    def _of_one_capstone(cls, told: Any) -> Any:
        """Names the capstone of a state in which only one could be, and was not named."""
        passwords = told.get("passwords") if isinstance(told, dict) else None
        if not isinstance(passwords, dict) or "capstones" in told or not {"postgres", "rabbitmq"} <= passwords.keys():
            return told
        login = {"postgres": passwords["postgres"], "rabbitmq": passwords["rabbitmq"], "place": 0}
        ports = dict(told.get("ports") or {})
        if "api" in ports:
            ports[api_port(FIRST)] = ports.pop("api")
        kept = {name: word for name, word in passwords.items() if name not in ("postgres", "rabbitmq")}
        one = {"capstones": [FIRST], "logins": {FIRST: login}, "earlier": True}
        return {**told, **one, "ports": ports, "passwords": kept}

    @classmethod
    def fresh(cls, broker: Broker, *capstones: str) -> Self:
        """A platform that never ran, with passwords of its own and these capstones, or the first one."""
        passwords = {name: secrets.token_hex(16) for name in Passwords.model_fields}
        empty = cls(
            run_id=secrets.token_hex(8),
            capstones=[],
            logins={},
            broker=broker,
            passwords=Passwords(**passwords),
        )
        return empty.running(*(capstones or (FIRST,)))

    def running(self, *capstones: str) -> Self:
        """The same with these capstones, each once; one that never ran gets a login."""
        logins = dict(self.logins)
        for name in capstones:
            place = max((login.place for login in logins.values()), default=-1) + 1
            logins.setdefault(name, Login(place=place))
        return self.model_copy(update={"capstones": list(dict.fromkeys(capstones)), "logins": logins})

    def ports_of(self, capstone: str) -> Mapping[str, int]:
        """The ports as this capstone sees them: `api` is its own."""
        own = api_port(capstone)
        return Ports({**self.ports, **({"api": self.ports[own]} if own in self.ports else {})})


def api_port(capstone: str) -> str:
    """The name of the port of a capstone's API."""
    return f"{capstone}.api"


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
    """The state; NotRunning when the platform never ran here, or an earlier version started it."""
    state = load(path)
    if state is None:
        raise NotRunning("nothing is running here: start it with `make up`")
    if state.earlier:
        raise NotRunning(
            f"an earlier version started what is in {path.parent}: `make up` ends what runs of it and goes on with its data, "
            "`make down` only ends it"
        )
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


def callers(tokens: Tokens, who: Mapping[str, Mapping[str, Any]]) -> str:
    """The tokens of an API as JSON: who the bearer of each is. `who` has that by the tokens' names."""
    return json.dumps({getattr(tokens, name): dict(caller) for name, caller in who.items()})
