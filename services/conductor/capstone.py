"""What a capstone gives the harness: how its load is made, what was promised, what took effect, and what a drill may aim at.

A drill breaks things and never names a request's kind; a plug-in makes load and judges, and never breaks anything.
"""

import importlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString, Protocol, TypeVar

from conductor.capabilities import Moment, Target
from conductor.errors import Refused
from conductor.history import Journal
from conductor.own_servers import OutsideProgram, OwnStore
from conductor.run_directory import CAPSTONE_PATH
from conductor.runtime import Reach
from conductor.verdict import Verdict

LARGE = 500
"""Requests from which on a drill is no small one."""


@dataclass(frozen=True, slots=True)
class Size:
    """How big a drill is: requests to be accepted at least, kills at least, and how many requests are in flight at every fault."""

    requests: int
    seed: int = 1
    per_second: float | None = None
    """Requests a second at most, but while a fault waits for load, or the end for the last; None is as many as are answered."""
    steady: bool = False
    """Never more a second than that, whoever waits."""

    @property
    def in_flight(self) -> int:
        """A tenth of the requests: 200 of 2,000."""
        return max(5, self.requests // 10)

    @property
    def large(self) -> bool:
        """Whether faults are repeated: a small drill injects each kind once."""
        return self.requests >= LARGE

    @property
    def kills(self) -> int:
        """One for a hundred requests: 20 of 2,000, and never fewer than one for each moment around an effect."""
        return max(3, self.requests // 100)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a drill may take in all, and how long nothing at all may move before what is open counts as lost.

    Once its faults are over, a drill may take as long again, as far as the rest needs that at the rate at which requests were completed.

    `quiet_seconds` is longer than the longest lease, backoff and restart that a drill's settings allow. A request that is in flight for
    longer than `hanging_seconds` no longer counts as one to be completed before the next is sent.
    """

    total_seconds: float = 900.0
    quiet_seconds: float = 90.0
    hanging_seconds: float = 45.0


class Workload(Protocol):
    """Requests that keep coming, each with a key of its own, written to the history before it is sent and after it is answered."""

    @property
    def scope(self) -> str:
        """By what the requests of this workload are told from all others."""

    @property
    def accepted(self) -> int:
        """Requests that were accepted so far."""

    @property
    def repeats(self) -> int:
        """How often an accepted request had been sent before in vain."""

    @property
    def gave_up(self) -> int:
        """Requests that were never answered."""

    @property
    def abrupt(self) -> int:
        """How often a client had to send a request again and was not told when."""

    def start(self) -> None:
        """Begin to send."""

    def loaded(self) -> int | None:
        """How many requests are in flight when these are enough for a fault; None before, or while nobody can tell."""

    def hurried(self) -> AbstractContextManager[None]:
        """Requests come as fast as they are answered during the block, unless the size says `steady`."""

    def finish(self, within_seconds: float) -> bool:
        """Stop as soon as enough were accepted, and wait for the last answers; False when it took too long and was cut short."""

    def asked_again(self) -> Counter[str]:
        """Why requests were sent again, up to now."""

    def submit(self, name: str) -> str:
        """Send one request more, however many are in flight, and return its id. A name is used once a workload. Raises DrillFailed."""

    def repeat(self, count: int) -> None:
        """Send so many requests again that were answered long ago. DrillFailed when one gets another answer than it got."""


class Progress(Protocol):
    """How far the requests of one scope are, as the platform's database says. None, or nothing, while that does not answer."""

    def in_flight(self) -> int | None:
        """Requests that were accepted and are not completed."""

    def completed(self, since: datetime | None = None) -> int | None:
        """Completed requests, of those accepted after this moment on the database's clock."""

    def clock(self) -> datetime | None:
        """The database's time."""

    def by_state(self) -> Mapping[str, int] | None:
        """How many requests of the platform are in each state, in the order in which states come to be."""

    def moved(self) -> tuple[int, ...]:
        """A mark that changes whenever anything moves on."""

    def settled(self) -> bool:
        """Whether every request is completed and nothing is left to be done for any."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric that a query gives: its rows are the labels' values and a number. Each gets the label `capstone` as well."""

    name: str
    help: str
    labels: tuple[str, ...]
    query: LiteralString


@dataclass(frozen=True, slots=True)
class TraceSubject:
    """What the spans of a capstone name. `attribute` has `value` of what a person types; `noun` says what that is.

    With `carried` the traces of the messages that carried it are shown unasked, because nothing else follows from it.
    """

    noun: str
    attribute: str
    value: Callable[[str], str] = str
    carried: bool = False


class Effects(Protocol):
    """What took effect so far, read on from look to look."""

    def moment(self, commands: Sequence[str]) -> Moment:
        """Where the effects of these commands stand, given by their outbox keys."""

    def close(self) -> None:
        """Let go of connections."""


class Capstone(Protocol):
    """One system under test, as the harness sees it."""

    @property
    def name(self) -> str:
        """Of charts/<name> and services/<name>; release, image, database and logins have names derived from it."""

    @property
    def first_command(self) -> str:
        """What a person types first, behind `capstone`."""

    @property
    def targets(self) -> Sequence[Target]:
        """Pools with what they call, the one whose effects cost most first."""

    @property
    def outside(self) -> Sequence[OutsideProgram]:
        """The outside programs that it calls; `Reach.addresses` has each by its name."""

    @property
    def stores(self) -> Sequence[OwnStore]:
        """Stores that only it uses, beside the shared one."""

    @property
    def callers(self) -> Mapping[str, Mapping[str, Any]]:
        """Who its API takes the bearer of a token for, by the token's name in `Reach.tokens`: the entries of API_TOKENS."""

    @property
    def ports(self) -> Mapping[str, int]:
        """TCP ports that its pools listen on besides the API's, by name with the one that a laptop tries first; `environment` gets them.
        `Reach.addresses` has each by its name."""

    @property
    def capabilities(self) -> Sequence[object]:
        """Records of conductor.capabilities: what it can do that not every capstone can."""

    @property
    def lacks(self) -> Mapping[type, str]:
        """A sentence for each capability that it does not have: why not."""

    @property
    def by_state(self) -> LiteralString:
        """A query for how many requests are in each state."""

    @property
    def drill_settings(self) -> Mapping[str, str]:
        """Environment variables of every pool process on a drill's own platform, so that what was lost is seen soon."""

    @property
    def traced(self) -> TraceSubject:
        """By what its spans are found."""

    @property
    def gauges(self) -> Sequence[Gauge]:
        """What the exporter asks its database at every scrape."""

    @property
    def prepare(self) -> Callable[[Reach], None] | None:
        """Fills in what requests refer to; doing so again changes nothing. None where a request refers to nothing that must be there."""

    def environment(self, ports: Mapping[str, int]) -> Mapping[str, str]:
        """What its processes are told on a laptop beside database, broker, store and secrets: where the outside programs answer."""

    def workload(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> Workload:
        """A load of that size, not yet started."""

    def progress(self, access: Reach, scope: str = "") -> Progress:
        """How far the requests of a scope are; of every one by default."""

    def effects(self, access: Reach) -> Effects:
        """What took effect so far."""

    def accepted(self, journals: Sequence[Path]) -> list[str]:
        """The ids of the requests that were accepted, by these histories, oldest first."""

    def judge(self, access: Reach, journals: Sequence[Path], *, only_told: bool) -> Verdict:
        """Gather the evidence and judge; with `only_told` only what these histories tell of."""


C = TypeVar("C")


def offered(capstone: Capstone, kind: type[C]) -> C | None:
    """This capability of the capstone, if it has one of the kind."""
    return next((one for one in capstone.capabilities if isinstance(one, kind)), None)


def capability(capstone: Capstone, kind: type[C]) -> C:
    """This capability of the capstone. Refused, with the capstone's reason, when it has none of the kind."""
    found = offered(capstone, kind)
    if found is None:
        raise Refused(f"{capstone.name}: {capstone.lacks.get(kind, f'it has no {kind.__name__}')}")
    return found


def load(name: str) -> Capstone:
    """The plug-in of a capstone: what its module in conductor.capstones calls CAPSTONE. Refused when there is none."""
    package = "conductor.capstones"
    importlib.import_module(package).search()
    if importlib.util.find_spec(f"{package}.{name}") is None:
        raise Refused(
            f'no capstone "{name}" is found here: if it lies in a folder of its own, {CAPSTONE_PATH} has to name that'
        )
    found: Capstone = importlib.import_module(f"{package}.{name}.capstone").CAPSTONE
    return found


def application(name: str) -> str:
    """The module that holds a capstone's Celery application."""
    return f"{name}.app"
