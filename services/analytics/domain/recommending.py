"""What a user may like: contents that the same users engaged with (item-to-item, after Linden, Smith, York, IEEE Internet Computing 2003;
cosine similarity, Sarwar et al., WWW 2001). Pure.

Learning is incremental: a user's new content raises the common count with each content of the user's history, and nothing else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import nlargest
from math import sqrt
from typing import NamedTuple

HISTORY = 200
"""Contents of a user that are kept, the latest. What a new one costs grows with it."""

NEIGHBOURS = 200
"""Contents that are kept beside a content, those with the most common users."""

USED = 100
"""Neighbours of a content that are used, the most similar."""


class Learned(NamedTuple):
    """What is learned of a user at a time."""

    fresh: list[str]
    """Contents that join the history."""
    pairs: list[tuple[str, str]]
    """Pairs of contents that have one more common user, each in one order."""
    read: int
    """How many of the new contents these are made of, from the first on."""


def learn(history: Sequence[str], new: Sequence[str], most_pairs: int) -> Learned:
    """Learn contents in `new` that are not in `history`, each once, up to the one with which there would be more than `most_pairs`, and
    the first one in any case."""
    known = list(history)
    fresh: list[str] = []
    pairs: list[tuple[str, str]] = []
    seen = set(history)
    for read, content in enumerate(new):
        if content in seen:
            continue
        others = known[-HISTORY:]
        if fresh and len(pairs) + len(others) > most_pairs:
            return Learned(fresh, pairs, read)
        pairs += [(content, other) for other in others]
        known.append(content)
        seen.add(content)
        fresh.append(content)
    return Learned(fresh, pairs, len(new))


def similar(common: Mapping[str, float], users: float, users_of: Mapping[str, float]) -> list[tuple[str, float]]:
    """The neighbours to use of a content with `users` users, and their similarity: common users by the mean of both numbers.

    `users_of` has the number of users of each neighbour; one that is not there is left out.
    """
    scored = (
        (other, count / sqrt(users * users_of[other])) for other, count in common.items() if users_of.get(other, 0) > 0
    )
    return nlargest(USED, scored, key=lambda item: (item[1], item[0]))


def recommend(
    history: Sequence[str], neighbours: Mapping[str, Sequence[tuple[str, float]]], popular: Sequence[str], limit: int
) -> list[str]:
    """Contents for a user, the best first, none that is in `history`; popular ones when there are too few."""
    seen = set(history)
    scores: Counter[str] = Counter()
    for content in history:
        for other, similarity in neighbours.get(content, ()):
            if other not in seen:
                scores[other] += similarity  # type: ignore[assignment]
    found = nlargest(limit, scores, key=lambda content: (scores[content], content))
    chosen = set(found)
    found += [content for content in popular if content not in seen and content not in chosen]
    return found[:limit]
