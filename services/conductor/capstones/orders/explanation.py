"""Why an order waits, since when, and what is next: put together from its own record, its open commands, and what is known of the outside.

Pure. Times are UTC datetimes; `now` is an argument.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FINAL = ("delivered", "cancelled", "failed")

SERVER_OF = {
    "take_payment": "payments",
    "ask_payment": "payments",
    "refund_payment": "payments",
    "buy_label": "carrier",
    "hand_over": "carrier",
    "void_label": "carrier",
    "send_mail": "mail",
}
"""Which server of the outside a task needs; the rest needs our database only."""

DOES = {
    "reserve_stock": "its goods are to be reserved",
    "take_payment": "its payment is to be taken",
    "ask_payment": "the provider is asked what became of its payment",
    "buy_label": "its shipping label is to be bought",
    "hand_over": "its parcel is to be handed to the carrier",
    "void_label": "its label is to be voided",
    "refund_payment": "its payment is to be refunded",
    "release_stock": "its goods are to be freed",
    "send_mail": "a mail is to be sent",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`faults` is GET /admin/faults by server, `circuits` the seconds that an open circuit breaker still refuses, by server."""

    faults: Mapping[str, Mapping[str, Any]]
    circuits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`why` are sentences, the most telling first; `since` is when what it waits for began."""

    order_id: str
    state: str
    why: tuple[str, ...]
    since: datetime
    next: str


def explain(
    order: Mapping[str, Any], timeline: Sequence[Mapping[str, Any]], around: Surroundings, now: datetime
) -> Explanation:
    """From GET /orders/{id} as an operator sees it, and its timeline, oldest first."""
    waiting = sorted(order["waiting"], key=lambda command: _name(command) == "send_mail")
    since = _moment(timeline[-1]["at"]) if timeline else _moment(order["updated_at"])
    if not waiting:
        idle, after = _idle(order)
        return Explanation(order["order_id"], order["state"], idle, since, after)
    first = waiting[0]
    why = [*_command(first, now), *_outside(_name(first), around)]
    if order["stopping"]:
        why.append(f"it turns back: {order['reason'] or order['stopping']}")
    if order["needs_attention"]:
        why.append(f"it needs attention: {order['needs_attention']}")
    why += [f"besides, {DOES['send_mail']} ({_words(command, now)})" for command in waiting[1:]]
    return Explanation(
        order["order_id"], order["state"], tuple(why), _moment(first["since"]), _next(first, around, now)
    )


def _idle(order: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    if order["state"] in FINAL:
        reason = f": {order['reason']}" if order["reason"] else ""
        return (f"it waits for nothing: it is {order['state']}{reason}",), "nothing"
    if order["facts"]["parcel"] == "handed_over":
        return (
            "the carrier has the parcel and has not said that it is delivered",
        ), "delivered, when the carrier calls back"
    step = order["open_step"]
    why = f"its step {step} is open and no command for it is: rows were lost" if step else "no step is open"
    return (why,), "orders.reconcile writes the missing command, at the latest a minute after its last change"


def _command(command: Mapping[str, Any], now: datetime) -> list[str]:
    return [f"{DOES.get(_name(command), _name(command))}: {_words(command, now)}"]


def _words(command: Mapping[str, Any], now: datetime) -> str:
    tries = (
        f"it failed {_times(command['failures'])}, last with “{command['last_error']}”" if command["failures"] else ""
    )
    if command["state"] == "parked":
        return f"{command['task']} was parked ({command['last_error']})"
    if command["attempts"] > 1:
        dead = f"{_times(command['attempts'] - 1)} a worker died at it"
        return f"{dead}, and it is started again or soon will be" + (f"; {tries}" if tries else "")
    if command["attempts"] == 1:
        return "a worker is at it" + (f"; {tries}" if tries else "")
    due = _moment(command["due_at"])
    if tries:
        return tries
    return "it was published and waits for a free worker" if due > now else "it is about to be published"


def _outside(task: str, around: Surroundings) -> list[str]:
    server = SERVER_OF.get(task)
    if server is None:
        return []
    told = []
    if left := around.circuits.get(server):
        told.append(f"the circuit to {server} is open: it did not answer, and is left alone for {left:.1f} s more")
    faults = around.faults.get(server, {})
    if faults.get("outage"):
        told.append(f"{server} has an outage for {faults['outage_ends_in_seconds']:.0f} s more")
    if plan := faults.get("plan"):
        rates = ", ".join(f"{kind} {share:.0%}" for kind, share in plan["rate"].items())
        told.append(f"{server} has faults for {faults['ends_in_seconds']:.0f} s more: {rates}")
    return told


def _next(command: Mapping[str, Any], around: Surroundings, now: datetime) -> str:
    name = _name(command)
    if command["state"] == "parked":
        return "a person decides: capstone parked list, then replay or drop"
    left = (_moment(command["due_at"]) - now).total_seconds()
    if command["attempts"] == 0 and command["failures"] and left > 0:
        return f"{command['task']} is tried again in {left:.1f} s"
    if command["attempts"] or left > 0:
        return f"the outcome of {name}; without one, it is published again in {max(left, 0):.1f} s"
    return f"{command['task']} is published now"


def _name(command: Mapping[str, Any]) -> str:
    return str(command["task"]).partition(".")[2]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
