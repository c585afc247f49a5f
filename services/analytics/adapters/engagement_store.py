"""Who engaged with what, in Redis or Valkey, and what was learned from it.

{recommend}:waiting        set: users with something new, until their list is stored
{recommend}:new:<user>     list: contents that are not learned; expires
{recommend}:seen:<user>    list: contents that are learned, the oldest first; expires
{recommend}:common:<c>     sorted set: common users of content c with others
{recommend}:users          sorted set: users of each content
{recommend}:list:<user>    list: what is recommended; expires
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from analytics.adapters.store_clients import FAILURES
from analytics.domain.recommending import HISTORY, NEIGHBOURS
from chassis.errors import Transient

_P = "{recommend}:"
WAITING, USERS = f"{_P}waiting", f"{_P}users"
NEW, SEEN, COMMON, LIST = f"{_P}new:", f"{_P}seen:", f"{_P}common:", f"{_P}list:"
POPULAR = 250
"""Popular contents that are read: enough for a user who has seen the first HISTORY."""

_T = TypeVar("_T")
_Learn = Callable[[Sequence[str], Sequence[str]], tuple[list[str], list[tuple[str, str]]]]


class RedisEngagementStore:
    """See ports.EngagementStore."""

    def __init__(self, client: Any, *, kept_seconds: int) -> None:
        """`client` decodes what it reads. What is of a user is kept `kept_seconds` after the last engagement."""
        self._client = client
        self._kept = kept_seconds

    def note(self, engagements: Mapping[str, Sequence[str]]) -> None:
        """See ports."""

        def write() -> None:
            pipe = self._client.pipeline(transaction=False)
            for user, contents in engagements.items():
                pipe.rpush(NEW + user, *contents)
                pipe.ltrim(NEW + user, -HISTORY, -1)
                pipe.expire(NEW + user, self._kept)
            pipe.sadd(WAITING, *engagements)
            pipe.execute()

        self._try(write)

    def waiting(self, limit: int) -> list[str]:
        """See ports."""
        found: Any = self._try(lambda: self._client.srandmember(WAITING, limit))
        return sorted(found)

    def learn(self, user: str, decide: _Learn) -> None:
        """See ports."""

        def write(pipe: Any) -> None:
            new, history = pipe.lrange(NEW + user, 0, -1), pipe.lrange(SEEN + user, 0, -1)
            fresh, pairs = decide(history, new)
            pipe.multi()
            for content in fresh:
                pipe.zincrby(USERS, 1, content)
            for one, other in pairs:
                pipe.zincrby(COMMON + one, 1, other)
                pipe.zincrby(COMMON + other, 1, one)
            for content in {content for pair in pairs for content in pair}:
                pipe.zremrangebyrank(COMMON + content, 0, -2 * NEIGHBOURS - 1)
            if fresh:
                pipe.rpush(SEEN + user, *fresh)
                pipe.ltrim(SEEN + user, -HISTORY, -1)
            pipe.expire(SEEN + user, self._kept)
            pipe.delete(NEW + user)

        transaction: Any = (
            self._client.transaction
        )  # what another worker or aggregator changes meanwhile makes it begin anew
        self._try(lambda: transaction(write, NEW + user, SEEN + user))

    def history(self, user: str) -> list[str]:
        """See ports."""
        found: Any = self._try(lambda: self._client.lrange(SEEN + user, 0, -1))
        return list(found)

    def neighbours(self, contents: Sequence[str]) -> Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]:
        """See ports."""

        def read() -> Any:
            pipe = self._client.pipeline(transaction=False)
            for content in contents:
                pipe.zrange(COMMON + content, 0, NEIGHBOURS - 1, desc=True, withscores=True)
            common = dict(zip(contents, map(dict, pipe.execute()), strict=True))
            names = sorted({name for found in common.values() for name in found} | set(contents))
            counts = self._client.zmscore(USERS, names) if names else []
            users_of = {name: count for name, count in zip(names, counts, strict=True) if count}
            return {content: (found, users_of) for content, found in common.items() if content in users_of}

        found: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = self._try(read)
        return found

    def keep(self, user: str, contents: Sequence[str]) -> None:
        """See ports."""

        def write(pipe: Any) -> None:
            learned = not pipe.exists(NEW + user)
            pipe.multi()
            pipe.delete(LIST + user)
            if contents:
                pipe.rpush(LIST + user, *contents)
                pipe.expire(LIST + user, self._kept)
            if learned:
                pipe.srem(WAITING, user)

        transaction: Any = self._client.transaction  # an engagement that is noted meanwhile makes it begin anew
        self._try(lambda: transaction(write, NEW + user))

    def _try(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except FAILURES as error:
            raise Transient(f"the store of engagements failed: {error}") from error
