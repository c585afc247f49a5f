"""Capstones are found by their folders."""

from pathlib import Path

import pytest

from conductor import capstones
from conductor.errors import Refused
from conductor.laptop import state
from conductor.laptop.state import State
from conductor.run_directory import RunDirectory


def test_a_capstone_is_what_has_a_folder() -> None:
    assert "orders" in capstones.names()
    assert [] == [name for name in capstones.names() if capstones.named(name).name != name]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(Refused, match=r'no capstone is named "nosuch"; there are .*orders'):
        capstones.named("nosuch")


@pytest.mark.parametrize(
    ("running", "name", "meant"),
    [
        ((), None, "orders"),
        (("analytics",), None, "analytics"),
        (("analytics",), "orders", "orders"),
        (("orders", "analytics"), "analytics", "analytics"),
    ],
)
def test_the_only_one_that_runs_need_not_be_named(
    running: tuple[str, ...], name: str | None, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(running, tmp_path, monkeypatch)

    assert meant == capstones.chosen(name).name


def test_one_of_several_that_run_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(("orders", "analytics"), tmp_path, monkeypatch)

    with pytest.raises(Refused, match="--capstone: which one"):
        capstones.chosen(None)


def runs(running: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSTONE_RUN_DIR", str(folder))
    if running:
        state.save(State.fresh("valkey", *running), RunDirectory(folder).state)


def test_a_part_is_found_in_the_capstones_that_have_it() -> None:
    assert ["conductor.capstones.orders.drills"] == [one.__name__ for one in capstones.packages("drills", "orders")]
    assert [] == capstones.packages("no_such_part", "orders")
