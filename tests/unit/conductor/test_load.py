"""The load: one order a key, however often a request has to be repeated."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from conductor.capstones.orders import promises
from conductor.capstones.orders.load import Load
from conductor.errors import ApiRefused, ApiUnreachable, DrillFailed
from conductor.harness import load as loads
from conductor.harness.load import AWAY, insist
from conductor.history import Journal


class Shop:
    """An API in memory that answers each key's first requests with what it was told to, then accepts, the same key the same way."""

    def __init__(self, *troubles: Exception, accepts_first: bool = False) -> None:
        self.troubles = troubles
        self.accepts_first = accepts_first
        self.asked: dict[str, list[Mapping[str, Any]]] = {}
        self.orders: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def place(self, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        asked = self.asked.setdefault(key, [])
        asked.append(body)
        if self.accepts_first:
            self.orders.setdefault(key, f"o-{len(self.orders)}")
        if len(asked) <= len(self.troubles):
            raise self.troubles[len(asked) - 1]
        return {"order_id": self.orders.setdefault(key, f"o-{len(self.orders)}"), "total_minor": 100}

    def cancel(self, order_id: str) -> dict[str, Any]:
        raise ApiRefused(409, "too late")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Customers who ask again at once."""
    monkeypatch.setattr(loads, "FIRST_BACKOFF_SECONDS", 0.001)


def placed(
    shop: Shop, path: Path, *, at_least: int = 5, patience_seconds: float = 30, per_second: float | None = None
) -> tuple[Load, promises.Told]:
    book = Journal(path / "load.jsonl")
    load = Load(
        lambda: shop,  # type: ignore[arg-type, return-value]
        book,
        seed=1,
        at_least=at_least,
        clients=2,
        patience_seconds=patience_seconds,
        per_second=lambda: per_second,
    )
    with load:
        load.finish(patience_seconds)
    book.close()
    return load, promises.read([book.path])


TROUBLES = {
    "no answer": ApiUnreachable("gone"),
    "too many requests": ApiRefused(429, "later", 0.01),
    "unavailable": ApiRefused(503, "later", 0.01),
    "an error of ours": ApiRefused(500, "oops"),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_request_is_repeated_with_its_key_and_body(trouble: Exception, tmp_path: Path) -> None:
    shop = Shop(trouble)

    load, told = placed(shop, tmp_path)

    assert load.accepted == len(told.accepted) == load.repeats
    assert all(len(bodies) == 2 and bodies[0] == bodies[1] for bodies in shop.asked.values())


@pytest.mark.parametrize("told", [True, False], ids=["told when", "not told when"])
def test_a_customer_who_is_not_told_when_to_come_again_is_counted(told: bool, tmp_path: Path) -> None:
    load, _ = placed(Shop(ApiRefused(503, "later", 0.01 if told else None)), tmp_path)

    assert load.abrupt == (0 if told else load.repeats)


def test_an_order_that_was_made_without_an_answer_is_not_made_again(tmp_path: Path) -> None:
    shop = Shop(ApiUnreachable("gone after the work was done"), accepts_first=True)

    _, told = placed(shop, tmp_path)

    assert sorted(shop.orders.values()) == sorted(accepted.order_id for accepted in told.accepted.values())


def test_every_order_has_a_customer_of_its_own(tmp_path: Path) -> None:
    _, told = placed(Shop(), tmp_path)

    assert len(told.intents) == len({intent.customer for intent in told.intents.values()})


def test_a_refusal_is_final_and_counts_as_nothing(tmp_path: Path) -> None:
    load, told = placed(Shop(ApiRefused(422, "no")), tmp_path, at_least=1, patience_seconds=0.2)

    assert (0, {422}) == (load.accepted, {refused.status for refused in told.refused.values()})


def test_whoever_never_gets_an_answer_gives_up(tmp_path: Path) -> None:
    load, told = placed(Shop(*[ApiUnreachable("gone")] * 1000), tmp_path, at_least=1, patience_seconds=0.3)

    assert (0, {None}) == (load.accepted, {refused.status for refused in told.refused.values()})


def test_no_more_orders_are_placed_a_second_than_may_be(tmp_path: Path) -> None:
    began = time.monotonic()

    placed(Shop(), tmp_path, at_least=11, per_second=20)

    assert time.monotonic() - began >= 10 / 20


def test_what_may_be_done_twice_is_asked_again_when_nobody_knows_what_became_of_it() -> None:
    answers = iter([ApiRefused(504, "unknown"), ApiRefused(503, "away"), "done"])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, ApiRefused):
            raise answer
        return str(answer)

    with pytest.raises(DrillFailed, match="504"):
        insist(ask)
    answers = iter([ApiRefused(504, "unknown"), ApiRefused(503, "away"), "done"])
    assert "done" == insist(ask, again=(*AWAY, 504))
