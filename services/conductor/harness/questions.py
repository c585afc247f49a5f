"""What a session in a cluster asks the judge inside it: one record a question, sent as JSON with its name (by judge_rpc)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Begin:
    """Let requests come."""


@dataclass(frozen=True, slots=True)
class AwaitLoaded:
    """Wait until as many requests are in flight as a fault wants: `in_flight`."""


@dataclass(frozen=True, slots=True)
class AwaitProgress:
    """Wait until new requests are completed again; None is a quarter of what a fault wants."""

    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How far the requests are: see JudgeService.status."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The `requests` that were accepted last."""

    last: int


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many requests were accepted and are not completed: `in_flight`."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Send one request more; the id of the `request` is the same when its name comes again."""

    name: str


@dataclass(frozen=True, slots=True)
class Startable:
    """Whether the command of a request that can be made poisonous has not begun: `startable`."""

    request: str


@dataclass(frozen=True, slots=True)
class Attention:
    """What such a request tells a person: `attention`."""

    request: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish messages straight into a queue, each a body and its headers."""

    queue: str
    messages: Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Held:
    """The `commands` that a pod with this address is running, as conductor.harness.outbox_state has them."""

    address: str


@dataclass(frozen=True, slots=True)
class HoldFlush:
    """Have writes to a store wait, and with them the flush of the pod with this address: `held` says whether one waits."""

    store: str
    command: str
    address: str


@dataclass(frozen=True, slots=True)
class ReleaseFlush:
    """Have writes to the store go on once that pod is gone: `gone` says whether none of its flushes was carried out before."""

    store: str
    address: str


@dataclass(frozen=True, slots=True)
class StillOpen:
    """The `keys` of those commands that have no outcome yet."""

    keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time `at` by which faults are written down."""


@dataclass(frozen=True, slots=True)
class Record:
    """Write down what was broken from `since` until now."""

    pool: str
    which: str
    since: float
    open_orders: int | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Put a plan of faults (see outside.faults.Plan) in force at an outside program, for a minute at most."""

    server: str
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Calm:
    """End the faults of an outside program."""

    server: str


@dataclass(frozen=True, slots=True)
class Hurry:
    """Let requests come as fast as they are answered, and wait until as many are in flight as a fault wants: `in_flight`, and how many
    `times` none was answered so far."""


@dataclass(frozen=True, slots=True)
class AwaitBack:
    """Wait until requests are answered again after one more than so many times that none was, and hurry no longer: `away_seconds`."""

    times: int


@dataclass(frozen=True, slots=True)
class Steer:
    """Have the load do otherwise from now on, in this way; see capabilities.SteersLoad."""

    way: str


@dataclass(frozen=True, slots=True)
class Release:
    """Have it do so no longer."""

    way: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What the load was told so far: `counts` by name."""


@dataclass(frozen=True, slots=True)
class WatchConsumers:
    """Look from now on whether these queues have a consumer."""

    queues: Sequence[str]


@dataclass(frozen=True, slots=True)
class Consumers:
    """What was seen of them until now; see conductor.harness.consumer_gaps."""


@dataclass(frozen=True, slots=True)
class PublishConfirmed:
    """Publish from now on to a queue that is made, led by the broker's node with this address; see conductor.harness.confirmed_stream."""

    queue: str
    host: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Stop publishing to the queue, and what was confirmed and is missing; see ConfirmedStream.close."""

    queue: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Stop when enough requests were accepted, and answer with the last status."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Stop at once, however few were accepted: the drill has failed."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait until every request is completed."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Wait until every request is completed, and judge."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Go."""


Question = (
    Begin
    | AwaitLoaded
    | AwaitProgress
    | Status
    | Accepted
    | InFlight
    | Submit
    | Startable
    | Attention
    | Publish
    | Held
    | HoldFlush
    | ReleaseFlush
    | StillOpen
    | Clock
    | Record
    | Fail
    | Calm
    | Hurry
    | AwaitBack
    | Steer
    | Release
    | Counts
    | WatchConsumers
    | Consumers
    | PublishConfirmed
    | Confirmed
    | Finish
    | Abandon
    | Settle
    | Judge
    | Leave
)
_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in Question.__args__}


def as_json(question: Question) -> dict[str, Any]:
    """As it is sent."""
    return {"ask": type(question).__name__, **asdict(question)}


def of_json(sent: Mapping[str, Any]) -> Question:
    """The record again. Raises KeyError or TypeError for what is no question."""
    found: Question = _KINDS[sent["ask"]](**{name: value for name, value in sent.items() if name != "ask"})
    return found
