"""What a drill may aim at among the orders' pools, and where the effects of what they run stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conductor.capabilities import Moment, Plan, Target
from conductor.capstones.orders import evidence
from conductor.harness.ledgers import Entry
from conductor.runtime import Reach

HOLDS: Mapping[Moment, Plan] = {
    "before": {"rate": {"slow": 0.6}, "slow_seconds": 0.6},
    "during": {"rate": {"slow": 0.4}, "slow_seconds": 0.6},
    "after": {"rate": {"timeout_after": 0.4}, "hang_seconds": 0.8},
}
"""Plans that keep calls waiting: before their effects, some before and some behind, and behind their effects."""

MAIL_HOLDS: Mapping[Moment, Plan] = {moment: {"rate": {"slow": 0.3}, "slow_seconds": 0.4} for moment in HOLDS}
"""The mail server cannot be kept waiting behind its effect: its answer is the effect."""

PAYMENTS = Target("payments", "payments", HOLDS)
FULFILMENT = Target("fulfilment", "carrier", HOLDS)
NOTIFICATIONS = Target("notifications", "mail", MAIL_HOLDS)
SAGA = Target("saga")

TARGETS = (PAYMENTS, FULFILMENT, NOTIFICATIONS, SAGA)

_EFFECTS = {
    "take_payment": ("payments", ("capture", "decline")),
    "refund_payment": ("payments", ("refund", "void")),
    "buy_label": ("carrier", ("shipment",)),
    "hand_over": ("carrier", ("handover",)),
    "void_label": ("carrier", ("void",)),
    "mail": ("mail", ("mail",)),
}
"""By step, the ledger that shows its effect, and as which entries."""


class OrdersEffects:
    """Which effects the ledgers already have; see conductor.capstone.Effects."""

    def __init__(self, access: Reach) -> None:
        self._ledgers = evidence.ledgers(access)

    def moment(self, commands: Sequence[str]) -> Moment:
        """By the ledgers; a step whose effect is in our own database commits with its record, so it is always under way."""
        keys = [_key(command) for command in commands]
        expected = [(key.order, *_EFFECTS[key.step]) for key in keys if key.step in _EFFECTS]
        if not expected:
            return "during"
        self._ledgers.read(*{server for _, server, _ in expected})
        entries = self._ledgers.entries
        done = sum(any(_is(entry, order, kinds) for entry in entries[server]) for order, server, kinds in expected)
        return "before" if not done else "after" if done == len(expected) else "during"

    def close(self) -> None:
        """Let go of the connections."""
        self._ledgers.close()


@dataclass(frozen=True, slots=True)
class _Key:
    order: str
    step: str


def _key(command: str) -> _Key:
    order, step, *_ = command.split("/")
    return _Key(order, step)


def _is(entry: Entry, order: str, kinds: Sequence[str]) -> bool:
    return entry["order_id"] == order and entry["kind"] in kinds
