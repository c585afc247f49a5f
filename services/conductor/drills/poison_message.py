"""Messages nobody can run, and a command that kills who runs it: they are put aside with a reason, and nothing waits behind them."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from conductor.capabilities import RejectsMessages
from conductor.capstone import capability
from conductor.harness import dependency_faults, targeted_kill
from conductor.harness.broker_client import BrokerClient, task_headers
from conductor.harness.drill import Drill
from conductor.harness.laptop_session import LaptopSession
from conductor.harness.outbox_state import Held

MAX_ATTEMPTS = 3
TRIES = 10
NOBODY = 2**62
"""The id of no command: a message about one that somebody is running need not be kept, and is not."""
UNREADABLE: Mapping[str, tuple[str | bytes, Mapping[str, Any]]] = {
    "a body that is no JSON": ("{not json", {}),
    "an empty body": ("", {}),
    "a body of another shape": (json.dumps({"command": 1}), {}),
    "no task in the headers": (json.dumps([[], {"v": 1, "ids": [NOBODY]}, {}]), {"task": None}),
    "a task that does not exist": (json.dumps([[], {"v": 1, "ids": []}, {}]), {"task": "nobody.no_such_task"}),
    "arguments that the task does not take": (json.dumps([[], {"v": 1, "command": "x"}, {}]), {}),
    "a version from the future": (json.dumps([[], {"v": 99, "ids": [NOBODY]}, {}]), {}),
    "ids that are none": (json.dumps([[], {"v": 1, "ids": ["x"]}, {}]), {}),
}


def play(session: LaptopSession) -> None:
    """Send what cannot be read, then kill every worker that touches one request, and process that request again in the end."""
    rejects = capability(session.capstone, RejectsMessages)
    with session.load():
        session.await_loaded()
        _unreadable(session, rejects)
        request = _poison(session, rejects)
        session.await_progress()
    session.wait_for(lambda: session.progress.in_flight() == 1, "every request but the poisonous one to be completed")
    session.reporter.phase("a person decides")
    attention = rejects.attention(session.access, request)
    session.expect(bool(attention), f"{request} was parked and does not say that it needs attention")
    session.reporter.tell(f"{request}: {attention}")
    record = next(one for one in session.parked() if one["key"] == rejects.command(request))
    session.replay_parked(record["id"])
    session.reporter.tell("replayed it")


def _unreadable(session: LaptopSession, rejects: RejectsMessages) -> None:
    before = session.outbox.parked()
    (queue,) = session.runtime.pools()[rejects.target.pool].queues
    with BrokerClient(session.runtime) as broker:
        for body, headers in UNREADABLE.values():
            own = {
                name: value for name, value in {**task_headers(rejects.task), **headers}.items() if value is not None
            }
            broker.send_raw(queue, body, headers=own)
    session.wait_for(
        lambda: session.outbox.parked() >= before + len(UNREADABLE),
        lambda: f"{len(UNREADABLE)} unreadable messages to be parked ({session.outbox.parked() - before} are)",
    )
    session.await_progress()
    session.reporter.tell(f"parked, and nothing waits behind them: {'; '.join(UNREADABLE)}")
    session.drop_parked(*[one["id"] for one in session.parked() if one["key"] is None])


def _poison(session: LaptopSession, rejects: RejectsMessages) -> str:
    """Kill the process that runs one request's command, whenever one does. Returns the request once it was parked."""
    for number in range(1, TRIES + 1):
        request = session.workload.submit(f"poison-{number}")
        with _held(session, rejects, request):
            if rejects.startable(session.access, request):
                _kill_all_who_touch(session, rejects.target.pool, rejects.command(request))
                return request
    session.expect(False, f"{TRIES} requests all went on before they could be made poisonous")
    return ""


def _held(session: LaptopSession, rejects: RejectsMessages, request: str) -> AbstractContextManager[None]:
    """The calls for the request wait during the block. A target that calls no server has requests that take long by themselves."""
    if rejects.target.server is None:
        return contextlib.nullcontext()
    return dependency_faults.faults(session.access, rejects.target.server, rejects.hold(request))


def _kill_all_who_touch(session: LaptopSession, pool: str, command: str) -> None:
    """Kill the child that runs the command, and none beside it: what runs in another would die as often, and be parked as well."""

    def poisonous(number: int, held: Sequence[Held]) -> str | None:
        # Locked, and not yet counted, is not started.
        return "before" if any(one.key == command and one.attempts >= number for one in held) else None

    for number in range(1, MAX_ATTEMPTS + 1):
        kill = targeted_kill.kill_when(session, pool, "child", partial(poisonous, number))
        session.reporter.tell(
            f"crash {number} of the process that runs {command} (with {len(kill.commands) - 1} others)"
        )
    session.wait_for(
        lambda: session.outbox.parked(key=command, reason="poison") > 0, f"{command} to be parked as poison"
    )
    session.reporter.tell(f"{command} is parked as poison")


DRILL = Drill(
    "poison-message",
    "sends what cannot be run, and a command that kills its workers",
    on_laptop=play,
    needs=(RejectsMessages,),
    requests=500,
    settings={"MAX_ATTEMPTS": str(MAX_ATTEMPTS)},
)
