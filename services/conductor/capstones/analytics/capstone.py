"""The analytics as the harness sees them; see conductor.capstone.Capstone."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import LiteralString
from weakref import WeakValueDictionary

from conductor.capabilities import (
    HasNewerVersion,
    HoldsCalls,
    OwnsShard,
    Redelivers,
    RejectsMessages,
    SurvivesBrokerLoss,
)
from conductor.capstone import Capstone, Patience, Size, TraceSubject
from conductor.capstones.analytics import COUNTERS, NAME, checker, evidence, promises
from conductor.capstones.analytics.gauges import GAUGES
from conductor.capstones.analytics.progress import BY_STATE, AnalyticsProgress
from conductor.capstones.analytics.targets import TARGETS, NoEffects
from conductor.capstones.analytics.workload import AnalyticsWorkload
from conductor.history import Journal
from conductor.own_servers import OutsideProgram, OwnStore
from conductor.runtime import Reach
from conductor.verdict import Verdict


def request_id(key: str) -> str:
    """As the spans of a request name its key, which is a client's own text and may be anything."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


class Analytics:
    """See conductor.capstone.Capstone."""

    name = NAME
    first_command = "analytics send"
    targets = TARGETS
    outside: Sequence[OutsideProgram] = ()
    ports: Mapping[str, int] = {}
    prepare = None
    stores = (OwnStore(COUNTERS, "COUNTERS_URL", 6380, shards="COUNTERS_SHARDS", pool="aggregate"),)
    callers: Mapping[str, Mapping[str, str]] = {
        "operator": {"role": "analyst"},
        "customer": {"client": "capstone"},
    }
    capabilities: Sequence[object] = ()
    lacks: Mapping[type, str] = {
        OwnsShard: "any process of a pool takes its requests, so none is waited for",
        SurvivesBrokerLoss: "its batches are in the broker alone, and what a wiped broker forgets is lost",
        Redelivers: "its batches are no commands of the outbox, so none can be published again from there",
        HoldsCalls: "it calls no outside program",
        RejectsMessages: "its batches are no commands of the outbox; poison-batch is its own drill of this kind",
        HasNewerVersion: "its newer version has another format of batches and no task more; mixed-versions is a drill of its own",
    }
    gauges = GAUGES
    traced = TraceSubject("request", "request.id", request_id, carried=True)
    by_state: LiteralString = BY_STATE
    drill_settings: Mapping[str, str] = {
        # A busy machine is not what is drilled.
        "ANSWER_SECONDS": "5",
        "COLLECT_EVERY_SECONDS": "2",
        # Learning what to recommend takes a core, and is not what is drilled.
        "ENGAGEMENTS_PER_SECOND": "50",
    }

    def __init__(self) -> None:
        self._workloads: WeakValueDictionary[str, AnalyticsWorkload] = WeakValueDictionary()

    def environment(self, ports: Mapping[str, int]) -> Mapping[str, str]:
        """No outside program."""
        return {}

    def workload(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> AnalyticsWorkload:
        """Clients that send events."""
        made = AnalyticsWorkload(access, journal, size, patience)
        self._workloads[made.scope] = made
        return made

    def progress(self, access: Reach, scope: str = "") -> AnalyticsProgress:
        """The requests of a load; which of them were accepted only the load in this process knows."""
        workload = self._workloads.get(scope)
        return workload.progress if workload else AnalyticsProgress(access, scope)

    def effects(self, access: Reach) -> NoEffects:
        """None that commands have."""
        return NoEffects()

    def accepted(self, journals: Sequence[Path]) -> list[str]:
        """The keys of the requests that were accepted, oldest first."""
        return list(promises.read(journals).accepted)

    def judge(self, access: Reach, journals: Sequence[Path], *, only_told: bool) -> Verdict:
        """See checker."""
        return checker.judge(evidence.gather(access, journals), only_told=only_told)


CAPSTONE: Capstone = Analytics()
