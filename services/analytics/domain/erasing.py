"""Takes a user out of a batch. Pure.

The events stay, because they were counted by content: their user and event id become empty. A `follow` names a user as its content as well,
which becomes empty too.
"""

import msgspec

from analytics.domain.batch import Batch, Group, detail
from analytics.domain.events import KINDS

FOLLOWS = ("follow", "unfollow")
"""Kinds whose content is a user."""


def without_user(batch: Batch, user: str) -> tuple[Batch, int]:
    """The batch without a user, and how many events named the user. Raises BatchRefused when a detail cannot be read."""
    groups, named = [], 0
    for group in batch.groups:
        erased, count = _without(group, user)
        groups.append(erased)
        named += count
    return (msgspec.structs.replace(batch, groups=groups), named) if named else (batch, 0)


def _without(group: Group, user: str) -> tuple[Group, int]:
    own = [i for i, each in enumerate(group.users) if each == user]
    followed = [i for i, each in enumerate(group.contents) if each == user] if KINDS[group.kind] in FOLLOWS else []
    if not own and not followed:
        return group, 0
    users, contents = list(group.users), list(group.contents)
    ids, milliseconds, topics = detail(group)
    for i in own:
        users[i] = ids[i] = ""
    for i in followed:
        contents[i] = ""
    encoded = msgspec.msgpack.encode([ids, milliseconds, topics])
    return (
        msgspec.structs.replace(group, users=users, contents=contents, detail=encoded),
        len({*own, *followed}),
    )
