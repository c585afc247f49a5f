"""Where the effects of what a process runs stand, by the ledgers."""

from collections.abc import Sequence

import pytest

from conductor.capabilities import Moment
from conductor.capstones.orders import evidence
from conductor.capstones.orders.targets import OrdersEffects
from conductor.runtime import Reach


class Ledgers:
    """Ledgers that have these effects: entries of (server, order, kind)."""

    def __init__(self, entries: Sequence[tuple[str, str, str]]) -> None:
        self.entries = {
            name: [{"order_id": order, "kind": kind} for server, order, kind in entries if server == name]
            for name in evidence.LEDGERS
        }

    def read(self, *names: str) -> None:
        """Nothing new."""


CASES: tuple[tuple[str, Sequence[tuple[str, str, str]], Moment], ...] = (
    ("no effect of either", [("payments", "o-3", "capture")], "before"),
    ("the effect of one", [("payments", "o-1", "capture")], "during"),
    ("the effects of both", [("payments", "o-1", "capture"), ("carrier", "o-2", "shipment")], "after"),
    ("another step's effect", [("carrier", "o-2", "void")], "before"),
)


@pytest.mark.parametrize(("entries", "moment"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_moment_is_read_off_the_ledgers(
    entries: Sequence[tuple[str, str, str]], moment: Moment, monkeypatch: pytest.MonkeyPatch, access: Reach
) -> None:
    monkeypatch.setattr(evidence, "ledgers", lambda access: Ledgers(entries))

    assert moment == OrdersEffects(access).moment(["o-1/take_payment", "o-2/buy_label"])


def test_a_step_whose_effect_is_its_record_is_always_under_way(monkeypatch: pytest.MonkeyPatch, access: Reach) -> None:
    monkeypatch.setattr(evidence, "ledgers", lambda access: Ledgers([]))

    assert "during" == OrdersEffects(access).moment(["o-1/reserve_stock"])


@pytest.fixture
def access() -> Reach:
    """Nobody asks it anything."""
    return None  # type: ignore[return-value]
