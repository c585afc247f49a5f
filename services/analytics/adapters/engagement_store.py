"""Who engaged with what, in Redis or Valkey, and what was learned from it.

{recommend}:waiting        set: users with something new, until their list is stored
{recommend}:new:<user>     list: contents that are not learned; expires
{recommend}:seen:<user>    list: contents that are learned, the oldest first; expires
{recommend}:common:<c>     sorted set: common users of content c with others
{recommend}:users          sorted set: users of each content
{recommend}:list:<user>    list: what is recommended; expires
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from analytics.adapters.store_clients import FAILURES
from analytics.domain.recommending import HISTORY, NEIGHBOURS, Learned
from analytics.ports.engagements import Decide
from chassis.errors import Transient

_P = "{recommend}:"
WAITING, USERS = f"{_P}waiting", f"{_P}users"
NEW, SEEN, COMMON, LIST = f"{_P}new:", f"{_P}seen:", f"{_P}common:", f"{_P}list:"
POPULAR = 250
"""Popular contents that are read: enough for a user who has seen the first HISTORY."""

PAIRS = 250
"""Pairs of contents after which a transaction has enough, because the store answers nobody meanwhile (7 µs each)."""

USERS_AT_A_TIME = 8
"""Users whose contents are read for a transaction. Few of them are learned in it, and the others are read again."""

CONTENTS_AT_A_TIME, NAMES_AT_A_TIME = 20, 2000
"""Contents whose neighbours are asked in one round trip, and neighbours whose users are: a millisecond of the store."""

_T = TypeVar("_T")


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

    def waiting_count(self) -> int:
        """See ports."""
        return int(self._try(lambda: self._client.scard(WAITING)))

    def still_waiting(self, users: Sequence[str]) -> list[str]:
        """See ports."""
        waits: Any = self._try(lambda: self._client.smismember(WAITING, list(users)))
        return [user for user, one in zip(users, waits, strict=True) if one]

    def learn(self, users: Sequence[str], decide: Decide) -> None:
        """See ports. A transaction has as many contents as PAIRS allows."""
        left = list(users)
        while left:
            left = left[self._try(partial(self._learn_some, left[:USERS_AT_A_TIME], decide)) :]

    def _learn_some(self, users: Sequence[str], decide: Decide) -> int:
        """Learn what is new of the first of these users in one transaction; how many have nothing new any more."""
        done = 0

        def write(pipe: Any) -> None:
            nonlocal done
            done, pairs_left = 0, PAIRS
            found = self._each(
                lambda pipe, user: (pipe.lrange(NEW + user, 0, -1), pipe.lrange(SEEN + user, 0, -1)), users
            )
            pipe.multi()
            for user, new, history in zip(users, found[::2], found[1::2], strict=True):
                learned = decide(history, new, pairs_left)
                self._apply(pipe, user, learned)
                pairs_left -= len(learned.pairs)
                if learned.read < len(new):
                    break
                done += 1
                if pairs_left <= 0:
                    break

        # What another worker or an aggregator changes meanwhile makes it begin anew.
        self._client.transaction(write, *(key + user for user in users for key in (NEW, SEEN)))
        return done

    def _apply(self, pipe: Any, user: str, learned: Learned) -> None:
        for content in learned.fresh:
            pipe.zincrby(USERS, 1, content)
        for one, other in learned.pairs:
            pipe.zincrby(COMMON + one, 1, other)
            pipe.zincrby(COMMON + other, 1, one)
        for content in {content for pair in learned.pairs for content in pair}:
            pipe.zremrangebyrank(COMMON + content, 0, -2 * NEIGHBOURS - 1)
        if learned.fresh:
            pipe.rpush(SEEN + user, *learned.fresh)
            pipe.ltrim(SEEN + user, -HISTORY, -1)
        pipe.expire(SEEN + user, self._kept)
        pipe.ltrim(NEW + user, learned.read, -1)

    def histories(self, users: Sequence[str]) -> Mapping[str, list[str]]:
        """See ports."""
        found = self._try(lambda: self._each(lambda pipe, user: pipe.lrange(SEEN + user, 0, -1), users))
        return dict(zip(users, found, strict=True))

    def neighbours(self, contents: Sequence[str]) -> Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]:
        """See ports. A store does all that it is sent at a time before it answers anybody else, so it is sent a little at a time."""

        def ask(pipe: Any, content: str) -> None:
            pipe.zrange(COMMON + content, 0, NEIGHBOURS - 1, desc=True, withscores=True)

        def read() -> Any:
            found = [one for some in _slices(contents, CONTENTS_AT_A_TIME) for one in self._each(ask, some)]
            common = dict(zip(contents, map(dict, found), strict=True))
            names = sorted({name for found in common.values() for name in found} | set(contents))
            counts = [one for some in _slices(names, NAMES_AT_A_TIME) for one in self._client.zmscore(USERS, some)]
            users_of = {name: count for name, count in zip(names, counts, strict=True) if count}
            return {content: (found, users_of) for content, found in common.items() if content in users_of}

        found: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = self._try(read)
        return found

    def keep(self, lists: Mapping[str, Sequence[str]], made_of: Mapping[str, Sequence[str]]) -> None:
        """See ports."""

        def write(pipe: Any) -> None:
            more = self._each(lambda pipe, user: pipe.exists(NEW + user), list(lists))
            histories = self._each(lambda pipe, user: pipe.lrange(SEEN + user, 0, -1), list(lists))
            pipe.multi()
            for (user, contents), noted, seen in zip(lists.items(), more, histories, strict=True):
                if seen != list(made_of[user]):
                    continue  # another task has learned more, and stores the newer list; or the user was erased
                pipe.delete(LIST + user)
                if contents:
                    pipe.rpush(LIST + user, *contents)
                    pipe.expire(LIST + user, self._kept)
                if not noted:
                    pipe.srem(WAITING, user)

        # What is noted or learned meanwhile makes it begin anew.
        watched = [key + user for user in lists for key in (NEW, SEEN)]
        self._try(lambda: self._client.transaction(write, *watched))

    def _each(self, ask: Callable[[Any, str], object], names: Sequence[str]) -> list[Any]:
        """The answers to what `ask` puts into a pipeline for each name, in one round trip."""
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            ask(pipe, name)
        return list(pipe.execute())

    def _try(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except FAILURES as error:
            raise Transient(f"the store of engagements failed: {error}") from error


def _slices(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
