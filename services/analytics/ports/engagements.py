"""Who engaged with what, what was learned from it, and what is recommended."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from analytics.domain.recommending import Learned

Decide = Callable[[Sequence[str], Sequence[str], int], Learned]
"""See domain.recommending.learn: a user's history, what is new, and how many pairs there may be."""


class EngagementStore(Protocol):
    """Who engaged with what, and what was learned from it. Every method raises chassis.errors.Transient when the store fails."""

    def note(self, engagements: Mapping[str, Sequence[str]]) -> None:
        """Keep contents by user until they are learned."""

    def waiting(self, limit: int) -> list[str]:
        """At most `limit` users with contents that are not learned, or whose recommendations were not replaced since."""

    def waiting_count(self) -> int:
        """How many such users there are."""

    def still_waiting(self, users: Sequence[str]) -> list[str]:
        """Those of `users` who wait."""

    def learn(self, users: Sequence[str], decide: Decide) -> None:
        """Give `decide` the history of each user and what is new, and apply what it returns at once, however many workers do so for one
        user, until nothing is new."""

    def histories(self, users: Sequence[str]) -> Mapping[str, list[str]]:
        """By user the contents that are learned, the oldest first."""

    def neighbours(self, contents: Sequence[str]) -> Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]:
        """For each of `contents` the common users with others, and the users of each content."""

    def keep(self, lists: Mapping[str, Sequence[str]], made_of: Mapping[str, Sequence[str]]) -> None:
        """Replace what is recommended to each user, who waits no longer unless something new was noted. A list that was made of another
        history than the user has by now is not stored."""


class RecommendationReader(Protocol):
    """The recommendations, as the API reads them."""

    async def recommended(self, user: str) -> tuple[list[str], list[str], list[str]]:
        """What is kept for a user, the user's history, and the most popular contents. Raises StoreUnavailable."""

    async def close(self) -> None:
        """Close the connections."""
