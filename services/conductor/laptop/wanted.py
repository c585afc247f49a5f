"""What a platform is to be: what is asked for, the state that follows from it, and the ports that it needs. Nothing is started here."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from conductor.capstone import load
from conductor.errors import Refused
from conductor.laptop import observability, outside
from conductor.laptop.platform import Platform
from conductor.laptop.ports import API, OF_RABBITMQ, TRACES, USUAL
from conductor.laptop.servers import rabbitmq
from conductor.laptop.state import State, api_port
from conductor.pools import Broker
from conductor.run_directory import FIRST


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller asked for; `broker` None means whichever there is, no `capstones` those that ran last, or the first one."""

    broker: Broker | None = None
    settings: Mapping[str, str] | None = None
    external_broker: str | None = None
    capstones: Sequence[str] = ()
    observe: bool | None = None
    """Whether spans are kept; None is as it was."""


def wanted(
    broker: str | None, settings: Mapping[str, str], names: Iterable[str] = (), *, observe: bool | None = None
) -> Wanted:
    """From the command line and BROKER_URL; Refused when they contradict each other. There are capstones of these names."""
    url = os.environ.get("BROKER_URL")
    if broker is not None and broker not in get_args(Broker):
        raise Refused(f'--broker "{broker}": there are {" and ".join(get_args(Broker))}')
    of_url = _broker_of(url) if url else None
    if broker and of_url and broker != of_url:
        raise Refused(f"--broker {broker} contradicts BROKER_URL, which names a {of_url}")
    chosen: Broker | None = of_url or ("rabbitmq" if broker == "rabbitmq" else "valkey" if broker else None)
    return Wanted(chosen, settings or None, url, tuple(names), observe)


def _broker_of(url: str) -> Broker:
    scheme = url.partition("://")[0]
    if scheme in ("amqp", "amqps"):
        return "rabbitmq"
    if scheme in ("redis", "rediss"):
        return "valkey"
    raise Refused(f'BROKER_URL begins with "{scheme}://": amqp:// and redis:// are understood')


def with_capstones(own: State, names: Sequence[str]) -> dict[str, object]:
    """What changes in a state when these are added."""
    more = own.running(*own.capstones, *names)
    refuse_together(more)
    return {"capstones": more.capstones, "logins": more.logins}


def refuse_together(own: State) -> None:
    """Refused when these capstones cannot run beside each other."""
    if own.external_broker and len(own.capstones) > 1:
        raise Refused(f"BROKER_URL names one vhost, and {', '.join(own.capstones)} need one each: run one of them")
    owners: dict[str, str] = {}
    for name in own.capstones:
        for port in outside.ports(load(name)):
            if owners.setdefault(port, name) != name:
                raise Refused(f"{owners[port]} and {name} both bring an outside program named {port}: run one of them")


def next_state(found: State | None, want: Wanted, names: Sequence[str]) -> State:
    """The state of a platform with these capstones that is to be started; `found` is its last one. Refused: see refuse_together."""
    broker: Broker = want.broker or ("rabbitmq" if rabbitmq.installed() else "valkey")
    base = found or State.fresh(broker, *(names or (FIRST,)))
    fresh = base.running(*(names or base.capstones)).model_copy(
        update={
            "broker": broker,
            "external_broker": want.external_broker,
            "settings": dict(want.settings or {}),
            "observe": base.observe if want.observe is None else want.observe,
            "supervisor_pid": None,
            "earlier": False,
        }
    )
    refuse_together(fresh)
    return fresh


def needed_ports(platform: Platform) -> dict[str, int]:
    """The ports that the platform needs, each with the one to try first."""
    own = platform.state
    ours = own.broker == "rabbitmq" and own.external_broker is None
    servers = {name: port for name, port in USUAL.items() if ours or name not in OF_RABBITMQ}
    needed = {**servers, **({"traces": TRACES, **observability.ports(platform)} if own.observe else {})}
    for one in platform.every:
        needed |= {api_port(one.name): API, **outside.ports(one.capstone)}
        for store in one.capstone.stores:
            needed |= store.ports(own.settings)
        needed |= one.capstone.ports
    return needed
