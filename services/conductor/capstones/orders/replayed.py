"""What became of the orders of a replay, asked of the database by their keys."""

from dataclasses import dataclass

import psycopg

from conductor.capstones.orders.explanation import FINAL
from conductor.runtime import Reach

# An operator's keys; see the service's idempotency keys.
_SCOPE = ":operator"

_STATES = """
    SELECT o.state, count(*), sum(o.total_minor)::bigint FROM intake_keys k JOIN orders o ON o.id = k.order_id
    WHERE k.customer = %s AND starts_with(k.key, %s) GROUP BY o.state
"""
_COMMANDS = """
    SELECT count(*) FROM outbox c JOIN intake_keys k ON k.order_id::text = split_part(c.key, '/', 1)
    WHERE k.customer = %s AND starts_with(k.key, %s) AND c.state = 'open'
"""


@dataclass(frozen=True, slots=True)
class Fate:
    """Orders by state, the sum of their totals in minor units, and their commands without an outcome: the last mails of final orders."""

    states: dict[str, int]
    sum_minor: int
    commands: int

    @property
    def open(self) -> int:
        """Orders that are not final yet."""
        return sum(count for state, count in self.states.items() if state not in FINAL)


class Fates:
    """Asks again and again over one connection."""

    def __init__(self, access: Reach, prefix: str) -> None:
        self._connection = psycopg.connect(access.addresses()["database"], connect_timeout=5, autocommit=True)
        self._prefix = prefix

    def now(self) -> Fate:
        """As it is now."""
        rows = self._connection.execute(_STATES, [_SCOPE, self._prefix]).fetchall()
        commands = self._connection.execute(_COMMANDS, [_SCOPE, self._prefix]).fetchall()[0][0]
        return Fate({state: count for state, count, _ in rows}, sum(total for _, _, total in rows), commands)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
