"""A change chooses the tests that it can break: a small checkout of three services, two of them capstones, given as data."""

import pytest
from choosing import DAYS, Choice, choose
from hypothesis import given
from hypothesis import strategies as st
from subjects import Folder, SubjectMap

MAP = SubjectMap(
    everything=("Makefile", "services/conductor/servers.py", "requirements*.txt", "tests/*.py", "tests/subjects.toml"),
    nothing=("tests/mutation",),
    always=("unit",),
    apart=("e2e",),
    documents=("**.md", "docs"),
    document_tests=("tests/charts/test_readmes.py",),
    suites={
        "charts": ("charts",),
        "drills": (
            *("services/{subject}", "services/chassis", "services/conductor", "!services/conductor/capstones/*/**"),
            *("services/conductor/capstones/{subject}", "tests/fixtures/{subject}"),
        ),
        "e2e": ("services/{subject}", "services/chassis", "k8s"),
        "integration": ("services/{subject}",),
        "unit": ("services/{subject}",),
    },
    folders={"integration/chassis": ("services/orders/tables.py",)},
)
FOLDERS = tuple(
    Folder(name, tuple(f"tests/{name}/test_{number}.py" for number in range(3)))
    for name in (
        *("charts", "drills/orders", "drills/sums", "e2e/orders", "e2e/sums", "integration/chassis"),
        *("integration/orders", "integration/sums", "unit/chassis", "unit/orders"),
    )
)
CLIENT, PLUG_IN = "services/conductor/client.py", "services/conductor/capstones/orders/client.py"
IMPORTS = {
    "services/chassis/app.py": [],
    "services/chassis/unused.py": [],
    "services/orders/app.py": ["services/chassis/app.py", "services/orders/tables.py"],
    "services/orders/tables.py": [],
    "services/sums/app.py": [],
    CLIENT: [],
    "services/conductor/servers.py": ["services/conductor/errors.py"],
    "services/conductor/errors.py": [],
    PLUG_IN: [CLIENT],
    "services/conductor/capstones/sums/client.py": [],
}
EVERYTHING = {folder.name for folder in FOLDERS}
UNIT = {"unit/chassis", "unit/orders"}


def chosen(*changed: str, day: int = 1) -> Choice:
    return choose(changed, MAP, FOLDERS, IMPORTS, day)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            "services/orders/app.py", {"drills/orders", "e2e/orders", "integration/orders"}, id="one capstone"
        ),
        pytest.param(
            "services/sums/gone.py", {"drills/sums", "e2e/sums", "integration/sums"}, id="a file that is gone"
        ),
        pytest.param(
            "services/orders/tables.py",
            {"drills/orders", "e2e/orders", "integration/orders", "integration/chassis"},
            id="a file that another folder names",
        ),
        pytest.param(
            "services/chassis/app.py",
            {"drills/orders", "drills/sums", "e2e/orders", "e2e/sums", "integration/chassis", "integration/orders"},
            id="imported, not named",
        ),
        pytest.param(
            "services/chassis/unused.py",
            {"drills/orders", "drills/sums", "e2e/orders", "e2e/sums", "integration/chassis"},
            id="a module that nobody imports",
        ),
        pytest.param(
            "services/chassis/page.html",
            {"drills/orders", "drills/sums", "e2e/orders", "e2e/sums", "integration/chassis", "integration/orders"},
            id="no module: as its package",
        ),
        pytest.param(PLUG_IN, {"drills/orders"}, id="a plug-in of one capstone"),
        pytest.param(CLIENT, {"drills/orders", "drills/sums"}, id="what both plug-ins may use"),
        pytest.param("k8s/base/broker.yaml", {"e2e/orders", "e2e/sums"}, id="manifests"),
        pytest.param("tests/integration/sums/conftest.py", {"integration/sums"}, id="own fixtures"),
        pytest.param("tests/e2e/images/bad/Dockerfile", {"e2e/orders", "e2e/sums"}, id="what a suite shares"),
        pytest.param("tests/charts/golden/one.yaml", {"charts"}, id="a suite without folders"),
        pytest.param("tests/fixtures/sums/app.py", {"drills/sums"}, id="a capstone that lies with the tests"),
        pytest.param("tests/mutation/run.py", set(), id="what no test runs"),
    ],
)
def test_a_change_chooses_what_it_can_break_and_all_unit_tests(changed: str, expected: set[str]) -> None:
    assert expected | UNIT == set(chosen(changed).chosen)


@pytest.mark.parametrize(
    "changed",
    [
        *(
            "Makefile",
            "requirements-dev.txt",
            "tests/servers.py",
            "tests/subjects.toml",
            "services/conductor/errors.py",
        ),
        "nobody/knows.this",
    ],
)
def test_what_all_tests_depend_on_or_nobody_knows_chooses_everything(changed: str) -> None:
    choice = chosen("services/sums/app.py", changed)

    assert dict.fromkeys(EVERYTHING, changed) == choice.chosen
    assert ((), ()) == (choice.left_out, choice.rotated)


@pytest.mark.parametrize("changed", ["README.md", "services/orders/README.md", "docs/picture.svg"])
def test_text_alone_chooses_the_documentation_tests_and_nothing_else(changed: str) -> None:
    choice = chosen(changed)

    assert ({}, MAP.document_tests, ()) == (choice.chosen, choice.documents, choice.rotated)
    assert EVERYTHING == set(choice.left_out)


def test_text_beside_code_adds_the_documentation_tests() -> None:
    choice = chosen("README.md", "services/sums/app.py")

    assert {"drills/sums", "e2e/sums", "integration/sums"} | UNIT == set(choice.chosen)
    assert MAP.document_tests == choice.documents


def test_each_folder_tells_the_first_path_that_chose_it() -> None:
    choice = chosen("services/sums/b.py", "services/sums/a.py")

    assert ("services/sums/a.py", "always") == (choice.chosen["integration/sums"], choice.chosen["unit/orders"])


def test_no_change_chooses_the_unit_tests() -> None:
    assert UNIT == set(chosen().chosen)


@given(first=st.integers(1, 360), changed=st.sampled_from([*IMPORTS, "k8s/base/broker.yaml", "charts/sums"]))
def test_within_a_week_each_test_left_out_is_run_once_but_for_those_that_stand_apart(first: int, changed: str) -> None:
    week = [chosen(changed, day=day) for day in range(first, first + DAYS)]

    played = sorted(file for choice in week for file in choice.rotated)
    expected = [
        file for each in FOLDERS if each.name in week[0].left_out and each.suite != "e2e" for file in each.files
    ]
    assert sorted(expected) == played


def test_a_test_has_the_same_day_whatever_else_changed() -> None:
    days = {
        tuple(day for day in range(1, DAYS + 1) if "tests/charts/test_1.py" in chosen(changed, day=day).rotated)
        for changed in IMPORTS
        if "charts" in chosen(changed).left_out
    }

    assert [1] == [len(each) for each in days]
