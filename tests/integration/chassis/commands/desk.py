"""Puts commands into an outbox, and looks at what became of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from chassis import outbox
from chassis.outbox import Command, Done, Outcome, Work
from chassis.work import Runner

# A test that waits for a lock has found a guard missing; it need not wait long.
LOCK_TIMEOUT = "-c lock_timeout=1000"


def patient(url: str, **options: Any) -> sa.Engine:
    """An engine whose statements give up on locks after a second."""
    return sa.create_engine(url, connect_args={"options": LOCK_TIMEOUT, "connect_timeout": 3}, **options)


def without_indexes(engine: sa.Engine) -> None:
    """From its next connection on, rows are found in the order in which they lie in the table: a query must ask for its own."""

    def forbid(connection: Any, _: Any) -> None:
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):
            connection.execute(f"SET enable_{way} TO off")
        connection.commit()

    engine.dispose()
    sa.event.listen(engine, "connect", forbid)


class Desk:
    """One outbox, and an engine to use it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = patient(url)

    def put(self, *keys: str, task: str = "shop.count", queue: str = "shop.till", **values: Any) -> list[int]:
        """Commands as somebody decided them; their ids."""
        with self.engine.begin() as conn:
            outbox.put(conn, [Command(key, task, queue, {"n": key}, **values) for key in keys])
        return [self.row(key).id for key in keys]

    def issue(self, *keys: str, **values: Any) -> list[int]:
        """Commands that the relay published already; their ids."""
        ids = self.put(*keys, **values)
        self.run("UPDATE outbox SET issued = 1, due_at = now() + interval '30 s'")
        return ids

    def die(self, ids: Sequence[int]) -> None:
        """What a worker leaves behind that started these and died: counted starts, and no outcome."""
        with self.engine.begin() as conn:
            started = [work.id for work in outbox.start_fresh(conn, ids)]
            others = outbox.suspects(conn, [i for i in ids if i not in started])
        for i in others:
            with self.engine.begin() as conn:
                outbox.start_suspect(conn, i)

    def runner(self, **options: Any) -> Runner:
        return Runner(self.engine, **options)

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as conn:
            conn.execute(sa.text(statement), values)

    def rows(self, query: str, **values: Any) -> list[Any]:
        with self.engine.begin() as conn:
            return list(conn.execute(sa.text(query), values))

    def row(self, key: str) -> Any:
        """The command's row, and in how many seconds it is due; None when it is finished."""
        found = self.rows(
            "SELECT *, extract(epoch FROM due_at - now())::float AS due_in FROM outbox WHERE key = :key", key=key
        )
        return found[0] if found else None

    def keys(self) -> list[str]:
        """Every command that has a row."""
        return [row.key for row in self.rows("SELECT key FROM outbox ORDER BY id")]

    def parked(self) -> list[tuple[str, str]]:
        """Key and reason of everything parked."""
        return [(row.key, row.reason) for row in self.rows("SELECT key, reason FROM parked ORDER BY key")]


@dataclass
class Effect:
    """Ends every command as told, by key; keeps in which calls it saw which commands, and the commands themselves."""

    ends: Mapping[str, Outcome | Exception] = field(default_factory=dict)
    also: Callable[[sa.Connection], None] = lambda conn: None
    calls: list[list[str]] = field(default_factory=list)
    seen: list[Work] = field(default_factory=list)

    def __call__(self, conn: sa.Connection, works: Sequence[Work]) -> dict[int, Outcome]:
        self.calls.append([work.key for work in works])
        self.seen += works
        self.also(conn)
        outcomes = {}
        for work in works:
            end = self.ends.get(work.key, Done())
            if isinstance(end, Exception):
                raise end
            outcomes[work.id] = end
        return outcomes
