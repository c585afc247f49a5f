"""Laws of the payment provider's book, over any sequence of charges and reversals."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outside import charges, ledger
from outside.charges import ChargeRequest, Charges
from outside.errors import Refused
from outside.ledger import Ledger
from outside.store import Store

KEYS = ("k1", "k2")
acts = st.one_of(
    st.tuples(
        st.just("charge"), st.sampled_from(KEYS), st.sampled_from((100, 200)), st.sampled_from((None, "by fault"))
    ),
    st.tuples(st.just("reverse"), st.sampled_from(KEYS)),
)


def in_a_book(play: Callable[[Charges], None]) -> list[dict[str, Any]]:
    """What the ledger says after `play`."""

    async def run() -> list[dict[str, Any]]:
        store = Store(Path(":memory:"), charges.SCHEMA + ledger.SCHEMA)
        entries = Ledger(store, lambda: 0.0)
        play(Charges(store, entries))
        await store.committed()
        told = entries.page(after=0, limit=1_000)
        store.close()
        return told

    return asyncio.run(run())


def perform(book: Charges, act: tuple[Any, ...]) -> None:
    if act[0] == "reverse":
        book.reverse(act[1])
        return
    _, key, amount_minor, decline = act
    request = ChargeRequest(order_id="o-1", amount_minor=amount_minor, currency="EUR", card="tok_ok")
    try:
        book.charge(key, request, decline=decline)
    except Refused:
        return


@given(st.lists(acts, max_size=12))
def test_whatever_is_asked_a_key_has_one_of_four_stories(asked: list[tuple[Any, ...]]) -> None:
    def play(book: Charges) -> None:
        for act in asked:
            perform(book, act)

    told = in_a_book(play)

    stories: dict[str, list[str]] = defaultdict(list)
    for entry in told:
        stories[entry["key"]].append(entry["kind"])
    possible = (["capture"], ["capture", "refund"], ["decline"], ["void"])
    assert all(story in possible for story in stories.values())


@given(st.lists(acts, min_size=1, max_size=6))
def test_asking_everything_twice_changes_nothing(asked: list[tuple[Any, ...]]) -> None:
    def once(book: Charges) -> None:
        for act in asked:
            perform(book, act)

    def twice(book: Charges) -> None:
        for act in asked:
            perform(book, act)
            perform(book, act)

    def kinds(play: Callable[[Charges], None]) -> Counter[tuple[str, str]]:
        return Counter((entry["key"], entry["kind"]) for entry in in_a_book(play))

    assert kinds(once) == kinds(twice)
