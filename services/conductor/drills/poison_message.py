"""Messages nobody can run, and a command that kills who runs it: they are put aside with a reason, and nothing waits behind them."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from conductor.capstones.orders.api_client import OrdersApi
from conductor.harness import dependency_faults, parked, targeted_kill
from conductor.harness.broker_client import BrokerClient, task_headers
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import Stage
from conductor.harness.outbox_state import Held

MAX_ATTEMPTS = 3
TRIES = 10
QUEUE = "orders.fulfilment"
TASK = "orders.buy_label"
NOBODY = 2**62
"""The id of no command: a message about one that somebody is running need not be kept, and is not."""
UNREADABLE: Mapping[str, tuple[str | bytes, Mapping[str, Any]]] = {
    "a body that is no JSON": ("{not json", {}),
    "an empty body": ("", {}),
    "a body of another shape": (json.dumps({"order": 1}), {}),
    "no task in the headers": (json.dumps([[], {"v": 1, "ids": [NOBODY]}, {}]), {"task": None}),
    "a task that does not exist": (json.dumps([[], {"v": 1, "ids": []}, {}]), {"task": "orders.no_such_task"}),
    "arguments that the task does not take": (json.dumps([[], {"v": 1, "order": "x"}, {}]), {}),
    "a version from the future": (json.dumps([[], {"v": 99, "ids": [NOBODY]}, {}]), {}),
    "ids that are none": (json.dumps([[], {"v": 1, "ids": ["x"]}, {}]), {}),
}

_PARKED = "SELECT count(*) FROM parked WHERE status = 'parked'"
_POISON = "SELECT id FROM parked WHERE status = 'parked' AND key = %s AND reason = 'poison'"


def play(stage: Stage) -> None:
    """Send what cannot be read, then kill every worker that touches one order, and run that order again in the end."""
    with stage.orders():
        stage.await_open()
        _unreadable(stage)
        order_id = _poison(stage)
        stage.await_progress()
    stage.wait_for(
        lambda: stage.facts.open_orders(stage.load.prefix) == 1, "every order but the poisonous one to be final"
    )
    stage.story.phase("a person decides")
    with OrdersApi.of(stage.runtime) as api:
        attention = api.show(order_id)["needs_attention"]
        stage.expect(bool(attention), f"{order_id} was parked and does not say that it needs attention")
        stage.story.tell(f"{order_id}: {attention}")
    record = next(one for one in parked.parked(stage.runtime) if one["key"] == f"{order_id}/buy_label")
    parked.replay(stage.runtime, record["id"])
    stage.story.tell("replayed it")


def _unreadable(stage: Stage) -> None:
    before = _count(stage)
    with BrokerClient(stage.runtime) as broker:
        for body, headers in UNREADABLE.values():
            broker.send_raw(
                QUEUE, body, headers={k: v for k, v in {**task_headers(TASK), **headers}.items() if v is not None}
            )
    stage.wait_for(
        lambda: _count(stage) >= before + len(UNREADABLE),
        lambda: f"{len(UNREADABLE)} unreadable messages to be parked ({_count(stage) - before} are)",
    )
    stage.await_progress()
    stage.story.tell(f"parked, and nothing waits behind them: {'; '.join(UNREADABLE)}")
    parked.drop(stage.runtime, *[one["id"] for one in parked.parked(stage.runtime) if one["key"] is None])


def _poison(stage: Stage) -> str:
    """Kill the fulfilment process that runs one order's label, whenever one does; the order, once it was put aside."""
    with OrdersApi.of(stage.runtime) as api:
        for number in range(1, TRIES + 1):
            order_id = stage.place(f"poison-{number}")
            plan = {"rate": {"slow": 1.0}, "slow_seconds": 5.0, "orders": [order_id]}
            with dependency_faults.faults(stage.runtime, "carrier", plan):
                if api.show(order_id)["state"] in ("pending", "processing"):
                    _kill_all_who_touch(stage, f"{order_id}/buy_label")
                    return order_id
    stage.expect(False, f"{TRIES} orders were all labelled before they could be made poisonous")
    return ""


def _kill_all_who_touch(stage: Stage, command: str) -> None:
    """Kill the child that runs the command, and none beside it: what runs in another would die as often, and be put aside as well."""

    def poisonous(number: int, held: Sequence[Held]) -> str | None:
        # Locked, and not yet counted, is not started.
        return "before" if any(one.key == command and one.attempts >= number for one in held) else None

    def is_parked() -> bool:
        return bool(stage.facts.rows(_POISON, command))

    for number in range(1, MAX_ATTEMPTS + 1):
        kill = targeted_kill.kill_when(stage, "fulfilment", "child", partial(poisonous, number))
        stage.story.tell(f"death {number} of whoever runs {command} (with {len(kill.commands) - 1} others)")
    stage.wait_for(is_parked, f"{command} to be parked as poison")
    stage.story.tell(f"{command} is parked as poison")


def _count(stage: Stage) -> int:
    rows = stage.facts.rows(_PARKED)
    return int(rows[0][0]) if rows else 0


DRILL = Drill(
    "poison-message",
    "sends what cannot be run, and a command that kills its workers",
    play,
    orders=500,
    settings={"MAX_ATTEMPTS": str(MAX_ATTEMPTS)},
)
