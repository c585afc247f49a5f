"""Has a worker carry out a command of Celery's remote control, and waits until the worker says that it did."""

from typing import TYPE_CHECKING, Any

from grader import measuring
from grader.errors import Unable
from grader.session import Worker

if TYPE_CHECKING:
    from celery import Celery

ANSWER_SECONDS = 20


def carry_out(app: "Celery", worker: Worker, command: str, **arguments: Any) -> None:
    """Returns when this worker, on the broker of `app`, has done it; raises Unable or TooBusy when it does not answer within 20 s.

    `ping` changes nothing. Its answer says that the worker's event loop did what was due before: a task that is acknowledged early tells
    that it began one turn of the loop before it is acknowledged, and a worker that is killed between the two gives it back.
    """
    where = {"destination": [worker.node], "reply": True, "timeout": ANSWER_SECONDS}
    if not app.control.broadcast(command, arguments=arguments, **where):
        measuring.tell()
        raise Unable(f"a worker did not answer to {command} within {ANSWER_SECONDS} s")
