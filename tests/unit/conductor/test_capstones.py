"""Capstones are found by their folders."""

import pytest

from conductor import capstones
from conductor.errors import Refused


def test_a_capstone_is_what_has_a_folder() -> None:
    assert "orders" in capstones.names()
    assert [] == [name for name in capstones.names() if capstones.named(name).name != name]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(Refused, match=r'no capstone is named "nosuch"; there are .*orders'):
        capstones.named("nosuch")


@pytest.mark.parametrize("name", [None, "orders"], ids=["the only one", "by its name"])
def test_the_only_one_need_not_be_named(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capstones, "names", lambda: ("orders",))

    assert "orders" == capstones.chosen(name).name


def test_one_of_several_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capstones, "names", lambda: ("analytics", "orders"))

    with pytest.raises(Refused, match="--capstone: which one"):
        capstones.chosen(None)


def test_a_part_is_found_in_the_capstones_that_have_it() -> None:
    assert ["conductor.capstones.orders.drills"] == [one.__name__ for one in capstones.packages("drills", "orders")]
    assert [] == capstones.packages("no_such_part", "orders")
