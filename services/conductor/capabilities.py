"""What a drill may aim at in a capstone, and what only some capstones can do: a drill names the records that it needs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

from conductor.runtime import Reach

Moment = Literal["before", "during", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")
"""Where the effects of what a process runs stand: none has happened, some have, all have."""

Plan = Mapping[str, Any]
"""A plan of faults for an outside program (see outside.faults.Plan)."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Where a worker of batches writes what it holds: a server of the capstone's own, by which command, and how much it has by now.

    `written` grows with every flush, and is None while nobody can tell.
    """

    store: str
    written: Callable[[Reach], int | None]
    command: str


@dataclass(frozen=True, slots=True)
class Target:
    """A pool whose tasks a drill interrupts, and the outside program that they call; `server` None for a pool that calls none.

    `holds` are faults of that program that keep its calls waiting around a moment, so that a kill finds a task there. A pool with a
    `flush` runs no commands of the outbox, but holds batches: the moments are around the flush. Where a request that `Workload.submit`
    sends takes some seconds in the pool, `submitted` is the outbox key of that request's command.
    """

    pool: str
    server: str | None = None
    holds: Mapping[Moment, Plan] = field(default_factory=dict)
    flush: Flush | None = None
    submitted: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class SurvivesBrokerLoss:
    """What a broker forgets comes due again."""


@dataclass(frozen=True, slots=True)
class Redelivers:
    """A message may come twice and in any order. `outside` are faults by outside program that make its callbacks do the same."""

    outside: Mapping[str, Plan] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HoldsCalls:
    """An outside program can keep its calls waiting: `slow` is a target whose calls may take long, `scaled` one that is scaled in."""

    slow: Target
    scaled: Target


@dataclass(frozen=True, slots=True)
class RejectsMessages:
    """A message that cannot be processed is parked, and a command that kills its workers as well, with a sign to a person.

    `command` is the outbox key of a request's command of `task`; `startable` whether that has not begun; `attention` what the request
    tells a person; `hold` a plan for the target's server that keeps the calls of one request waiting. Where the target has no server,
    `Workload.submit` sends a request whose command takes some seconds.
    """

    target: Target
    task: str
    command: Callable[[str], str]
    startable: Callable[[Reach, str], bool]
    attention: Callable[[Reach, str], str | None]
    hold: Callable[[str], Plan] = lambda request: {}


@dataclass(frozen=True, slots=True)
class OwnsShard:
    """One process of `pool` answers every request, from a volume of its own, so none is answered while it is away.

    `away_seconds` is how long each such time of a Workload was so far, the oldest first, and `answered_at` when a new request was answered
    last, on the monotonic clock. The verdict on a load in a cluster is made from a copy of the volume.
    """

    pool: str
    away_seconds: Callable[[Any], Sequence[float]]
    answered_at: Callable[[Any], float]


@dataclass(frozen=True, slots=True)
class SteersLoad:
    """A load does otherwise while a drill wants it: `ways` by name, each in force during its block. `counts` is what a load was told so
    far, by name; a name that is missing was never told. Both are given the Workload."""

    ways: Mapping[str, Callable[[Any], AbstractContextManager[object]]]
    counts: Callable[[Any], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class HasNewerVersion:
    """A newer version has one task more: `task`, run by `pool`, and `code` is what it has at the end of its application's module.

    `body` is the command's body for a request; `done` is an SQL query for how often the task took effect for requests, and for how many
    of them, with one parameter: their ids.
    """

    task: str
    pool: str
    code: str
    body: Callable[[str], Mapping[str, Any]]
    done: str
