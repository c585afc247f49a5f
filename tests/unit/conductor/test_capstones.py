"""Capstones are found by their folders."""

from pathlib import Path

import pytest

from conductor import capstones
from conductor.capstone import load
from conductor.cluster.names import Names, charts
from conductor.errors import Refused
from conductor.laptop import environment, state
from conductor.laptop.state import State
from conductor.run_directory import CAPSTONE_PATH, CHECKOUT, RunDirectory, chart, home


def test_a_capstone_is_what_has_a_folder() -> None:
    assert "orders" in capstones.names()
    assert [] == [name for name in capstones.names() if capstones.named(name).name != name]


def test_an_image_has_its_capstones_without_the_checkout_around_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor.run_directory.CHECKOUT", tmp_path)

    assert {"analytics", "orders"} <= {*capstones.names()}


def test_the_charts_of_a_cluster_are_those_of_capstones() -> None:
    assert capstones.names() == charts()


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


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of CAPSTONE_PATH with a capstone of its own, and with one of the name of one of the checkout's."""
    monkeypatch.setenv(CAPSTONE_PATH, str(tmp_path))
    for name in ("abroad", "orders"):
        (tmp_path / "charts" / name / "templates").mkdir(parents=True)
        (tmp_path / "charts" / name / "templates" / "app.yaml").touch()
        plug_in = tmp_path / "services" / "conductor" / "capstones" / name
        plug_in.mkdir(parents=True)
        (plug_in / "__init__.py").touch()
        (plug_in / "capstone.py").write_text(f"class Found:\n    name = {name!r}\n\n\nCAPSTONE = Found()\n")
    return tmp_path


def test_a_capstone_is_found_on_the_path_as_well(elsewhere: Path) -> None:
    assert {"abroad", "orders"} <= set(capstones.names())
    assert "abroad" == capstones.named("abroad").name
    assert elsewhere / "charts" / "abroad" == chart("abroad")
    assert {"PYTHONPATH": str(elsewhere / "services")} == environment.code_of("abroad")


def test_a_cluster_gets_it_from_its_own_folder(elsewhere: Path) -> None:
    own = Names("abroad")

    assert sorted({"abroad", *capstones.names()}) == list(charts())
    assert elsewhere / "charts" / "abroad" == own.chart
    assert elsewhere / "k8s" / "abroad" == own.own_platform
    assert elsewhere / "k8s" / "overlays" / "kind" / "abroad-values.yaml" == own.overlay_values("kind")
    assert CHECKOUT / "charts" / "orders" == Names("orders").chart


def test_the_checkout_comes_first(elsewhere: Path) -> None:
    assert CHECKOUT == home("orders")
    assert str(elsewhere) not in str(load("orders").__class__.__module__)
    assert {} == environment.code_of("orders")


def test_without_the_path_it_is_not_found_any_more(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CAPSTONE_PATH)

    assert "abroad" not in capstones.names()
    with pytest.raises(Refused, match=r'no capstone "nowhere" is found here.*CAPSTONE_PATH'):
        load("nowhere")


def test_a_path_that_is_no_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CAPSTONE_PATH, str(tmp_path / "missing"))

    with pytest.raises(Refused, match=r'CAPSTONE_PATH: ".*/missing" is no folder'):
        capstones.names()


def test_what_a_roll_adds_to_the_path_of_modules_comes_first() -> None:
    service = {"PYTHONPATH": "/tally/services", "POOL": "one"}

    assert {"PYTHONPATH": "/mutants:/tally/services", "POOL": "two"} == environment.layered(
        service, {"POOL": "two"}, {"PYTHONPATH": "/mutants"}
    )
    assert {"POOL": "two"} == environment.layered({}, {"POOL": "two"})
