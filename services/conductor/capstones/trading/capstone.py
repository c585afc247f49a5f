"""The trading service as the harness sees it; see conductor.capstone.Capstone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString
from weakref import WeakValueDictionary

from conductor.capabilities import (
    HasNewerVersion,
    HoldsCalls,
    OwnsShard,
    Redelivers,
    RejectsMessages,
    SteersLoad,
    SurvivesBrokerLoss,
)
from conductor.capstone import Capstone, Patience, Size, TraceSubject
from conductor.capstones.trading import ENGINE, NAME, checker, evidence, outside, promises
from conductor.capstones.trading.drawn_orders import ACCOUNTS, STORM_ACCOUNTS
from conductor.capstones.trading.gauges import GAUGES
from conductor.capstones.trading.market import open_market
from conductor.capstones.trading.progress import BY_STATE, TradingProgress
from conductor.capstones.trading.targets import TARGETS, NoEffects
from conductor.capstones.trading.trader import COMPANY, SESSION
from conductor.capstones.trading.workload import WAYS, TradingWorkload, answered_at, away_seconds, counts
from conductor.history import Journal
from conductor.own_servers import OutsideProgram, OwnStore
from conductor.runtime import Reach
from conductor.verdict import Verdict

NO_COMMANDS = "its orders are in the engine's journal and no commands of the outbox"


class Trading:
    """See conductor.capstone.Capstone."""

    name = NAME
    first_command = "trading order"
    targets = TARGETS
    outside: Sequence[OutsideProgram] = outside.OUTSIDE
    ports: Mapping[str, int] = {"fix": 9878, "door": 9879}
    stores: Sequence[OwnStore] = ()
    callers: Mapping[str, Mapping[str, Any]] = {
        "operator": {"person": 1},
        "approver": {"person": 2},
        "customer": {"session": SESSION, "company": COMPANY, "accounts": [*ACCOUNTS, *STORM_ACCOUNTS]},
    }
    capabilities: Sequence[object] = (OwnsShard(ENGINE, away_seconds, answered_at), SteersLoad(WAYS, counts))
    lacks: Mapping[type, str] = {
        SurvivesBrokerLoss: "no order is in the broker, so a broker that is wiped has nothing of theirs to forget",
        Redelivers: NO_COMMANDS,
        HoldsCalls: "the only outside program that it calls is a feed, which takes no requests",
        RejectsMessages: f"{NO_COMMANDS}; what is no order is refused by the gateway",
        HasNewerVersion: "a newer version would have another rule and no task more",
    }
    gauges = GAUGES
    traced = TraceSubject("order", "order.id")
    by_state: LiteralString = BY_STATE
    drill_settings: Mapping[str, str] = {"COLLECT_EVERY_SECONDS": "2"}

    def __init__(self) -> None:
        self._workloads: WeakValueDictionary[str, TradingWorkload] = WeakValueDictionary()

    def environment(self, ports: Mapping[str, int]) -> Mapping[str, str]:
        """Where the engine pool listens, and where the feed is."""
        return {"FIX_PORT": str(ports["fix"]), "DOOR_PORT": str(ports["door"]), **outside.environment(ports)}

    def prepare(self, access: Reach) -> None:
        """List the symbols, open them, and let the customer's accounts trade."""
        open_market(access)

    def workload(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> TradingWorkload:
        """A client that sends orders."""
        made = TradingWorkload(access, journal, size, patience)
        self._workloads[made.scope] = made
        return made

    def progress(self, access: Reach, scope: str = "") -> TradingProgress:
        """The orders of a load; what is under way only the load in this process knows."""
        workload = self._workloads.get(scope)
        return workload.progress if workload else TradingProgress(access, scope)

    def effects(self, access: Reach) -> NoEffects:
        """None that commands have."""
        return NoEffects()

    def accepted(self, journals: Sequence[Path]) -> list[str]:
        """The orders that were acknowledged, oldest first."""
        return [promises.key(*name) for name in promises.read(journals).acknowledged]

    def judge(self, access: Reach, journals: Sequence[Path], *, only_told: bool) -> Verdict:
        """See checker."""
        return checker.judge(evidence.gather(access, journals), only_told=only_told)


CAPSTONE: Capstone = Trading()
