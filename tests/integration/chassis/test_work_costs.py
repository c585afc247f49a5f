"""What a batch costs the database: statements and transactions do not grow with its commands."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from chassis import outbox
from chassis.database import connect
from chassis.outbox import Command, Done
from chassis.tables import metadata
from chassis.work import Runner

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = connect(database_url)
    metadata.create_all(made)
    yield made
    made.dispose()


def issued(engine: sa.Engine, count: int) -> list[int]:
    """The ids of so many commands that were just published."""
    with engine.begin() as conn:
        outbox.put(conn, [Command(f"c{n}", "shop.pack", "shop.work", {}) for n in range(count)])
        return list(conn.execute(sa.text("UPDATE outbox SET issued = 1 RETURNING id")).scalars())


@pytest.mark.parametrize("what", ["commit", "before_cursor_execute"])
def test_a_batch_of_fifty_costs_what_a_batch_of_one_costs(engine: sa.Engine, what: str) -> None:
    seen: list[str] = []
    sa.event.listen(engine, what, lambda *_: seen.append(what))
    costs = []
    for count in (1, 50):
        ids = issued(engine, count)
        before = len(seen)
        Runner(engine).run(ids, lambda conn, works: {work.id: Done() for work in works})
        costs.append(len(seen) - before)

    assert costs[0] == costs[1]
