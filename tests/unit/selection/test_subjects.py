"""What a pattern of the map names."""

from pathlib import Path

import pytest
from subjects import Folder, SubjectMap, folders, load, matches


@pytest.mark.parametrize(
    ("path", "patterns", "expected"),
    [
        ("services/orders/app.py", ["services/orders"], True),
        ("services/orders", ["services/orders"], True),
        ("services/orders_2/app.py", ["services/orders"], False),
        ("tests/servers.py", ["tests/*.py"], True),
        ("tests/unit/test_one.py", ["tests/*.py"], False),
        ("services/orders/queues.py", ["services/*/queues.py"], True),
        ("README.md", ["**.md"], True),
        ("services/orders/README.md", ["**.md"], True),
        ("capstones/orders/client.py", ["capstones", "!capstones/*/**", "capstones/orders"], True),
        ("capstones/sums/client.py", ["capstones", "!capstones/*/**", "capstones/orders"], False),
        ("capstones/registry.py", ["capstones", "!capstones/*/**", "capstones/orders"], True),
        ("services/orders/app.py", [], False),
    ],
)
def test_the_last_pattern_that_fits_decides(path: str, patterns: list[str], expected: bool) -> None:
    assert expected == matches(path, patterns)


def test_a_folder_is_known_by_its_first_two_levels(tmp_path: Path) -> None:
    for name in ("charts/test_a.py", "unit/orders/test_b.py", "unit/orders/adapters/test_c.py", "fakes/orders.py"):
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    expected = {
        "charts": ("tests/charts/test_a.py",),
        "unit/orders": ("tests/unit/orders/adapters/test_c.py", "tests/unit/orders/test_b.py"),
    }
    assert expected == {folder.name: folder.files for folder in folders(tmp_path)}


def test_a_folder_runs_what_its_suite_and_its_own_entry_name() -> None:
    told = SubjectMap(suites={"unit": ("a/{subject}", "b")}, folders={"unit/orders": ("c",), "unit": ("d",)})

    assert ("a/orders", "b", "c") == told.runs(Folder("unit/orders", ()))
    assert ("b", "d") == told.runs(Folder("unit", ()))


def test_an_entry_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    told = tmp_path / "subjects.toml"
    told.write_text("sometimes = []\n[documentation]\npaths = []\ntests = []\n[suites]\n[folders]\n")

    with pytest.raises(TypeError, match="sometimes"):
        load(told)
