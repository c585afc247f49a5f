"""Remote control of a pool: `pause` stops its workers from taking work and `resume` lets them, without ending anything.

Sent with `app.control.broadcast("pause")`. A paused worker is not ready and stays alive, where one whose consumer was merely
cancelled is restarted; a worker that is restarted is not paused any more. One that was started with `CONSUMERS_PAUSED` stands by until
the first `resume`, and is ready meanwhile.
"""

from typing import Any

from celery.worker.control import control_command


@control_command()  # type: ignore[untyped-decorator]
def pause(state: Any) -> dict[str, str]:
    """Take no more work until `resume`; what runs ends as usual."""
    consumer = state.consumer
    consumer.controller.pulse.paused = True
    consumer.controller.pulse.standby = False
    for queue in consumer.controller.pulse.expected:
        consumer.call_soon(consumer.cancel_task_queue, queue)
    return {"ok": "paused"}


@control_command()  # type: ignore[untyped-decorator]
def resume(state: Any) -> dict[str, str]:
    """Take work again."""
    consumer = state.consumer
    consumer.controller.pulse.paused = consumer.controller.pulse.standby = False
    for queue in consumer.controller.pulse.expected:
        consumer.call_soon(consumer.add_task_queue, queue)
    return {"ok": "resumed"}
