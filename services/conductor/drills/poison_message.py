"""Messages nobody can run, and a command that kills who runs it: they are put aside with a reason, and nothing waits behind them."""

import contextlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from conductor.capabilities import RejectsMessages
from conductor.capstone import capability
from conductor.harness.broker_client import task_headers
from conductor.harness.drill import Drill
from conductor.harness.session import Session

MAX_ATTEMPTS = 3
TRIES = 10
NOBODY = 2**62
"""The id of no command: a message about one that somebody is running need not be kept, and is not."""
UNREADABLE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "a body that is no JSON": ("{not json", {}),
    "an empty body": ("", {}),
    "a body of another shape": (json.dumps({"command": 1}), {}),
    "no task in the headers": (json.dumps([[], {"v": 1, "ids": [NOBODY]}, {}]), {"task": None}),
    "a task that does not exist": (json.dumps([[], {"v": 1, "ids": []}, {}]), {"task": "nobody.no_such_task"}),
    "arguments that the task does not take": (json.dumps([[], {"v": 1, "command": "x"}, {}]), {}),
    "a version from the future": (json.dumps([[], {"v": 99, "ids": [NOBODY]}, {}]), {}),
    "ids that are none": (json.dumps([[], {"v": 1, "ids": ["x"]}, {}]), {}),
}


def play(session: Session) -> None:
    """Send what cannot be read, then kill every worker that touches one request, and process that request again in the end."""
    rejects = capability(session.capstone, RejectsMessages)
    with session.load():
        session.await_loaded()
        _unreadable(session, rejects)
        request = _poison(session, rejects)
        session.await_progress()
    session.wait_for(lambda: session.in_flight() == 1, "every request but the poisonous one to be completed")
    session.reporter.phase("a person decides")
    attention = session.attention(request)
    session.expect(bool(attention), f"{request} was parked and does not say that it needs attention")
    session.reporter.tell(f"{request}: {attention}")
    record = next(one for one in session.parked() if one["key"] == rejects.command(request))
    session.replay_parked(record["id"])
    session.reporter.tell("replayed it")


def _unreadable(session: Session, rejects: RejectsMessages) -> None:
    before = _parked(session)
    (queue,) = session.runtime.pools()[rejects.target.pool].queues
    own = [(body, {**task_headers(rejects.task), **headers}) for body, headers in UNREADABLE.values()]
    session.publish(
        queue, [(body, {name: told for name, told in one.items() if told is not None}) for body, one in own]
    )
    session.wait_for(
        lambda: _parked(session) >= before + len(UNREADABLE),
        lambda: f"{len(UNREADABLE)} unreadable messages to be parked ({_parked(session) - before} are)",
    )
    session.await_progress()
    session.reporter.tell(f"parked, and nothing waits behind them: {'; '.join(UNREADABLE)}")
    session.drop_parked(*[one["id"] for one in session.parked() if one["key"] is None])


def _parked(session: Session, command: str | None = None) -> int:
    """How many messages wait for a decision, or how often this command does as poison."""
    only = ("AND key = %s AND reason = 'poison'", command) if command else ("",)
    ((count,),) = session.sql(f"SELECT count(*) FROM parked WHERE status = 'parked' {only[0]}", *only[1:])
    return int(count)


def _poison(session: Session, rejects: RejectsMessages) -> str:
    """Kill the process that runs one request's command, whenever one does. Returns the request once it was parked."""
    for number in range(1, TRIES + 1):
        request = session.submit(f"poison-{number}")
        with _held(session, rejects, request):
            if session.startable(request):
                _kill_whoever_runs(session, rejects.target.pool, rejects.command(request))
                return request
    session.expect(False, f"{TRIES} requests all went on before they could be made poisonous")
    return ""


def _held(session: Session, rejects: RejectsMessages, request: str) -> AbstractContextManager[None]:
    """The calls for the request wait during the block. A target that calls no server has requests that take long by themselves."""
    if rejects.target.server is None:
        return contextlib.nullcontext()
    return session.faults(rejects.target.server, rejects.hold(request))


def _kill_whoever_runs(session: Session, pool: str, command: str) -> None:
    """Kill the child that runs the command, and none beside it: what runs in another would die as often, and be parked as well."""
    for start in range(1, MAX_ATTEMPTS + 1):
        kill = session.kill_running(pool, command, start)
        session.reporter.tell(
            f"crash {start} of the process that runs {command} (with {len(kill.commands) - 1} others)"
        )
    session.wait_for(lambda: _parked(session, command) > 0, f"{command} to be parked as poison")
    session.reporter.tell(f"{command} is parked as poison")


DRILL = Drill(
    "poison-message",
    "sends what cannot be run, and a command that kills its workers",
    play,
    needs=(RejectsMessages,),
    requests=500,
    settings={"MAX_ATTEMPTS": str(MAX_ATTEMPTS)},
)
