"""The orders as the harness sees them; see conductor.capstone.Capstone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import LiteralString

from conductor.capabilities import (
    HasNewerVersion,
    HoldsCalls,
    OwnsShard,
    Plan,
    Redelivers,
    RejectsMessages,
    SurvivesBrokerLoss,
)
from conductor.capstone import Capstone, Patience, Size, TraceSubject
from conductor.capstones.orders import NAME, catalogue, checker, evidence, promises
from conductor.capstones.orders import outside as outside_programs
from conductor.capstones.orders.api_client import OrdersApi
from conductor.capstones.orders.gauges import GAUGES
from conductor.capstones.orders.progress import BY_STATE, OrdersProgress
from conductor.capstones.orders.targets import FULFILMENT, PAYMENTS, TARGETS, OrdersEffects
from conductor.capstones.orders.workload import OrdersWorkload
from conductor.history import Journal
from conductor.runtime import Reach
from conductor.verdict import Verdict

CALLBACKS: Plan = {"rate": {"callback_duplicate": 0.3, "callback_reorder": 0.3, "callback_lost_once": 0.2}}

# A newer version has one task more.
NEWER_CODE = """

def _note(conn: Any, works: Any) -> Any:
    import sqlalchemy as sa

    from chassis.outbox import Done

    statement = sa.text("INSERT INTO timeline (order_id, kind) VALUES (CAST(:order AS uuid), 'v2.noted')")
    for work in works:
        conn.execute(statement, {"order": work.body["order"]})
    return {work.id: Done() for work in works}


tasks._batch(app, "orders.note_v2", lambda ids: _orders()._runner.run(ids, _note))
"""
_NOTED = "SELECT count(*), count(DISTINCT order_id) FROM timeline WHERE kind = 'v2.noted' AND order_id::text = ANY(%s)"


def _startable(access: Reach, order_id: str) -> bool:
    with OrdersApi.of(access) as api:
        return api.show(order_id)["state"] in ("pending", "processing")


def _attention(access: Reach, order_id: str) -> str | None:
    with OrdersApi.of(access) as api:
        told: str | None = api.show(order_id)["needs_attention"]
        return told


class Orders:
    """See conductor.capstone.Capstone."""

    name = NAME
    first_command = "order place"
    targets = TARGETS
    outside = outside_programs.OUTSIDE
    ports: Mapping[str, int] = {}
    stores = ()
    callers: Mapping[str, Mapping[str, str]] = {"operator": {"role": "operator"}, "customer": {"customer": "c-1"}}
    capabilities: Sequence[object] = (
        SurvivesBrokerLoss(),
        Redelivers(outside={"carrier": CALLBACKS}),
        HoldsCalls(slow=PAYMENTS, scaled=FULFILMENT),
        RejectsMessages(
            target=FULFILMENT,
            task="orders.buy_label",
            command="{}/buy_label".format,
            startable=_startable,
            attention=_attention,
            hold=lambda order_id: {"rate": {"slow": 1.0}, "slow_seconds": 5.0, "orders": [order_id]},
        ),
        HasNewerVersion(
            task="orders.note_v2",
            pool="saga",
            code=NEWER_CODE,
            body=lambda order_id: {"v": 1, "order": order_id},
            done=_NOTED,
        ),
    )
    lacks: Mapping[type, str] = {OwnsShard: "any process of a pool takes its orders, so none is waited for"}
    gauges = GAUGES
    traced = TraceSubject("order", "order.id")
    by_state: LiteralString = BY_STATE
    drill_settings: Mapping[str, str] = {
        "RECONCILE_EVERY_SECONDS": "15",
        # Orders are to be in flight when a fault is injected, also when only the carrier is waited for.
        "CARRIER_DELIVERY_DELAY_SECONDS": "3",
        # A busy machine is not what is drilled.
        "OUTSIDE_TIMEOUT_SECONDS": "8",
    }

    def environment(self, ports: Mapping[str, int]) -> Mapping[str, str]:
        """Where payment provider, carrier and mail server answer."""
        return outside_programs.environment(ports)

    def prepare(self, access: Reach) -> None:
        """Fill in the catalogue."""
        catalogue.fill(access.addresses()["api"], access.tokens()["operator"])

    def workload(self, access: Reach, journal: Journal, size: Size, patience: Patience) -> OrdersWorkload:
        """Customers who place orders, and cancel a few."""
        return OrdersWorkload(access, journal, size, patience)

    def progress(self, access: Reach, scope: str = "") -> OrdersProgress:
        """The orders of customers whose name begins with the scope."""
        return OrdersProgress(access, scope)

    def effects(self, access: Reach) -> OrdersEffects:
        """By the ledgers of payment provider, carrier and mail server."""
        return OrdersEffects(access)

    def accepted(self, journals: Sequence[Path]) -> list[str]:
        """The ids of the orders that were accepted, oldest first."""
        return [one.order_id for one in promises.read(journals).accepted.values()]

    def judge(self, access: Reach, journals: Sequence[Path], *, only_told: bool) -> Verdict:
        """See checker."""
        return checker.judge(evidence.gather(access, journals), only_told=only_told)


CAPSTONE: Capstone = Orders()
