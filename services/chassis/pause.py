"""Remote control of a pool's workers, without ending anything: `pause` and `stand_by` stop them from taking work, `resume` lets them.

Sent with `app.control.broadcast("pause")`. A paused worker is not ready and stays alive, where one whose consumer was merely
cancelled is restarted; one that stands by is ready as well, since somebody else does its work. A worker that was started with
`CONSUMERS_PAUSED` stands by until the first `resume`; what it was told later is forgotten when it is restarted.
"""

import time
from typing import Any

from celery.worker.control import control_command, inspect_command


@control_command()  # type: ignore[untyped-decorator]
def pause(state: Any) -> dict[str, str]:
    """Take no more work until `resume`; what runs ends as usual."""
    _cancel(state.consumer, standby=False)
    return {"ok": "paused"}


@control_command()  # type: ignore[untyped-decorator]
def stand_by(state: Any) -> dict[str, str]:
    """The same, and be ready meanwhile: somebody else does the work."""
    _cancel(state.consumer, standby=True)
    return {"ok": "standing by"}


@control_command()  # type: ignore[untyped-decorator]
def resume(state: Any) -> dict[str, str]:
    """Take work again."""
    consumer = state.consumer
    consumer.controller.worker_heartbeat.paused = consumer.controller.worker_heartbeat.standby = False
    for queue in consumer.controller.worker_heartbeat.expected:
        consumer.call_soon(consumer.add_task_queue, queue)
    return {"ok": "resumed"}


@inspect_command()  # type: ignore[untyped-decorator]
def consumption(state: Any) -> dict[str, Any]:
    """What the heartbeat would say now (`state`), and how many messages are held and not acknowledged (`held`)."""
    found, _ = state.consumer.controller.worker_heartbeat.look(time.monotonic())
    return {"state": found, "held": state.consumer.controller.worker_heartbeat.held}


def _cancel(consumer: Any, *, standby: bool) -> None:
    heartbeat = consumer.controller.worker_heartbeat
    heartbeat.paused, heartbeat.standby = not standby, standby
    for queue in heartbeat.expected:
        consumer.call_soon(consumer.cancel_task_queue, queue)
