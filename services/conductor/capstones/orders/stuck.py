"""Which orders are open for the longest, or wait for a person, and the command that each waits for; asked of the database, only reading.

An order is named by its commands' keys (`<order>/<step>`). Ages are by the database's clock.
"""

import contextlib
from dataclasses import dataclass

from conductor.errors import Refused
from conductor.harness.outbox_state import Database
from conductor.runtime import Reach

_STUCK = """
    WITH stuck AS (
        SELECT id, state, needs_attention, created_at FROM orders
        WHERE state IN ('pending', 'processing')
           OR (needs_attention IS NOT NULL AND state NOT IN ('delivered', 'cancelled', 'failed'))
        ORDER BY created_at LIMIT %s
    )
    SELECT stuck.id::text, stuck.state, extract(epoch FROM now() - stuck.created_at)::float, stuck.needs_attention,
           waits.task, waits.queue, waits.state = 'parked', waits.failures + waits.attempts, waits.last_error
    FROM stuck LEFT JOIN LATERAL (
        SELECT * FROM outbox WHERE starts_with(outbox.key, stuck.id || '/') ORDER BY outbox.id LIMIT 1
    ) waits ON true
    ORDER BY stuck.created_at
"""


@dataclass(frozen=True, slots=True)
class Stuck:
    """An order, how long ago it was placed (s), what a person was asked for, and its oldest command that has no outcome, with the number of
    tries so far and why the last one failed; None where there is none."""

    order_id: str
    state: str
    seconds: float
    needs_attention: str | None
    task: str | None
    queue: str | None
    parked: bool | None
    tries: int | None
    why: str | None


def stuck(access: Reach, most: int) -> list[Stuck]:
    """The oldest of them first, so many at most. Refused when the database does not answer."""
    with contextlib.closing(Database(access)) as database:
        rows = database.rows(_STUCK, most)
    if rows is None:
        raise Refused("the orders' database does not answer")
    return [Stuck(*row) for row in rows]
