"""The places that users are erased from: the store of the counters, the archive, and the table of what is parked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from analytics.adapters import engagement_store
from analytics.adapters.counter_keys import Shard
from analytics.adapters.store_clients import FAILURES, scan
from analytics.adapters.tables import erasures
from analytics.adapters.transactions import begun
from analytics.domain import batch
from analytics.domain.erasing import FOLLOWS, without_user
from analytics.domain.errors import BatchRefused
from analytics.ports.erasure import Receipt
from chassis import storable
from chassis.errors import Transient
from chassis.parking import engine_for
from chassis.tables import parked, parked_audit

CHUNK = 500


class CounterErasure:
    """Counters by user, and those of a followed user."""

    def __init__(self, client: Any, shards: Sequence[Shard]) -> None:
        self._client = client
        self._shards = shards

    def erase(self, user: str) -> Mapping[str, Any]:
        """Remove the user's field from each hash that may have it."""
        return _try_redis(lambda: {"counters": sum(self._removed(shard, user) for shard in self._shards)})

    def _removed(self, shard: Shard, user: str) -> int:
        names = [shard.content_totals(kind) for kind in FOLLOWS]
        for pattern in (shard.user_hours("*"), *(shard.content_minutes(kind, "*") for kind in FOLLOWS)):
            names += scan(self._client, pattern)
        removed = 0
        for first in range(0, len(names), CHUNK):
            pipe = self._client.pipeline(transaction=False)
            for name in names[first : first + CHUNK]:
                pipe.hdel(name, user)
            removed += sum(pipe.execute())
        return removed


class RecommendationErasure:
    """A user's history, what is not learned yet, and what is recommended. What was learned of contents names nobody."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def erase(self, user: str) -> Mapping[str, Any]:
        """Remove all keys of the user."""

        def remove() -> Mapping[str, Any]:
            lists = [prefix + user for prefix in (engagement_store.NEW, engagement_store.SEEN, engagement_store.LIST)]
            pipe = self._client.pipeline(transaction=True)
            pipe.delete(*lists)
            pipe.srem(engagement_store.WAITING, user)
            lists_gone, waiting = pipe.execute()
            return {"lists": lists_gone, "waiting": waiting}

        return _try_redis(remove)


class ParkedErasure:
    """Batches, and chunks of users to be learned, that are parked, or were."""

    def __init__(self, database_url: str, queues: tuple[str, ...]) -> None:
        """Of all records those of `queues` are meant."""
        self._engine = engine_for(database_url)
        self._queues = queues

    def erase(self, user: str) -> Mapping[str, Any]:
        """Rewrite each record that names the user. A batch that cannot be read and has the id in it is emptied, and named."""
        events, records, emptied, after = 0, 0, [], 0
        while True:
            with begun(self._engine) as conn:
                rows = self._page(conn, after)
                for row in rows:
                    after = row.id
                    body, found, read = _rewritten(row.body, user)
                    if body is None:
                        continue
                    records += 1
                    events += found
                    values: dict[str, Any] = {"body": body}
                    if not read:
                        emptied.append(row.id)
                        values["status"] = "dropped"
                    conn.execute(
                        parked.update().where(parked.c.id == row.id).values(updated_at=sa.func.now(), **values)
                    )
                    audit = {"parked_id": row.id, "actor": "erasure", "act": "erase", "detail": f"{found} events"}
                    conn.execute(parked_audit.insert().values(audit))
            if not rows:
                return {"records": records, "events": events, "emptied": emptied}

    def _page(self, conn: Any, after: int) -> list[Any]:
        wanted = sa.select(parked.c.id, parked.c.body).where(parked.c.queue.in_(self._queues), parked.c.id > after)
        return list(conn.execute(wanted.order_by(parked.c.id).limit(20).with_for_update()))


class SqlReceipts:
    """See ports.Receipts."""

    def __init__(self, database_url: str) -> None:
        self._engine = engine_for(database_url)

    def keep(self, receipt: Receipt, actor: str) -> int:
        """Keep a receipt."""
        values = {"user_sha256": receipt.user_sha256, "actor": actor, "receipt": asdict(receipt)}
        with begun(self._engine) as conn:
            return int(conn.execute(erasures.insert().values(values).returning(erasures.c.id)).scalar_one())


def _rewritten(body: Mapping[str, Any], user: str) -> tuple[dict[str, Any] | None, int, bool]:
    """The body of a record without the user, how many events named the user, and whether it could be read; None when it names nobody like
    that."""
    if not storable.is_raw(body):
        users = body.get("users")
        if not isinstance(users, list) or user not in users:
            return None, 0, True
        return {**body, "users": [one for one in users if one != user]}, 0, True
    try:
        raw = storable.bytes_of(body)
        found, named = without_user(batch.decode(raw), user)
        return (storable.raw_body(batch.encode(found)), named, True) if named else (None, 0, True)
    except (BatchRefused, ValueError):
        raw = storable.bytes_of({"raw": body["raw"]})
        return (storable.raw_body(b""), 0, False) if user.encode() in raw else (None, 0, True)


def _try_redis(call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return call()
    except FAILURES as error:
        raise Transient(f"the counters failed: {error}") from error
