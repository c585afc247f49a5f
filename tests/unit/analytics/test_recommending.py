"""Item-to-item recommendations: learning one by one is counting all at once, and what is found beats what is popular."""

import random
from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from loadtests.analytics.recommendations import Memory, evaluate

from analytics.domain.recommending import learn, recommend, similar


@given(st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef")), max_size=40))
def test_learning_one_by_one_is_counting_all(engagements: list[tuple[str, str]]) -> None:
    memory = Memory()
    for user, content in engagements:
        memory.engage(user, content)

    sets = [{content for one, content in engagements if one == user} for user in "uvw"]
    common = Counter(pair for contents in sets for pair in combinations(sorted(contents), 2))
    assert Counter(content for contents in sets for content in contents) == memory.users_of
    assert common == Counter(
        {(one, other): n for one, counts in memory.common.items() for other, n in counts.items() if one < other}
    )


def test_what_was_learned_is_not_new() -> None:
    assert (["c"], [("c", "a"), ("c", "b")], 3) == learn(["a", "b"], ["a", "c", "c"], 10)
    assert ([], [], 1) == learn(["a"], ["a"], 10)


def test_what_is_learned_at_a_time_has_a_bound_and_at_least_one_content() -> None:
    assert (["c"], [("c", "a"), ("c", "b")], 2) == learn(["a", "b"], ["a", "c", "d"], 4)
    assert (["c", "d"], 5, 3) == (lambda one: (one.fresh, len(one.pairs), one.read))(
        learn(["a", "b"], ["a", "c", "d"], 5)
    )
    assert (["c"], [("c", "a"), ("c", "b")], 1) == learn(["a", "b"], ["c", "d"], 0)
    assert 200 == len(learn([f"{number}" for number in range(300)], ["new"], 0).pairs)


def test_a_neighbour_of_many_users_is_less_similar() -> None:
    assert [("rare", 1.0), ("all", 0.5)] == similar({"rare": 2, "all": 2, "gone": 1}, 2, {"rare": 2, "all": 8})


def test_nothing_that_was_seen_is_recommended_and_popular_fills_up() -> None:
    neighbours = {"a": [("b", 0.9), ("c", 0.5)], "b": [("a", 0.9), ("d", 0.1)]}

    assert ["c", "d", "p"] == recommend(["a", "b"], neighbours, ["a", "d", "p", "q"], 3)
    assert ["p", "q"] == recommend([], neighbours, ["p", "q"], 3)


def test_tastes_are_found_where_popularity_finds_none() -> None:
    dice = random.Random(1)
    found = []
    for user in range(120):
        taste = user % 6
        liked = dice.sample([f"{taste}-{i}" for i in range(40)], 20) + dice.sample([f"all-{i}" for i in range(30)], 10)
        dice.shuffle(liked)
        found += [(f"u{user}", content, at) for at, content in enumerate(liked)]

    told = evaluate(found)

    assert told["difference_low"] > 0
    assert told["hit_rate"] >= 0.8
