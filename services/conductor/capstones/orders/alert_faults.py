"""The faults of a watched platform that only the orders can have, with the alerts that they must raise."""

import contextlib
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from conductor.capstones.orders import purchases
from conductor.capstones.orders.api_client import OrdersApi
from conductor.errors import DrillFailed
from conductor.harness import alert_faults, dependency_faults
from conductor.harness.alert_plays import Expected, Play
from conductor.harness.background import in_background
from conductor.harness.outbox_state import OutboxState
from conductor.laptop import signalling
from conductor.laptop.runtime import LocalRuntime
from conductor.waiting import until

PAYMENTS = "payments"
STEP_SECONDS = 60.0

BURNING = Expected("ErrorBudgetBurn", 0, 75, resolving_seconds=300)
"""An order counts 30 s after its acceptance, and a seventh of those of nine minutes, or nine seconds, have to."""

KILLS = 4
"""One more than the alert asks for, and one fewer than the starts after which a command is parked."""


def plays(runtime: LocalRuntime) -> Sequence[Play]:
    """Relay and workers that stand still, outside programs that fail."""
    return (
        Play("relay under SIGSTOP", partial(alert_faults.standing_still, "relay"), (Expected("OutboxLag", 30),)),
        Play("payments under SIGSTOP", partial(alert_faults.standing_still, PAYMENTS), (Expected("QueueStalled", 60),)),
        Play("children of payments killed in a charge", charges_killed, (Expected("WorkersCrashLooping", 0, 30),)),
        Play("a refund that fails", refund_fails, (Expected("NeedsAttention", 0, 30),)),
        Play(
            "payment provider out",
            payments_out,
            (Expected("OutsideFailing", 60), Expected("SagaStuck", 900, resolving_seconds=240), BURNING),
        ),
    )


@contextmanager
def charges_killed(runtime: LocalRuntime) -> Iterator[None]:
    """Processes that die while they wait for the payment provider."""
    queues = runtime.pools()[PAYMENTS].queues

    def kill(over: threading.Event) -> None:
        killed: set[int] = set()
        with contextlib.closing(OutboxState(runtime)) as outbox:
            while len(killed) < KILLS and not over.wait(0.25):
                # One that was killed may still be listed, and the database may not have noticed its end.
                living = {pid for tree in runtime.trees(PAYMENTS) for pid in tree.children} - killed
                charging = [pid for pid in living if outbox.held_by(runtime.ports([pid]), queues)]
                for pid in charging[: KILLS - len(killed)]:
                    signalling.send(pid, signal.SIGKILL)
                    killed.add(pid)

    with dependency_faults.outage(runtime, "payments", {"mode": "hang"}), in_background(kill):
        yield


@contextmanager
def payments_out(runtime: LocalRuntime) -> Iterator[None]:
    """A payment provider that refuses every call."""
    with dependency_faults.outage(runtime, "payments", {"mode": "refuse"}):
        yield


@contextmanager
def refund_fails(runtime: LocalRuntime) -> Iterator[None]:
    """An order that is paid and cancelled, and whose money cannot be given back."""
    with OrdersApi.of(runtime) as api:
        order_id = str(api.place(secrets.token_hex(8), _wish())["order_id"])
        broken: Mapping[str, Any] = {"rate": {"server_error": 1.0}, "orders": [order_id]}
        with dependency_faults.faults(runtime, "carrier", broken):
            _until(lambda: api.show(order_id)["state"] == "paid", f"the order {order_id} to be paid")
            with dependency_faults.faults(runtime, "payments", broken):
                api.cancel(order_id)
                yield
        _until(lambda: api.show(order_id)["state"] == "cancelled", f"the order {order_id} to be cancelled")


def _wish() -> Mapping[str, Any]:
    return purchases.purchase(f"refund-{secrets.token_hex(4)}", sku="CLOCK", quantity=1, card="tok_ok").body


def _until(condition: Any, what: str) -> None:
    if not until(condition, within_seconds=STEP_SECONDS):
        raise DrillFailed(f"waited {STEP_SECONDS:g} s in vain for {what}")
